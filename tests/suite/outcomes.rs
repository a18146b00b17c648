//! Each way for a task to end, and what the registry makes of it.

use std::future::pending;
use std::time::Duration;

use headcount::OnShutdown;
use headcount::snapshot::{
    FinishedQuery, FinishedTask, GroupInfo, Kind, Outcome, State, TaskInfo, TaskLookup, TaskQuery,
};
use tokio::sync::oneshot;

fn group(name: &str) -> GroupInfo {
    let groups = headcount::snapshot().groups;
    groups.into_iter().find(|group| &*group.name == name).unwrap_or_else(|| panic!("no group {name}"))
}

fn last(name: &str) -> FinishedTask {
    let query = FinishedQuery::default().name(name);
    headcount::snapshot::finished(&query)
        .unwrap()
        .items
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("no task {name}"))
}

fn live(name: &str) -> Vec<TaskInfo> {
    let query = TaskQuery::default().name(name);
    headcount::snapshot::tasks(&query).unwrap().items
}

#[track_caller]
fn assert_ended(name: &str, outcome: Outcome) {
    let group = group(name);
    assert_eq!((group.spawned, group.live), (1, 0), "{name}");
    assert_eq!(group.finished.total(), 1, "{name}");
    assert_eq!(group.finished.get(outcome), 1, "{name}: {:?}", group.finished);
    let counted: u64 = group.durations.buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!(counted, 1, "{name}");
    assert_eq!(last(name).outcome, outcome, "{name}");
    assert!(live(name).is_empty(), "{name}");
}

#[tokio::test]
async fn ready_is_ok() {
    own_process!();
    let handle = headcount::task("ready").spawn(async { 7 });
    assert_eq!(handle.await.unwrap(), 7);
    assert_ended("ready", Outcome::Ok);
}

#[tokio::test]
async fn err_is_error_with_its_text() {
    own_process!();
    let handle = headcount::task("fallible").spawn_fallible(async { Err::<(), _>("no such order") });
    assert_eq!(handle.await.unwrap(), Err("no such order"));
    assert_ended("fallible", Outcome::Error);
    assert_eq!(last("fallible").message.as_deref(), Some("no such order"));
    assert_eq!(group("fallible").last_failure.unwrap().message.as_deref(), Some("no such order"));
}

#[tokio::test]
async fn a_panic_is_counted_and_passed_on() {
    own_process!();
    let handle = headcount::task("panics").spawn(async { panic!("boom {}", 1) });
    let error = handle.await.unwrap_err();
    assert!(error.is_panic() && error.to_string().contains("boom 1"), "{error}");
    assert_ended("panics", Outcome::Panic);
    assert_eq!(last("panics").message.as_deref(), Some("boom 1"));
}

#[tokio::test]
async fn aborted_before_its_first_poll_is_cancelled() {
    own_process!();
    let handle = headcount::task("unpolled").spawn(pending::<()>());
    assert_eq!(live("unpolled")[0].state, State::Queued);
    handle.abort();
    assert!(handle.await.unwrap_err().is_cancelled());
    assert_ended("unpolled", Outcome::Cancelled);
    assert_eq!(last("unpolled").task.polls, 0);
}

#[tokio::test]
async fn aborted_later_is_cancelled() {
    own_process!();
    let (started, has_started) = oneshot::channel();
    let handle = headcount::task("aborted-later").spawn(async move {
        started.send(()).unwrap();
        pending::<()>().await;
    });
    has_started.await.unwrap();
    handle.abort();
    assert!(handle.await.unwrap_err().is_cancelled());
    assert_ended("aborted-later", Outcome::Cancelled);
    assert_eq!(last("aborted-later").task.polls, 1);
}

#[test]
fn dropped_with_its_runtime_is_cancelled() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    headcount::task("runtime-dropped").spawn_on(pending::<()>(), runtime.handle());
    assert_eq!(group("runtime-dropped").live, 1);
    drop(runtime);
    assert_ended("runtime-dropped", Outcome::Cancelled);
}

#[test]
fn spawned_on_a_runtime_that_is_gone_is_cancelled() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    headcount::task("runtime-gone").spawn_on(async {}, &handle);
    assert_ended("runtime-gone", Outcome::Cancelled);
}

#[tokio::test]
async fn dropped_with_its_local_set_is_cancelled() {
    own_process!();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            headcount::task("local-dropped").spawn_local(pending::<()>());
        })
        .await;
    assert_eq!(live("local-dropped")[0].kind, Kind::Local);
    drop(local);
    assert_ended("local-dropped", Outcome::Cancelled);
}

#[tokio::test]
async fn lost_in_a_select_is_cancelled() {
    own_process!();
    tokio::select! {
        biased;
        () = headcount::task("select-loser").track(pending()) => unreachable!(),
        () = async {} => {}
    }
    assert_ended("select-loser", Outcome::Cancelled);
}

#[tokio::test]
async fn a_leaked_handle_changes_nothing() {
    own_process!();
    let (done, is_done) = oneshot::channel();
    std::mem::forget(headcount::task("leaked-handle").spawn(async move { done.send(()).unwrap() }));
    is_done.await.unwrap();
    // The channel is written inside the last poll; the task has ended once another one has run on this
    // thread.
    tokio::task::yield_now().await;
    assert_ended("leaked-handle", Outcome::Ok);
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[tokio::test]
async fn a_destructor_that_panics_in_a_poll_is_a_panic() {
    own_process!();
    let handle = headcount::task("drop-in-poll").spawn(async { drop(PanicsWhenDropped) });
    assert!(handle.await.unwrap_err().is_panic());
    assert_ended("drop-in-poll", Outcome::Panic);
}

/// As what a timeout gave up, which it keeps until it is dropped itself.
#[tokio::test(start_paused = true)]
async fn a_task_lives_until_what_it_kept_is_dropped() {
    own_process!();
    struct Look(Option<oneshot::Sender<usize>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.take().unwrap().send(live("gives-up").len()).unwrap();
        }
    }
    let (sender, seen) = oneshot::channel();
    let look = Look(Some(sender));
    let work = async move {
        let _look = look;
        pending::<()>().await;
    };
    let handle = headcount::task("gives-up").spawn(tokio::time::timeout(Duration::from_secs(1), work));
    handle.await.unwrap().unwrap_err();
    assert_ended("gives-up", Outcome::Ok);
    assert_eq!(seen.await.unwrap(), 1);
}

#[tokio::test]
async fn a_destructor_that_panics_when_ready_changes_nothing() {
    own_process!();
    let guard = PanicsWhenDropped;
    let handle = headcount::task("drop-ready").spawn(std::future::poll_fn(move |_| {
        let _ = &guard;
        std::task::Poll::Ready(())
    }));
    assert!(handle.await.unwrap_err().is_panic());
    assert_ended("drop-ready", Outcome::Ok);
}

#[tokio::test]
async fn a_destructor_that_panics_when_aborted_is_cancelled() {
    own_process!();
    let guard = PanicsWhenDropped;
    let handle = headcount::task("drop-aborted").spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    tokio::task::yield_now().await;
    handle.abort();
    assert!(handle.await.is_err());
    assert_ended("drop-aborted", Outcome::Cancelled);
}

#[tokio::test]
async fn blocking_is_queued_running_and_ended() {
    own_process!();
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = oneshot::channel();
    let handle = headcount::task("closure").spawn_blocking(move || {
        started.send(()).unwrap();
        is_released.recv().unwrap();
        "done"
    });
    has_started.await.unwrap();
    let task = &live("closure")[0];
    assert_eq!((task.state, task.kind, task.cancellable), (State::Running, Kind::Blocking, false));
    release.send(()).unwrap();
    assert_eq!(handle.await.unwrap(), "done");
    assert_ended("closure", Outcome::Ok);
}

#[tokio::test]
async fn a_blocking_panic_is_a_panic() {
    own_process!();
    let handle = headcount::task("closure-panics").spawn_blocking(|| panic!("in a closure"));
    assert!(handle.await.unwrap_err().is_panic());
    assert_ended("closure-panics", Outcome::Panic);
    assert_eq!(last("closure-panics").message.as_deref(), Some("in a closure"));
}

#[test]
fn a_closure_that_never_ran_is_cancelled() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        // Takes the only thread of the pool.
        let first = tokio::task::spawn_blocking(move || is_released.recv());
        let queued = headcount::task("closure-queued").spawn_blocking(|| unreachable!("it was aborted"));
        let task = &live("closure-queued")[0];
        assert_eq!((task.state, task.cancellable), (State::Queued, true));
        queued.abort();
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert!(queued.await.unwrap_err().is_cancelled());
    });
    assert_ended("closure-queued", Outcome::Cancelled);
}

#[tokio::test]
async fn from_inside_a_task_says_what_it_does() {
    own_process!();
    let (ready, is_ready) = oneshot::channel();
    let (finish, is_finished) = oneshot::channel::<()>();
    let handle = headcount::task("speaks").field("order", 42).spawn(async move {
        fn deep(done: u64) {
            headcount::current().unwrap().set_progress(done, 10);
        }
        let task = headcount::current().unwrap();
        task.set_status("batch 1/10");
        tokio::task::yield_now().await;
        task.set_status("batch 3/10");
        task.set_field("order", 43);
        task.set_field("user", "ada");
        deep(3);
        let child = headcount::task("spoken-to").spawn(async {});
        child.await.unwrap();
        ready.send(task.id()).unwrap();
        is_finished.await.unwrap();
    });
    let id = is_ready.await.unwrap();
    let details = headcount::snapshot::task(id).unwrap();
    let TaskLookup::Live(task) = details.task else { panic!("not live") };
    assert_eq!(task.status.as_deref(), Some("batch 3/10"));
    assert_eq!(details.statuses.len(), 2);
    let progress = task.progress.unwrap();
    assert_eq!((progress.done, progress.total), (3, 10));
    assert_eq!(task.fields, [("order".into(), "43".to_owned()), ("user".into(), "ada".to_owned())]);
    assert_eq!(last("spoken-to").task.parent, Some(id));
    finish.send(()).unwrap();
    handle.await.unwrap();
    let TaskLookup::Finished(finished) = headcount::snapshot::task(id).unwrap().task else {
        panic!("not finished")
    };
    assert_eq!(finished.task.status.as_deref(), Some("batch 3/10"));
}

#[tokio::test]
async fn a_current_task_outlived_does_nothing() {
    own_process!();
    let handle = headcount::task("outlived").spawn(async { headcount::current().unwrap() });
    let task = handle.await.unwrap();
    task.set_status("too late");
    task.set_progress(1, 2);
    task.set_field("a", "b");
    assert_eq!(task.name(), None);
    let TaskLookup::Finished(finished) = headcount::snapshot::task(task.id()).unwrap().task else { panic!() };
    assert_eq!(finished.task.status, None);
}

#[tokio::test]
async fn policy_and_grace_are_kept() {
    own_process!();
    let handle = headcount::task("gracious")
        .on_shutdown(OnShutdown::Last)
        .grace(Duration::from_secs(3))
        .spawn(pending::<()>());
    let task = &live("gracious")[0];
    assert_eq!((task.on_shutdown, task.grace), (OnShutdown::Last, Some(Duration::from_secs(3))));
    handle.abort();
}
