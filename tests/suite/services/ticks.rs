//! When a timer ticks, on a clock that stands still while nothing waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headcount::{NotRunnable, Outcome, ServiceState, every};
use tokio::time::{advance, sleep};

use super::{Runs, secs};
use crate::support::lines::Lines;

#[tokio::test(start_paused = true)]
async fn ticks_are_multiples_of_the_period_and_do_not_drift() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let timer = every(secs(10), "refresh").run(move || {
        counted.note();
        sleep(Duration::from_millis(3_700))
    });
    let timer = timer.unwrap();
    sleep(secs(55)).await;
    assert_eq!(runs.seconds(), [0, 10, 20, 30, 40, 50]);
    let info = timer.info();
    assert_eq!(
        (info.state, info.period, info.next_in),
        (ServiceState::Waiting, Some(secs(10)), Some(secs(5)))
    );
    assert_eq!((info.runs, info.failures, info.skipped, info.overruns), (6, 0, 0, 0));
    assert_eq!(info.last_success, Some(Duration::from_millis(1_300)));
    let snapshot = headcount::snapshot();
    let group = snapshot.groups.iter().find(|group| &*group.name == "refresh").unwrap();
    assert_eq!((group.kind.as_str(), group.finished.ok), ("timer", 6));
}

/// Elsewhere ticks pile up behind a slow run and then come in a burst, or run beside it.
#[tokio::test(start_paused = true)]
async fn runs_never_overlap_and_missed_ticks_are_skipped() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let runs = Runs::new();
    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let factory = {
        let (runs, most) = (runs.clone(), Arc::clone(&most));
        move || {
            let takes = [25, 1, 31, 1, 1][runs.note().min(5) - 1];
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let alive = Arc::clone(&alive);
            async move {
                sleep(secs(takes)).await;
                alive.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    let timer = every(secs(10), "slow").run(factory).unwrap();
    sleep(secs(15)).await;
    let said = lines.take();
    let late = "takes longer than its period of 10s: ticks are skipped until it ends";
    assert_eq!(said.iter().filter(|line| line.contains(late)).count(), 1, "{said:#?}");
    sleep(secs(80)).await;
    assert_eq!(runs.seconds(), [0, 30, 40, 80, 90]);
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert_eq!((timer.info().skipped, timer.info().overruns), (2 + 3, 2));
    // A short run was between the two long ones, so each is told once.
    assert_eq!(lines.take().iter().filter(|line| line.contains(late)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_long_runs_in_a_row_are_told_once() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let timer = every(secs(10), "always-slow").run(|| sleep(secs(11))).unwrap();
    sleep(secs(200)).await;
    assert_eq!((timer.info().overruns, timer.info().skipped), (10, 10));
    assert_eq!(lines.take().iter().filter(|line| line.contains("takes longer")).count(), 1);
}

/// A machine that was suspended, or a runtime that stood still, finds many ticks behind it.
#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_makes_no_burst() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let timer = every(secs(10), "refresh").run(move || {
        counted.note();
        async {}
    });
    let timer = timer.unwrap();
    sleep(secs(5)).await;
    advance(secs(3_600)).await;
    sleep(secs(11)).await;
    assert_eq!(runs.seconds(), [0, 3_605, 3_610]);
    assert_eq!(timer.info().skipped, 359);
}

/// Elsewhere the first panic ends the loop, and nothing says so.
#[tokio::test(start_paused = true)]
async fn no_failure_ends_a_timer() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let factory = move || {
        let number = counted.note();
        assert_ne!(number, 2, "in the factory");
        async move {
            assert_ne!(number, 3, "in the run");
            if number == 4 { Err("no connection") } else { Ok(()) }
        }
    };
    let timer = every(secs(10), "refresh").run(factory).unwrap();
    sleep(secs(35)).await;
    let info = timer.info();
    assert_eq!((info.runs, info.failures, info.failures_in_a_row), (4, 3, 3));
    assert_eq!(info.last_success, Some(secs(35)));
    assert_eq!(info.last.unwrap().message.as_deref(), Some("no connection"));
    sleep(secs(10)).await;
    assert_eq!((timer.info().failures_in_a_row, timer.outcome()), (0, Some(Outcome::Ok)));
    assert_eq!(runs.seconds(), [0, 10, 20, 30, 40]);
}

#[tokio::test(start_paused = true)]
async fn run_now_leaves_the_ticks_where_they_are() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let timer = every(secs(60), "report").run(move || {
        counted.note();
        sleep(secs(5))
    });
    let timer = timer.unwrap();
    sleep(secs(3)).await;
    assert_eq!(timer.run_now(), Err(NotRunnable::Running));
    sleep(secs(20)).await;
    timer.run_now().unwrap();
    sleep(secs(35)).await;
    // This one is alive when the tick at 60 s is due.
    timer.run_now().unwrap();
    sleep(secs(70)).await;
    assert_eq!(runs.seconds(), [0, 23, 58, 120]);
    assert_eq!(timer.info().skipped, 1);
    timer.stop();
    assert_eq!(timer.ended().await, ServiceState::Stopped);
    sleep(secs(600)).await;
    assert_eq!(runs.seconds().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_ticks_by_a_part_of_the_period() {
    own_process!();
    let runs = Runs::new();
    let counted = runs.clone();
    let timer = every(secs(100), "jittery").jitter(0.2).run(move || {
        counted.note();
        async {}
    });
    let _timer = timer.unwrap();
    sleep(secs(40_050)).await;
    let late: Vec<u64> = runs.seconds().iter().map(|second| second % 100).collect();
    assert_eq!(late.len(), 401, "no tick is lost, and none comes twice");
    assert!(late.iter().all(|late| *late <= 20), "{late:?}");
    let early = late.iter().filter(|late| **late < 10).count();
    assert!((120..280).contains(&early), "{early} of 400 in the first half");
}
