//! When a timer ticks: at multiples of its period since it began, each a random bit later.
//!
//! Ticks are moments of tokio's monotonic clock. A step of the wall clock moves none of them. A machine that
//! was suspended, or a runtime that was blocked, finds many of them behind it: one run begins, and the others
//! are skipped.

use std::time::Duration;

use tokio::time::Instant;

/// A tick further off than that does not come.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The ticks of one timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    period: Duration,
    jitter: f64,
}

/// One tick: its number, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) number: u64,
    pub(super) due: Instant,
}

impl Schedule {
    /// A period of more than 0; a jitter between 0 and 1, as a part of the period.
    pub(super) fn new(start: Instant, period: Duration, jitter: f64) -> Self {
        Self { start, period, jitter }
    }

    /// The first tick: now.
    pub(super) fn first(&self) -> Tick {
        Tick { number: 0, due: self.start }
    }

    /// The first tick behind `last` that is not due yet, and how many in between were missed. `chance` gives
    /// numbers between 0 and 1.
    pub(super) fn after(&self, last: u64, now: Instant, chance: impl Fn() -> f64) -> (Tick, u64) {
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        // The last multiple of the period that has passed; its tick is a bit later and may be ahead.
        let passed = u64::try_from(elapsed / self.period.as_nanos().max(1)).unwrap_or(u64::MAX);
        let first = last.saturating_add(1);
        let tick = |number| Tick { number, due: self.due(number, chance()) };
        let next = Some(tick(first.max(passed))).filter(|tick| now < tick.due);
        let next = next.unwrap_or_else(|| tick(first.max(passed.saturating_add(1))));
        (next, next.number - first)
    }

    fn due(&self, number: u64, chance: f64) -> Instant {
        let late = self.jitter * chance.clamp(0.0, 1.0);
        let late = Duration::try_from_secs_f64(self.period.as_secs_f64() * late).unwrap_or(NEVER);
        let nanos = self.period.as_nanos().saturating_mul(number.into());
        let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        #[allow(clippy::cast_possible_truncation, reason = "less than a second")]
        let whole = Duration::new(seconds, (nanos % 1_000_000_000) as u32).min(NEVER);
        self.start + whole.saturating_add(late).min(NEVER)
    }
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_period_ticks_once() {
        let start = Instant::now();
        let schedule = Schedule::new(start, Duration::MAX, 1.0);
        let (tick, missed) = schedule.after(0, start, || 1.0);
        assert_eq!((tick.number, missed), (1, 0));
        assert_eq!(tick.due, start + NEVER);
        assert_eq!(schedule.after(u64::MAX - 1, start, || 1.0).0.number, u64::MAX);
    }

    #[test]
    fn after_a_suspension_one_tick_is_left() {
        let start = Instant::now();
        let schedule = Schedule::new(start, Duration::from_secs(10), 0.0);
        let (tick, missed) = schedule.after(3, start + Duration::from_secs(3_605), || 0.0);
        assert_eq!((tick.number, missed), (361, 357));
        assert_eq!(tick.due, start + Duration::from_secs(3_610));
    }

    proptest! {
        /// Runs of any length: each tick is either run or skipped, none twice, and none is ever due before
        /// the run before it ended.
        #[test]
        fn every_tick_is_run_or_skipped(
            period in 1_u64..500,
            jitter in 0.0..=1.0_f64,
            runs in prop::collection::vec((0_u64..2_000, 0.0..=1.0_f64), 1..50),
        ) {
            let (start, period) = (Instant::now(), Duration::from_millis(period));
            let schedule = Schedule::new(start, period, jitter);
            let (mut tick, mut skipped, mut run) = (schedule.first(), 0, 0);
            for (takes, chance) in runs {
                let grid = start + period * u32::try_from(tick.number).unwrap();
                prop_assert!(grid <= tick.due && tick.due <= grid + period.mul_f64(jitter + 1e-6));
                run += 1;
                let ended = tick.due + Duration::from_millis(takes);
                let (next, missed) = schedule.after(tick.number, ended, || chance);
                prop_assert!(ended < next.due, "no two runs overlap");
                prop_assert!(next.due <= ended + period * 2, "none is skipped that could have run");
                skipped += missed;
                tick = next;
                prop_assert_eq!(tick.number, run + skipped);
            }
        }
    }
}
