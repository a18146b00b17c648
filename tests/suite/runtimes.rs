//! Where tasks can be spawned: several runtimes, none, one that ends, and threads that end.

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};

use headcount::snapshot::{GroupInfo, Outcome};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

fn group(name: &str) -> GroupInfo {
    let groups = headcount::snapshot().groups;
    groups.into_iter().find(|group| &*group.name == name).unwrap_or_else(|| panic!("no group {name}"))
}

#[test]
fn several_runtimes_at_once() {
    own_process!();
    let runtimes =
        [Runtime::new().unwrap(), Runtime::new().unwrap(), Builder::new_current_thread().build().unwrap()];
    let spawn = |runtime: &Runtime| headcount::task("several").spawn_on(async { 1 }, runtime.handle());
    let handles: Vec<_> = (0..300).map(|number| (number % 3, spawn(&runtimes[number % 3]))).collect();
    let sum: u32 =
        handles.into_iter().map(|(runtime, handle)| runtimes[runtime].block_on(handle).unwrap()).sum();
    assert_eq!(sum, 300);
    assert_eq!((group("several").spawned, group("several").finished.ok), (300, 300));
}

#[test]
fn a_local_set_and_a_local_runtime() {
    own_process!();
    let runtime = Builder::new_current_thread().build().unwrap();
    let local = LocalSet::new();
    let shared = std::rc::Rc::new(41);
    let answer = local.block_on(&runtime, async {
        let task = headcount::task("local").spawn_local(async move { *shared + 1 });
        task.await.unwrap()
    });
    assert_eq!(answer, 42);
    assert_eq!(group("local").finished.ok, 1);
}

#[test]
fn a_runtime_that_ends_takes_its_tasks_with_it() {
    own_process!();
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(1).build().unwrap();
    let (release, is_released) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let handle = runtime.handle().clone();
    handle.block_on(async {
        for _ in 0..100 {
            headcount::task("taken").spawn(async {
                let _spawns = SpawnsWhenDropped;
                pending::<()>().await;
            });
        }
        headcount::task("taken-running").spawn_blocking(move || {
            started.send(()).unwrap();
            is_released.recv().unwrap();
        });
        headcount::task("taken-queued").spawn_blocking(|| ());
    });
    has_started.recv().unwrap();
    runtime.shutdown_background();
    release.send(()).unwrap();
    while 0 < group("taken").live + group("taken-running").live + group("taken-queued").live {
        std::thread::yield_now();
    }
    assert_eq!(group("taken").finished.cancelled, 100);
    assert_eq!(group("taken-running").finished.ok, 1);
    // tokio drops it or still runs it.
    assert_eq!(group("taken-queued").finished.total(), 1);
    // Spawned on a runtime that was going or gone.
    headcount::task("taken-late").spawn_on(async {}, &handle);
    assert_eq!(group("taken-late").finished.cancelled, 1);
}

/// A destructor that spawns, while its runtime ends.
struct SpawnsWhenDropped;

impl Drop for SpawnsWhenDropped {
    fn drop(&mut self) {
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            headcount::task("from-a-destructor").spawn_on(async {}, &handle);
        }
    }
}

/// The message and the place of a panic.
fn panic_of(call: impl FnOnce()) -> (String, u32) {
    static SEEN: Mutex<Option<(String, u32)>> = Mutex::new(None);
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        let place = info.location().unwrap();
        assert_eq!(place.file(), file!());
        *SEEN.lock().unwrap() = Some((text, place.line()));
    }));
    let result = catch_unwind(AssertUnwindSafe(call));
    std::panic::set_hook(former);
    assert!(result.is_err());
    SEEN.lock().unwrap().take().unwrap()
}

#[test]
fn outside_of_a_runtime_it_panics_as_tokio_does_at_the_callers_place() {
    own_process!();
    let before = group_or_none("outside");
    let expected = panic_of(|| drop(tokio::spawn(async {}))).0;
    assert!(expected.contains("no reactor running"), "{expected}");
    let line = line!();
    assert_eq!(panic_of(|| drop(headcount::spawn(async {}))), (expected.clone(), line + 1));
    assert_eq!(panic_of(|| drop(headcount::task("outside").spawn(async {}))), (expected.clone(), line + 2));
    assert_eq!(panic_of(|| drop(headcount::spawn_blocking(|| ()))), (expected.clone(), line + 3));
    let fallible = || drop(headcount::task("outside").spawn_fallible(async { Ok::<_, String>(()) }));
    assert_eq!(panic_of(fallible), (expected, line + 4));
    let expected = panic_of(|| drop(tokio::task::spawn_local(async {}))).0;
    assert_eq!(panic_of(|| drop(headcount::spawn_local(async {}))), (expected, line + 7));
    assert_eq!(before.live, 0);
    assert_eq!(group_or_none("outside").live, 0, "nothing stays behind");
}

#[derive(Debug, Default)]
struct Counts {
    live: u64,
}

fn group_or_none(name: &str) -> Counts {
    let groups = headcount::snapshot().groups;
    Counts { live: groups.iter().filter(|group| &*group.name == name).map(|group| group.live).sum() }
}

type Call = Box<dyn FnOnce() + Send>;

/// Calls something while the thread's locals are destroyed.
struct AtTheEnd(Option<Call>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

thread_local! {
    static FIRST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

/// Runs `call` when the locals of a thread go, once before and once after those of the crate.
fn at_the_end_of_a_thread(call: impl Fn() + Send + Sync + 'static) {
    let call = Arc::new(call);
    let boxed = |call: &Arc<_>| {
        let call: Arc<dyn Fn() + Send + Sync> = Arc::clone(call) as _;
        Some(AtTheEnd(Some(Box::new(move || call()) as Call)))
    };
    std::thread::spawn(move || {
        FIRST.set(boxed(&call));
        drop(headcount::task("thread-ends-before").track(pending::<()>()));
        SECOND.set(boxed(&call));
    })
    .join()
    .unwrap();
}

#[test]
fn spawn_on_works_while_a_thread_ends() {
    own_process!();
    let runtime = Runtime::new().unwrap();
    let (sender, receiver) = mpsc::channel();
    let handle = runtime.handle().clone();
    at_the_end_of_a_thread(move || {
        let task = headcount::task("thread-ends").field("order", 42);
        sender.send(task.spawn_on(async { headcount::current().unwrap().id() }, &handle)).unwrap();
        drop(headcount::task("thread-ends-track").track(pending::<()>()));
    });
    let ids: Vec<_> = receiver.iter().map(|task| runtime.block_on(task).unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!((group("thread-ends").spawned, group("thread-ends").finished.ok), (2, 2));
    assert_eq!(group("thread-ends-track").finished.cancelled, 2);
    let headcount::snapshot::TaskLookup::Finished(task) = headcount::snapshot::task(ids[1]).unwrap().task
    else {
        panic!()
    };
    assert_eq!((task.outcome, task.task.fields.len()), (Outcome::Ok, 1));
}

#[test]
fn spawn_does_what_tokio_does_while_a_thread_ends() {
    own_process!();
    let (sender, receiver) = mpsc::channel();
    at_the_end_of_a_thread(move || {
        let text = |call: fn()| {
            let payload = catch_unwind(call).unwrap_err();
            payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| Some((*payload.downcast_ref::<&str>()?).to_owned()))
        };
        let tokio = text(|| drop(tokio::spawn(async {})));
        let headcount = text(|| drop(headcount::task("thread-ends-bare").spawn(async {})));
        sender.send((tokio, headcount)).unwrap();
    });
    let panics: Vec<_> = receiver.iter().collect();
    assert_eq!(panics.len(), 2);
    assert!(panics.iter().all(|(tokio, headcount)| tokio.is_some() && tokio == headcount), "{panics:?}");
    assert_eq!(group("thread-ends-bare").live, 0);
}

tokio::task_local! {
    static REQUEST: u32;
}

#[tokio::test]
async fn task_locals_pass_through() {
    own_process!();
    let inside = REQUEST.scope(7, async { headcount::track(async { REQUEST.get() }).await }).await;
    assert_eq!(inside, 7);
    let spawned = headcount::spawn(REQUEST.scope(8, async { REQUEST.get() }));
    assert_eq!(spawned.await.unwrap(), 8);
    assert!(headcount::spawn(async { REQUEST.try_with(|_| ()).is_err() }).await.unwrap());
}

#[tokio::test]
async fn what_takes_a_future_takes_a_tracked_one() {
    own_process!();
    let mut set = tokio::task::JoinSet::new();
    for number in 0..10 {
        set.spawn(headcount::task("in-a-join-set").track(async move { number }));
    }
    assert_eq!(set.join_all().await.into_iter().sum::<u32>(), 45);
    let unordered: futures_util::stream::FuturesUnordered<_> =
        (0..10).map(|number| headcount::task("unordered").track(async move { number })).collect();
    let sum: u32 = futures_util::StreamExt::collect::<Vec<u32>>(unordered).await.into_iter().sum();
    assert_eq!(sum, 45);
    assert_eq!((group("in-a-join-set").finished.ok, group("unordered").finished.ok), (10, 10));
}

/// The closure's own destructors belong to its task, also if it is never run.
#[test]
fn a_closure_is_dropped_before_its_task_ends() {
    own_process!();
    struct Looks(Arc<Mutex<Option<u64>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(group("closure-dropped").live);
        }
    }
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let looks = Looks(seen.clone());
    let (release, is_released) = mpsc::channel::<()>();
    runtime.block_on(async {
        let first = tokio::task::spawn_blocking(move || is_released.recv());
        let queued = headcount::task("closure-dropped").spawn_blocking(move || drop(looks));
        queued.abort();
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        queued.await.unwrap_err();
    });
    assert_eq!(*seen.lock().unwrap(), Some(1));
    assert_eq!(group("closure-dropped").live, 0);
}

/// What the closures of a runtime hold is dropped with its last handle, which is headcount's.
#[test]
fn a_runtime_that_has_ended_is_forgotten_without_a_lock() {
    own_process!();
    /// Makes a runtime known where it is dropped.
    struct Spawns(tokio::runtime::Handle, std::sync::mpsc::Sender<()>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            drop(headcount::spawn_on(async {}, &self.0));
            let _ = self.1.send(());
        }
    }
    let (sender, is_dropped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let build = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let other = build();
        let spawns = Spawns(other.handle().clone(), sender);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let ends = builder.on_thread_start(move || _ = &spawns).build().unwrap();
        drop(builder);
        // Those that have ended are looked for once many are known.
        for runtime in std::iter::once(ends).chain((0..20).map(|_| build())) {
            runtime.block_on(headcount::spawn_on(async {}, runtime.handle())).unwrap();
        }
        drop(other);
    });
    is_dropped
        .recv_timeout(std::time::Duration::from_secs(30))
        .expect("the thread waits for a lock that it has");
}
