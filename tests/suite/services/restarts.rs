//! When a service runs again, on a clock that stands still while nothing waits.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headcount::{Backoff, NotRunnable, Outcome, Restart, ServiceState, service, services};
use tokio::time::{Instant, sleep};

use super::{Runs, secs};
use crate::support::lines::{Lines, matches};

fn doubling() -> Backoff {
    Backoff::exponential(secs(1), secs(60))
}

#[tokio::test(start_paused = true)]
async fn a_failing_service_waits_twice_as_long_each_time() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let runs = Runs::new();
    let fails = {
        let runs = runs.clone();
        move || {
            runs.note();
            async { Err::<(), _>("no connection") }
        }
    };
    let place = format!("{}:{}", file!(), line!() + 1);
    let consumer = service("consumer", fails).restart(Restart::OnFailure, doubling()).spawn().unwrap();
    sleep(secs(100)).await;
    assert_eq!(runs.seconds(), [0, 1, 3, 7, 15, 31, 63]);
    let info = consumer.info();
    assert_eq!((info.state, info.runs, info.restarts), (ServiceState::BackingOff, 7, 7));
    assert_eq!((info.failures, info.failures_in_a_row), (7, 7));
    assert_eq!(info.next_in, Some(secs(63 + 60 - 100)));
    assert_eq!(*info.location, place);
    let last = info.last.unwrap();
    assert_eq!((last.outcome, last.message.as_deref()), (Outcome::Error, Some("no connection")));
    assert_eq!(last.ended_ago, secs(37));
    assert_eq!(consumer.outcome(), Some(Outcome::Error));
    let said = lines.take();
    let line = "WARN headcount::service: consumer ended after ~s (error: no connection): restart 3 in 4.0s";
    assert!(said.iter().any(|said| matches(line, said)), "{said:#?}");
    // Each run is a task with an end of its own.
    let snapshot = headcount::snapshot();
    let group = snapshot.groups.iter().find(|group| &*group.name == "consumer").unwrap();
    assert_eq!((group.kind.as_str(), group.finished.error, group.live), ("service", 7, 0));
    consumer.stop();
    assert_eq!(consumer.ended().await, ServiceState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn jitter_takes_between_half_and_all_of_a_wait() {
    own_process!();
    let starts = Runs::new();
    for _ in 0..200 {
        let (starts, mut first) = (starts.clone(), true);
        let fails = move || {
            if !std::mem::replace(&mut first, false) {
                starts.note();
            }
            async { Err::<(), _>("no") }
        };
        let once = Backoff::constant(secs(100)).jitter();
        service("jittery", fails).restart(Restart::OnFailure, once).spawn().unwrap();
    }
    sleep(secs(101)).await;
    let seconds = starts.seconds();
    let early = seconds.iter().filter(|second| **second < 75).count();
    assert!(seconds.len() == 200 && seconds.iter().all(|second| (50..=100).contains(second)), "{seconds:?}");
    assert!((60..140).contains(&early), "{early} of 200 in the first half");
}

/// Others go on restarting for good, or stop without a word.
#[tokio::test(start_paused = true)]
async fn too_many_restarts_are_an_error_and_the_end() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let runs = Runs::new();
    let counted = runs.clone();
    let fails = move || {
        counted.note();
        async { panic!("no paper") }
    };
    let backoff = doubling().give_up(2, secs(600));
    let printer = service("printer", fails).restart(Restart::Always, backoff).spawn().unwrap();
    assert_eq!(printer.ended().await, ServiceState::Failed);
    assert_eq!(runs.seconds(), [0, 1, 3]);
    let said = lines.take();
    let line = "ERROR headcount::service: printer has failed 3 times in a row and is not restarted (panic: no paper)";
    assert_eq!(said.iter().filter(|said| said.starts_with(line)).count(), 1, "{said:#?}");
    sleep(secs(10_000)).await;
    assert_eq!(runs.seconds().len(), 3);

    // Somebody mended it: it begins again, with as many restarts as before.
    printer.run_now().unwrap();
    sleep(secs(10)).await;
    assert_eq!(runs.seconds().len(), 6);
    assert_eq!(printer.state(), ServiceState::Failed);
}

/// It did what it was to do, each time: it has not failed.
#[tokio::test(start_paused = true)]
async fn a_service_that_returns_too_often_is_not_said_to_fail() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let backoff = doubling().give_up(2, secs(600));
    let poller = service("poller", || async {}).restart(Restart::Always, backoff).spawn().unwrap();
    assert_eq!(poller.ended().await, ServiceState::Failed);
    let said = lines.take();
    let line = "ERROR headcount::service: poller ends too often and is not restarted (it returned)";
    assert_eq!(said.iter().filter(|said| said.starts_with(line)).count(), 1, "{said:#?}");
}

/// The list lets go of services that are over, and this one may go on.
#[tokio::test(start_paused = true)]
async fn a_failed_service_stays_in_the_list_as_long_as_it_can_run_again() {
    own_process!();
    let backoff = || doubling().give_up(1, secs(600));
    let fails = || async { Err::<(), _>("no connection") };
    let consumer = service("consumer", fails).restart(Restart::OnFailure, backoff()).spawn().unwrap();
    assert_eq!(consumer.ended().await, ServiceState::Failed);
    for _ in 0..200 {
        let once = service("once", || async {}).restart(Restart::OnFailure, backoff()).spawn().unwrap();
        once.ended().await;
    }
    assert!(services().iter().any(|service| &*service.name == "consumer"));
    assert!(services().len() < 150, "those that are over are let go of");
    consumer.run_now().unwrap();
    sleep(secs(1)).await;
    assert_eq!(
        consumer.info().restarts,
        services().iter().find(|it| &*it.name == "consumer").unwrap().restarts
    );
}

/// Elsewhere the breaker never closes: whatever succeeded in between, all failures since the start count.
#[tokio::test(start_paused = true)]
async fn a_stable_run_sets_the_count_back() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let fails = move || {
        let lasts = if counted.note() == 3 { 700 } else { 0 };
        async move {
            sleep(secs(lasts)).await;
            Err::<(), _>("no connection")
        }
    };
    let backoff = doubling().give_up(2, secs(600));
    let consumer = service("consumer", fails).restart(Restart::OnFailure, backoff).spawn().unwrap();
    assert_eq!(consumer.ended().await, ServiceState::Failed);
    assert_eq!(runs.seconds(), [0, 1, 3, 704, 706]);
    let info = consumer.info();
    assert_eq!((info.failures, info.failures_in_a_row), (5, 3), "of the long one on");
}

/// Elsewhere the loop around the factory dies with it, and nothing says so.
#[tokio::test(start_paused = true)]
async fn a_factory_that_panics_is_a_failed_run() {
    own_process!();
    let mut calls = 0;
    let factory = move || {
        calls += 1;
        assert!(2 < calls, "not yet");
        pending::<()>()
    };
    let late = service("late", factory).restart(Restart::OnFailure, doubling()).spawn().unwrap();
    sleep(secs(1)).await;
    let last = late.info().last.unwrap();
    assert_eq!((last.outcome, last.message.as_deref()), (Outcome::Panic, Some("not yet")));
    sleep(secs(9)).await;
    assert_eq!((late.state(), late.info().restarts), (ServiceState::Running, 2));
    assert_eq!(headcount::snapshot().finished.panic, 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_returns_is_the_end_unless_it_always_restarts() {
    own_process!();
    let once = service("once", || async {}).spawn().unwrap();
    assert_eq!(once.ended().await, ServiceState::Ended);
    assert_eq!((once.outcome(), once.run_now()), (Some(Outcome::Ok), Err(NotRunnable::Over)));

    let runs = Runs::new();
    let counted = runs.clone();
    let returns = move || {
        counted.note();
        async { Ok::<_, String>(()) }
    };
    let always = service("always", returns).restart(Restart::Always, doubling()).spawn().unwrap();
    sleep(secs(10)).await;
    assert_eq!(runs.seconds(), [0, 1, 3, 7]);
    assert_eq!((always.state(), always.info().failures), (ServiceState::BackingOff, 0));
}

/// An abort from outside is no wish of the service's to end.
#[tokio::test(start_paused = true)]
async fn an_aborted_run_is_a_failed_one() {
    own_process!();
    let consumer =
        service("consumer", pending::<()>).restart(Restart::OnFailure, doubling()).spawn().unwrap();
    sleep(secs(5)).await;
    let id = consumer.info().task.unwrap();
    headcount_core::internal::registry::registry().find(id.get()).unwrap().abort().unwrap();
    sleep(secs(3)).await;
    let info = consumer.info();
    assert_eq!((info.state, info.restarts), (ServiceState::Running, 1));
    assert_eq!((info.running_for, info.last.unwrap().outcome), (Some(secs(2)), Outcome::Cancelled));
    assert_ne!(info.task, Some(id), "each run is a task of its own");
}

#[tokio::test(start_paused = true)]
async fn run_now_ends_a_back_off_and_never_makes_a_second_run() {
    own_process!();
    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (runs, begun) = (Runs::new(), Instant::now());
    let factory = {
        let (runs, alive, most) = (runs.clone(), Arc::clone(&alive), Arc::clone(&most));
        move || {
            runs.note();
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let alive = Arc::clone(&alive);
            async move {
                sleep(secs(10)).await;
                alive.fetch_sub(1, Ordering::SeqCst);
                Err::<(), _>("no connection")
            }
        }
    };
    let backoff = Backoff::constant(secs(3_600));
    let consumer = service("consumer", factory).restart(Restart::OnFailure, backoff).spawn().unwrap();
    sleep(secs(5)).await;
    for _ in 0..3 {
        assert_eq!(consumer.run_now(), Err(NotRunnable::Running));
    }
    sleep(secs(10)).await;
    assert_eq!(consumer.state(), ServiceState::BackingOff);
    for _ in 0..3 {
        consumer.run_now().unwrap();
    }
    sleep(secs(60)).await;
    assert_eq!(runs.seconds(), [0, 15], "three wishes at once are one");
    assert_eq!(most.load(Ordering::SeqCst), 1);
    consumer.stop();
    assert_eq!(consumer.ended().await, ServiceState::Stopped);
    assert_eq!(begun.elapsed().as_secs(), 75, "a back-off ends at once");
    assert_eq!(consumer.run_now(), Err(NotRunnable::Over));
}

#[tokio::test(start_paused = true)]
async fn stopping_drops_the_run() {
    own_process!();
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let consumer = service("consumer", move || {
        let held = Arc::clone(&held);
        async move {
            pending::<()>().await;
            drop(held);
        }
    });
    let consumer = consumer.spawn().unwrap();
    sleep(secs(1)).await;
    assert_eq!(Arc::strong_count(&dropped), 3);
    consumer.stop();
    assert_eq!(consumer.ended().await, ServiceState::Stopped);
    assert_eq!((headcount::snapshot().live, consumer.outcome()), (0, Some(Outcome::Cancelled)));
    // With the supervisor goes the factory.
    while 1 < Arc::strong_count(&dropped) {
        tokio::task::yield_now().await;
    }
}

/// Elsewhere it is gone, and nothing knows.
#[test]
fn a_service_whose_runtime_ends_is_lost_and_said_to_be() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let consumer = service("consumer", pending::<()>).critical().spawn_on(runtime.handle()).unwrap();
    runtime.block_on(tokio::task::yield_now());
    assert_eq!(consumer.state(), ServiceState::Running);
    drop(runtime);
    assert_eq!(consumer.state(), ServiceState::Lost);
    let said = lines.take();
    let lost = "WARN headcount::service: Service consumer is lost: its runtime ended before it was stopped";
    assert!(said.iter().any(|line| line.starts_with(lost)), "{said:#?}");
    let critical = "ERROR headcount::service: Critical service consumer has ended for good (its runtime ended): headcount \
                    is not installed, so nothing stops the process";
    assert!(said.iter().any(|line| line.starts_with(critical)), "{said:#?}");
}

/// The list is bounded, and a supervisor is nothing that is waited for.
#[tokio::test]
async fn the_list_keeps_what_goes_on_and_the_newest_ends() {
    own_process!();
    let stays = service("stays", headcount::draining).spawn().unwrap();
    for number in 0..300 {
        let ends = service(format!("ends-{number}"), || async {}).spawn().unwrap();
        ends.ended().await;
    }
    let all = services();
    assert_eq!(all.len(), 101);
    assert_eq!(all.iter().filter(|service| service.id == stays.id()).count(), 1);
    assert_eq!(&*all[100].name, "ends-299");
    stays.stop();
    stays.ended().await;
    headcount::idle().await;
    assert_eq!(headcount::snapshot().live, 0);
}
