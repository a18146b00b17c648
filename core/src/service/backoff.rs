//! When a service that ended runs again, and when no restart follows.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// After which ends a service runs again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Restart {
    /// After a run with any outcome but `ok`. A run that returns is the end of the service.
    #[default]
    OnFailure,
    /// After every run.
    Always,
}

crate::named::named!(Restart { OnFailure => "on_failure", Always => "always" });

/// How long a service waits between two runs, and how many restarts are too many.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// use std::time::Duration;
/// use headcount::Backoff;
///
/// // 1 s, 2 s, 4 s … up to a minute, each between half and all of that; at most 5 restarts in 10 minutes.
/// let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60))
///     .jitter()
///     .give_up(5, Duration::from_secs(600));
/// # let _ = backoff;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    min: Duration,
    max: Duration,
    jitter: bool,
    give_up: Option<(u32, Duration)>,
    stable_after: Option<Duration>,
}

impl Backoff {
    /// Waits `min` before the first restart, and twice as long before each further one, up to `max`.
    pub const fn exponential(min: Duration, max: Duration) -> Self {
        Self { min, max, jitter: false, give_up: None, stable_after: None }
    }

    /// Waits equally long before each restart.
    pub const fn constant(delay: Duration) -> Self {
        Self::exponential(delay, delay)
    }

    /// Takes a random part of each wait, between half and all of it, so that many processes do not come back
    /// at once. Off by default.
    pub const fn jitter(mut self) -> Self {
        self.jitter = true;
        self
    }

    /// Stops restarting where more than `restarts` restarts would be needed within `window`: the service has
    /// [failed](crate::ServiceState::Failed). By default there is no such bound.
    pub const fn give_up(mut self, restarts: u32, window: Duration) -> Self {
        self.give_up = Some((restarts, window));
        self
    }

    /// How long a run lasts that counts as stable: it sets waits and restarts back to the beginning.
    ///
    /// By default as long as the window of [`give_up`](Self::give_up), or else as the longest wait.
    pub const fn stable_after(mut self, run: Duration) -> Self {
        self.stable_after = Some(run);
        self
    }

    /// What is wrong with it, if anything is.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.give_up {
            _ if self.min.is_zero() => Err("a back-off of 0 would restart without a pause"),
            _ if self.max < self.min => Err("the longest wait of a back-off is shorter than the first"),
            Some((_, window)) if window.is_zero() => Err("a window of 0 holds no restart"),
            _ => Ok(()),
        }
    }

    pub(super) fn stable(&self) -> Duration {
        let window = self.give_up.map(|(_, window)| window);
        self.stable_after.or(window).unwrap_or(self.max)
    }
}

/// A second, twice as long each time, a minute at the most; with jitter, and without a bound on restarts.
impl Default for Backoff {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1), Duration::from_secs(60)).jitter()
    }
}

/// The restarts of one service.
#[derive(Debug)]
pub(super) struct Restarts {
    backoff: Backoff,
    /// Since the last stable run.
    count: u32,
    /// Those that the window may hold.
    recent: VecDeque<Instant>,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A restart, so long after the run.
    After(Duration),
    GiveUp,
}

impl Restarts {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, count: 0, recent: VecDeque::new() }
    }

    /// What comes after a run that lasted so long and ended now. `chance` is between 0 and 1.
    pub(super) fn next(&mut self, lasted: Duration, now: Instant, chance: f64) -> Next {
        if self.backoff.stable() <= lasted {
            self.reset();
        }
        if let Some((restarts, window)) = self.backoff.give_up {
            while self.recent.front().is_some_and(|at| window <= now.saturating_duration_since(*at)) {
                self.recent.pop_front();
            }
            if restarts as usize <= self.recent.len() {
                return Next::GiveUp;
            }
            self.recent.push_back(now);
        }
        let delay = self.delay();
        self.count = self.count.saturating_add(1);
        Next::After(if self.backoff.jitter {
            delay.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
        } else {
            delay
        })
    }

    /// Counts from zero.
    pub(super) fn reset(&mut self) {
        self.count = 0;
        self.recent.clear();
    }

    /// The longest wait before the next restart.
    fn delay(&self) -> Duration {
        let factor = 2_u32.checked_pow(self.count).unwrap_or(u32::MAX);
        self.backoff.min.saturating_mul(factor).min(self.backoff.max)
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(backoff: Backoff, count: usize) -> Vec<u64> {
        let (mut restarts, now) = (Restarts::new(backoff), Instant::now());
        let wait = |_| match restarts.next(Duration::ZERO, now, 1.0) {
            Next::After(delay) => delay.as_secs(),
            Next::GiveUp => 0,
        };
        (0..count).map(wait).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(waits(Backoff::exponential(SECOND, 60 * SECOND), 9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(waits(Backoff::constant(SECOND), 3), [1, 1, 1]);
        assert_eq!(waits(Backoff::exponential(SECOND, Duration::MAX), 80).last(), Some(&u64::from(u32::MAX)));
    }

    /// Others count all restarts since the start of the process, so that a service that fails once a day is
    /// gone after a week; or they never count from zero after a success, so that the breaker never closes.
    #[test]
    fn a_stable_run_sets_the_count_back() {
        let backoff = Backoff::exponential(SECOND, 60 * SECOND).give_up(2, 600 * SECOND);
        let (mut restarts, now) = (Restarts::new(backoff), Instant::now());
        let short = SECOND;
        assert_eq!(restarts.next(short, now, 1.0), Next::After(SECOND));
        assert_eq!(restarts.next(short, now, 1.0), Next::After(2 * SECOND));
        assert_eq!(restarts.next(600 * SECOND, now, 1.0), Next::After(SECOND), "it was stable");
        assert_eq!(restarts.next(short, now, 1.0), Next::After(2 * SECOND));
        assert_eq!(restarts.next(short, now, 1.0), Next::GiveUp);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(Backoff::exponential(Duration::ZERO, SECOND).check().is_err());
        assert!(Backoff::exponential(2 * SECOND, SECOND).check().is_err());
        assert!(Backoff::default().give_up(1, Duration::ZERO).check().is_err());
        assert!(Backoff::default().give_up(0, SECOND).check().is_ok());
    }

    proptest! {
        #[test]
        fn no_window_holds_more_restarts_than_allowed(
            allowed in 0_u32..6,
            window in 1_u64..100,
            min in 1_u64..20,
            runs in prop::collection::vec((0_u64..40, 0.0..=1.0_f64), 1..60),
        ) {
            let window = Duration::from_secs(window);
            let backoff = Backoff::exponential(Duration::from_secs(min), Duration::from_secs(30)).jitter();
            // A stable run would set the count back; no run here is that long.
            let backoff = backoff.give_up(allowed, window).stable_after(Duration::MAX);
            let (mut restarts, mut now, mut at) = (Restarts::new(backoff), Instant::now(), Vec::new());
            for (lasted, chance) in runs {
                let lasted = Duration::from_secs(lasted);
                now += lasted;
                let within = at.iter().filter(|at| now.duration_since(**at) < window).count();
                match restarts.next(lasted, now, chance) {
                    Next::GiveUp => {
                        prop_assert_eq!(within, allowed as usize);
                        break;
                    }
                    Next::After(delay) => {
                        prop_assert!(within < allowed as usize);
                        let full = Duration::from_secs(min).saturating_mul(1 << at.len().min(20));
                        let full = full.min(Duration::from_secs(30));
                        prop_assert!(full.mul_f64(0.499) <= delay && delay <= full);
                        at.push(now);
                        now += delay;
                    }
                }
            }
        }
    }
}
