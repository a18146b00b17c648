//! Where carried values reach.

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use headcount::carry::{self, Carried, Carrier, Spawn};
use headcount::{Backoff, Headcount, Kind, Restart, TaskBuilder, task};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinSet, LocalSet, yield_now};

tokio::task_local! {
    static TENANT: String;
    static UNNAMED: u32;
    static STEPS: Cell<u32>;
    static HELD: Arc<()>;
}

fn install(carrier: impl Carrier) -> Headcount {
    Headcount::builder().admin(None).signals(false).carry(carrier).install().unwrap()
}

fn tenant() -> Option<String> {
    TENANT.try_get().ok()
}

/// What a task sees, in its first poll and after it went through the scheduler.
async fn seen() -> (Option<String>, Option<String>) {
    let first = tenant();
    yield_now().await;
    (first, tenant())
}

fn acme() -> (Option<String>, Option<String>) {
    (Some("acme".to_owned()), Some("acme".to_owned()))
}

#[test]
fn nothing_is_carried_unless_it_is_named() {
    own_process!();
    let _hc = install(carry::task_local(&TENANT));
    let runtime = Runtime::new().unwrap();
    runtime.block_on(UNNAMED.scope(7, async {
        let found = headcount::spawn(async { (UNNAMED.try_get().ok(), tenant()) }).await.unwrap();
        assert_eq!(found, (None, None));
    }));
    // And nothing at all where no carrier was installed: the value is of one thread.
    let found =
        runtime.block_on(UNNAMED.scope(7, async { tokio::spawn(async { UNNAMED.try_get().ok() }).await }));
    assert_eq!(found.unwrap(), None);
}

#[test]
fn by_every_spawn_function_in_every_runtime() {
    own_process!();
    let _hc = install(carry::task_local(&TENANT));
    by_all(&Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    by_all(&Builder::new_current_thread().enable_all().build().unwrap());
}

/// With tracking off too: a task that needs what it carries would fail without.
#[test]
fn with_tracking_off_too() {
    own_process!("HEADCOUNT" = "off");
    let _hc = install(carry::task_local(&TENANT).field("tenant"));
    by_all(&Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    by_all(&Builder::new_current_thread().enable_all().build().unwrap());
    let snapshot = headcount::snapshot();
    assert_eq!((snapshot.spawned, snapshot.live, snapshot.groups.len()), (0, 0, 0));
}

fn by_all(runtime: &Runtime) {
    let other = Runtime::new().unwrap();
    let set = LocalSet::new();
    let all = async {
        let named = || task("named").label("a", "b");
        assert_eq!(headcount::spawn(seen()).await.unwrap(), acme());
        assert_eq!(headcount::spawn_on(seen(), other.handle()).await.unwrap(), acme());
        assert_eq!(headcount::spawn_local(seen()).await.unwrap(), acme());
        assert_eq!(headcount::spawn_blocking(tenant).await.unwrap(), acme().0);
        assert_eq!(headcount::spawn_blocking_on(tenant, other.handle()).await.unwrap(), acme().0);
        assert_eq!(headcount::task!("site").spawn(seen()).await.unwrap(), acme());
        assert_eq!(named().spawn(seen()).await.unwrap(), acme());
        assert_eq!(named().spawn_on(seen(), other.handle()).await.unwrap(), acme());
        assert_eq!(named().spawn_local(seen()).await.unwrap(), acme());
        assert_eq!(named().spawn_blocking(tenant).await.unwrap(), acme().0);
        assert_eq!(named().in_current_span().spawn(seen()).await.unwrap(), acme());
        assert_eq!(TaskBuilder::unnamed().field("order", 1).spawn(seen()).await.unwrap(), acme());
        let fallible = async { seen().await.0.ok_or("no tenant") };
        assert_eq!(named().spawn_fallible(fallible).await.unwrap().unwrap(), "acme");
        let closure = || tenant().ok_or("no tenant");
        assert_eq!(named().spawn_fallible_blocking(closure).await.unwrap().unwrap(), "acme");
        let mut members = JoinSet::new();
        headcount::spawn_in(&mut members, seen());
        members.spawn(headcount::track(seen()));
        members.spawn(named().track(seen()));
        assert_eq!(members.join_all().await, [acme(), acme(), acme()]);
        // A future that is boxed because it is large.
        let large = async {
            let room = ([1u8; 10_000], [1u8; 10_000]);
            let found = seen().await;
            assert_eq!(usize::from(room.0[9_999] + room.1[9_999]), 2);
            found
        };
        assert_eq!(headcount::spawn(large).await.unwrap(), acme());
        // Children of children, also of closures.
        let child =
            async { headcount::spawn(async { headcount::spawn(seen()).await.unwrap() }).await.unwrap() };
        assert_eq!(headcount::spawn(child).await.unwrap(), acme());
        let handle = Handle::current();
        let below = headcount::spawn_blocking(move || headcount::spawn_on(seen(), &handle));
        assert_eq!(below.await.unwrap().await.unwrap(), acme());
        // Outside of the task's polls nothing is left of it.
        assert_eq!(
            TENANT
                .scope("other".to_owned(), async { headcount::spawn(seen()).await.unwrap().1 })
                .await
                .unwrap(),
            "other"
        );
        assert_eq!(tenant().unwrap(), "acme");
    };
    set.block_on(runtime, TENANT.scope("acme".to_owned(), all));
    let without = async { headcount::spawn(seen()).await.unwrap() };
    assert_eq!(runtime.block_on(without), (None, None));
    other.shutdown_background();
}

/// A value is the task's own: changes stay from poll to poll, and do not reach the code that spawned it.
#[tokio::test]
async fn a_value_lives_as_long_as_its_task() {
    own_process!();
    let _hc = install(carry::task_local(&STEPS));
    let count = || {
        STEPS.with(|steps| {
            steps.set(steps.get() + 1);
            steps.get()
        })
    };
    STEPS
        .scope(Cell::new(10), async {
            let task = headcount::spawn(async move {
                let first = count();
                yield_now().await;
                (first, count())
            });
            assert_eq!(task.await.unwrap(), (11, 12));
            assert_eq!(STEPS.with(Cell::get), 10);
        })
        .await;
}

/// Whatever ends a task, what it carried is dropped with it.
#[tokio::test]
async fn nothing_outlives_its_task() {
    own_process!();
    let _hc = install(carry::task_local(&HELD));
    let held = Arc::new(());
    HELD.scope(Arc::clone(&held), async {
        headcount::spawn(yield_now()).await.unwrap();
        headcount::spawn(async { panic!("ends") }).await.unwrap_err();
        task("fails").spawn_fallible(async { Err::<(), _>("ends") }).await.unwrap().unwrap_err();
        let aborted = headcount::spawn(pending::<()>());
        yield_now().await;
        aborted.abort();
        aborted.await.unwrap_err();
        let unpolled = headcount::spawn(pending::<()>());
        unpolled.abort();
        unpolled.await.unwrap_err();
        headcount::spawn_blocking(|| ()).await.unwrap();
        drop(headcount::track(async {}));
        headcount::track(async {}).await;
    })
    .await;
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(headcount::snapshot().live, 0);
}

#[tokio::test]
async fn nothing_outlives_a_task_that_is_not_tracked() {
    own_process!("HEADCOUNT" = "off");
    let _hc = install(carry::task_local(&HELD));
    let held = Arc::new(());
    HELD.scope(Arc::clone(&held), async {
        for _ in 0..300 {
            headcount::spawn(yield_now()).await.unwrap();
        }
        headcount::spawn(async { panic!("ends") }).await.unwrap_err();
        let aborted = headcount::spawn(pending::<()>());
        aborted.abort();
        aborted.await.unwrap_err();
        let many: Vec<_> =
            (0..300).map(|_| headcount::spawn_blocking(|| HELD.with(Arc::strong_count))).collect();
        for one in many {
            assert!(1 < one.await.unwrap());
        }
    })
    .await;
    assert_eq!(Arc::strong_count(&held), 1);
}

/// A carrier that spawns, as an exporter's subscriber may, does not carry into itself without end.
struct Spawning;

impl Carrier for Spawning {
    fn name(&self) -> &'static str {
        "spawning"
    }

    fn take(&self, task: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        assert!(task.name != "from-take", "what a carrier spawns carries nothing");
        assert_eq!(kind_of(task.id), Kind::Task);
        headcount::task("from-take").spawn(async {});
        Some(Box::new(Named(task.name.to_owned())))
    }
}

fn kind_of(id: Option<headcount::TaskId>) -> Kind {
    let details = headcount::snapshot::task(id.unwrap()).unwrap();
    let headcount::snapshot::TaskLookup::Live(info) = details.task else { panic!("it begins") };
    info.kind
}

struct Named(String);

impl Carried for Named {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        TENANT.sync_scope(self.0.clone(), poll);
    }
}

#[tokio::test]
async fn a_carrier_of_ones_own_knows_the_task() {
    own_process!();
    let _hc = install(Spawning);
    assert_eq!(task("mail").spawn(seen()).await.unwrap().1.unwrap(), "mail");
    headcount::idle().await;
    let snapshot = headcount::snapshot();
    let from_take = snapshot.groups.iter().find(|group| &*group.name == "from-take").unwrap();
    assert_eq!(from_take.finished.ok, 1);
    assert_eq!(snapshot.carriers_dropped, 0);
}

/// A service and a timer have what the code had that made them, in each of their runs.
#[tokio::test]
async fn in_each_run_of_a_service_and_a_timer() {
    own_process!();
    let _hc = install(carry::task_local(&TENANT));
    in_each_run().await;
    assert_eq!(headcount::snapshot().carriers_dropped, 0);
}

#[tokio::test]
async fn in_each_run_with_tracking_off() {
    own_process!("HEADCOUNT" = "off");
    let _hc = install(carry::task_local(&TENANT));
    in_each_run().await;
    assert_eq!(headcount::snapshot().spawned, 0);
}

async fn in_each_run() {
    let (sender, mut runs) = tokio::sync::mpsc::unbounded_channel();
    let report = move || {
        let sender = sender.clone();
        async move {
            sender.send(seen().await).unwrap();
            Err::<(), _>("again")
        }
    };
    let (service, timer) = TENANT
        .scope("acme".to_owned(), async {
            let soon = Duration::from_millis(1);
            let again = (Restart::OnFailure, Backoff::constant(soon));
            let service = headcount::service("worker", report.clone()).restart(again.0, again.1);
            (service.spawn().unwrap(), headcount::every(soon, "sweep").run(report).unwrap())
        })
        .await;
    for _ in 0..6 {
        assert_eq!(runs.recv().await.unwrap(), acme());
    }
    drop((service, timer));
}
