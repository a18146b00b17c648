//! The one clock: raw ticks on the hot path, converted by whoever reads.
//!
//! `quanta` reads the processor's counter, which costs less than half of `Instant::now`. Its first use calibrates that counter
//! against the system's clock, which takes a millisecond, and 200 ms at the very most. So durations may be off by some hundred parts in a million;
//! times of day are not, because the clocks are compared again while the process lives: times follow the wall clock of now.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use crate::lock::Mutex;

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::calibrate);

/// Room for counters of 1 MHz and more, and an error of less than a nanosecond a day.
const FRACTION: u32 = 48;

/// How long a comparison with the system's clock serves.
const COMPARED_EVERY: Duration = Duration::from_secs(1);
/// The most that a comparison may take, or it was interrupted and is worth nothing.
const COMPARED_WITHIN: Duration = Duration::from_micros(20);

/// A wall clock that is off by more has been set, or the machine was suspended.
const STEP: Duration = Duration::from_millis(10);

/// Ticks, and what they are worth.
#[derive(Debug)]
pub struct Clock {
    source: quanta::Clock,
    /// In units of 2^-`FRACTION`: a multiplication and a shift by a constant convert a reading.
    nanos_per_tick: u64,
    origin: u64,
    origin_instant: Instant,
    /// The wall-clock time of `origin`, as the wall clock showed it then.
    first_wall: SystemTime,
    /// The same as the wall clock of now has it.
    origin_wall: Mutex<SystemTime>,
    /// What `nanos_per_tick` is off, a few hundred parts in a million, would be minutes in a month.
    compared: Mutex<Comparison>,
}

/// How many nanoseconds of the system's clock so many ticks took.
#[derive(Clone, Copy, Debug)]
struct Comparison {
    ticks: u64,
    nanos: u64,
    /// The reading from which on it is to be made anew.
    until: u64,
}

impl Comparison {
    fn duration_of(self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * u128::from(self.nanos) / u128::from(self.ticks.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Clock {
    fn calibrate() -> Self {
        let source = quanta::Clock::new();
        let ticks: u64 = 1 << 40;
        let nanos = source.delta_as_nanos(0, ticks);
        let origin = source.raw();
        let first_wall = SystemTime::now();
        let mut clock = Self {
            nanos_per_tick: nanos << (FRACTION - 40),
            origin,
            origin_instant: Instant::now(),
            first_wall,
            origin_wall: Mutex::new(first_wall),
            compared: Mutex::new(Comparison { ticks, nanos, until: 0 }),
            source,
        };
        clock.compared.get_mut().until = origin + clock.ticks_in(COMPARED_EVERY);
        clock
    }

    /// The wall-clock time of a reading, where the wall clock shows `wall` now.
    fn wall(&self, ticks: u64, wall: SystemTime) -> SystemTime {
        let compared = self.compared();
        let now = self.ticks();
        let since_origin = |ticks: u64| compared.duration_of(ticks.saturating_sub(self.origin));
        let mut origin_wall = self.origin_wall.lock();
        let expected = *origin_wall + since_origin(now);
        let (ahead, behind) = (wall.duration_since(expected), expected.duration_since(wall));
        if STEP < ahead.or(behind).unwrap_or_default() {
            *origin_wall = wall.checked_sub(since_origin(now)).unwrap_or(SystemTime::UNIX_EPOCH);
        }
        *origin_wall + since_origin(ticks) - compared.duration_of(self.origin.saturating_sub(ticks))
    }

    /// The newest comparison with the system's clock, over all of the process's life.
    fn compared(&self) -> Comparison {
        let mut compared = self.compared.lock();
        let began = self.ticks();
        if began < compared.until {
            return *compared;
        }
        let elapsed = self.origin_instant.elapsed();
        let now = self.ticks();
        if let (Ok(nanos), true) =
            (u64::try_from(elapsed.as_nanos()), now.saturating_sub(began) < self.ticks_in(COMPARED_WITHIN))
        {
            *compared =
                Comparison { ticks: now - self.origin, nanos, until: now + self.ticks_in(COMPARED_EVERY) };
        }
        *compared
    }

    fn ticks_in(&self, duration: Duration) -> u64 {
        // Nanoseconds that do not fit are more than the life of a process.
        let nanos = duration.as_nanos().min(u128::from(u64::MAX));
        u64::try_from((nanos << FRACTION) / u128::from(self.nanos_per_tick)).unwrap_or(u64::MAX)
    }
}

impl Clock {
    /// The clock of the process, for who keeps it at hand.
    pub fn get() -> &'static Self {
        &CLOCK
    }

    /// Now, in ticks. Never 0.
    #[inline]
    pub fn ticks(&self) -> u64 {
        self.source.raw()
    }

    /// The time between two readings; 0 if they are in the wrong order, which two cores may make of close ones.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "nanoseconds of a process's life fit")]
    pub fn nanos_between(&self, start: u64, end: u64) -> u64 {
        let ticks = u128::from(end.saturating_sub(start));
        ((ticks * u128::from(self.nanos_per_tick)) >> FRACTION) as u64
    }
}

/// Now, in ticks.
pub fn ticks() -> u64 {
    CLOCK.ticks()
}

/// The time between two readings, in nanoseconds.
pub fn nanos_between(start: u64, end: u64) -> u64 {
    CLOCK.nanos_between(start, end)
}

pub fn between(start: u64, end: u64) -> Duration {
    Duration::from_nanos(nanos_between(start, end))
}

/// How many ticks a duration takes; the largest number if it does not fit.
pub fn ticks_in(duration: Duration) -> u64 {
    CLOCK.ticks_in(duration)
}

/// The wall-clock time of a reading: as long before the wall clock of now as the reading is before now.
///
/// It follows a step of the wall clock, and a suspend. Between two steps a reading always has the same time.
pub fn wall(ticks: u64) -> SystemTime {
    CLOCK.wall(ticks, SystemTime::now())
}

/// The same by the calibration and the first wall-clock time alone: two times are as far apart as the duration [`between`] their
/// readings, also across a step. For a client that subtracts times from each other and from durations.
pub fn steady_wall(ticks: u64) -> SystemTime {
    let clock = &*CLOCK;
    clock.first_wall + between(clock.origin, ticks) - between(ticks, clock.origin)
}

#[cfg(all(test, not(headcount_loom)))]
mod tests {
    use super::*;

    /// A clock whose calibration is off by a tenth.
    fn wrong() -> Clock {
        let mut clock = Clock::calibrate();
        clock.nanos_per_tick += clock.nanos_per_tick / 10;
        let compared = clock.compared.get_mut();
        compared.nanos += compared.nanos / 10;
        compared.until = 0;
        clock
    }

    #[test]
    fn the_system_clock_corrects_a_wrong_calibration() {
        let clock = wrong();
        std::thread::sleep(Duration::from_millis(50));
        let compared =
            std::iter::repeat_with(|| clock.compared()).find(|compared| 0 < compared.until).unwrap();
        let before = clock.origin_instant.elapsed();
        let told = compared.duration_of(clock.ticks() - clock.origin);
        let after = clock.origin_instant.elapsed();
        let error = Duration::from_millis(1);
        assert!(
            before <= told + error && told <= after + error,
            "{told:?} is not in {before:?} to {after:?}"
        );
    }

    #[test]
    fn times_follow_a_step_of_the_wall_clock_and_keep_their_distance() {
        let clock = Clock::calibrate();
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        let then = SystemTime::UNIX_EPOCH + hours(400_000);
        let one = clock.ticks();
        let other = one + clock.ticks_in(Duration::from_secs(3));
        for wall in [then, then + hours(8), then - hours(24), then] {
            let at = clock.wall(one, wall);
            let age = wall.duration_since(at).unwrap_or_default();
            assert!(age < Duration::from_secs(1), "{age:?} after {wall:?}");
            let apart = clock.wall(other, wall).duration_since(at).unwrap();
            assert!(apart.abs_diff(Duration::from_secs(3)) < Duration::from_millis(2), "{apart:?}");
        }
    }

    #[test]
    fn a_reading_has_the_same_time_while_the_wall_clock_runs_evenly() {
        let ticks = ticks();
        let first = wall(ticks);
        std::thread::sleep(Duration::from_millis(30));
        assert!(
            wall(ticks).duration_since(first).or_else(|_| first.duration_since(wall(ticks))).unwrap() < STEP
        );
    }

    #[test]
    fn ticks_are_nanoseconds_and_back() {
        for nanos in [0, 1_000, 1_000_000_000, 86_400_000_000_000] {
            let there_and_back = nanos_between(0, ticks_in(Duration::from_nanos(nanos)));
            assert!(
                nanos.abs_diff(there_and_back) <= 1 + nanos / 1_000_000_000,
                "{nanos} became {there_and_back}"
            );
        }
    }
}
