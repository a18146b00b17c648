//! The loop around the runs of a service, and the waits that it shares with that of a timer.

use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::lifecycle::gates;
use crate::outcome::Outcome;
use crate::registry::kind::SERVICE;
use crate::registry::registry;
use crate::registry::wait::Admit;
use crate::service::backoff::{Backoff, Next, Restart, Restarts};
use crate::service::info::ServiceState;
use crate::service::record::{Ended, Record, Supervised};
use crate::service::run::{Begun, RunOutput, Runs};
use crate::service::words;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Its time is over.
    Time,
    /// A run is wanted now.
    Wanted,
    /// It is to stop, or the process drains.
    Stop,
}

/// A random number between 0 and 1.
pub(super) fn chance() -> f64 {
    // Each of these has a key of its own.
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

impl Record {
    pub(super) fn is_stopping(&self) -> bool {
        // Tasks of `Cancel` are aborted between the two: that is no failure of theirs.
        let stops = gates().draining.is_open() || registry().admission.current() != Admit::Open;
        self.stop.is_open() || stops
    }

    /// Waits until a moment, or for good.
    pub(super) async fn wait(&self, until: Option<Instant>) -> Woken {
        let mut time = pin!(until.map(sleep_until));
        let mut stop = pin!(self.stop.opened());
        let mut drain = pin!(gates().draining.opened());
        loop {
            let mut wanted = pin!(self.wanted.notified());
            let woken = poll_fn(|context| {
                if stop.as_mut().poll(context).is_ready() || drain.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Woken::Stop);
                }
                if wanted.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Woken::Wanted);
                }
                match time.as_mut().as_pin_mut() {
                    Some(time) => time.poll(context).map(|()| Woken::Time),
                    None => Poll::Pending,
                }
            });
            let woken = woken.await;
            // The wish may be one that the last run has fulfilled.
            if woken != Woken::Wanted || self.takes_wish() {
                return woken;
            }
        }
    }

    /// Waits for the end of a run. `overdue` is called once, if it takes longer than the time given with it.
    pub(super) async fn watch(
        &self,
        run: &mut Begun,
        overdue: Option<(Duration, &mut (dyn FnMut() + Send))>,
    ) -> Ended {
        let mut overdue = overdue;
        let limit = overdue.as_ref().and_then(|(after, _)| run.at.checked_add(*after));
        let mut late = pin!(limit.map(sleep_until));
        let mut stop = pin!(self.stop.opened());
        let mut stopped = false;
        let joined = poll_fn(|context| {
            if let Poll::Ready(joined) = std::pin::Pin::new(&mut run.handle).poll(context) {
                return Poll::Ready(joined);
            }
            if !stopped && stop.as_mut().poll(context).is_ready() {
                stopped = true;
                run.handle.abort();
            }
            if let Some(timer) = late.as_mut().as_pin_mut().filter(|_| overdue.is_some()) {
                if timer.poll(context).is_ready() {
                    if let Some((_, tell)) = overdue.take() {
                        tell();
                    }
                }
            }
            Poll::Pending
        });
        let joined = joined.await;
        let ended = run.ended(joined);
        self.run_ended(ended.clone());
        ended
    }
}

/// Runs a service until it has ended.
pub(super) async fn supervise<F, R>(supervised: Supervised, runs: Runs<F>, restart: Restart, backoff: Backoff)
where
    F: FnMut() -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: RunOutput,
{
    let record = Arc::clone(&supervised.0);
    let mut restarts = Restarts::new(backoff);
    while !record.is_stopping() {
        let (run, mut begun) = runs.begin::<SERVICE>();
        record.began(run);
        let ended = record.watch(&mut begun, None).await;
        // A run may follow the request while the stop is announced.
        let has_followed = ended.outcome == Outcome::Ok && gates().is_requested();
        if record.is_stopping() || has_followed {
            break;
        }
        if ended.outcome == Outcome::Ok && restart == Restart::OnFailure {
            return record.ends_for_good(ServiceState::Ended, &words::how(&ended), words::briefly(&ended));
        }
        match restarts.next(ended.took, Instant::now(), chance()) {
            Next::After(delay) => {
                let number = record.count_restart();
                words::restarts(&record, &ended, delay, number);
                let until = Instant::now().checked_add(delay);
                record.waits(ServiceState::BackingOff, until);
                record.wait(until).await;
            }
            Next::GiveUp => {
                give_up(&record, &ended);
                // It begins again only if it is asked to.
                if record.wait(None).await == Woken::Wanted {
                    record.count_restart();
                    restarts.reset();
                }
            }
        }
    }
    if record.state() != ServiceState::Failed {
        record.ends(ServiceState::Stopped);
    }
}

fn give_up(record: &Record, ended: &Ended) {
    words::failed(record, ended, record.info().failures_in_a_row);
    record.ends_for_good(ServiceState::Failed, &words::how(ended), words::briefly(ended));
}
