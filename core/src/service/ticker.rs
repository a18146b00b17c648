//! The loop around the runs of a timer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::registry::kind::TIMER;
use crate::service::info::ServiceState;
use crate::service::record::Supervised;
use crate::service::run::{RunOutput, Runs};
use crate::service::schedule::Schedule;
use crate::service::supervisor::{Woken, chance};
use crate::service::words;

/// Runs a timer until it is stopped. One run at a time: the next wait begins when a run has ended.
pub(super) async fn tick<F, R>(supervised: Supervised, runs: Runs<F>, period: Duration, jitter: f64)
where
    F: FnMut() -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: RunOutput,
{
    let record = Arc::clone(&supervised.0);
    let schedule = Schedule::new(Instant::now(), period, jitter);
    let mut tick = schedule.first();
    // Whether a run took longer than the period, and none has been short enough since.
    let mut told = false;
    loop {
        record.waits(ServiceState::Waiting, Some(tick.due));
        let woken = record.wait(Some(tick.due)).await;
        if woken == Woken::Stop {
            break;
        }
        let (run, mut begun) = runs.begin::<TIMER>();
        record.began(run);
        let task = run.map(|run| run.task);
        let mut is_long = false;
        let mut tell = || {
            is_long = true;
            record.count_overrun();
            if !std::mem::replace(&mut told, true) {
                words::overruns(&record, task, period);
            }
        };
        record.watch(&mut begun, Some((period, &mut tell))).await;
        if !is_long {
            told = false;
        }
        let now = Instant::now();
        // A run that was asked for leaves the next tick where it is, unless that has passed.
        if woken == Woken::Time || tick.due <= now {
            let (next, missed) = schedule.after(tick.number, now, chance);
            record.count_skipped(missed + u64::from(woken == Woken::Wanted));
            tick = next;
        }
        if record.is_stopping() {
            break;
        }
    }
    record.ends(ServiceState::Stopped);
}
