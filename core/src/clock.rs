//! The one clock: raw ticks on the hot path, converted where they are read.
//!
//! A tick is one of the processor's counter, in one inlined instruction: less than half of what
//! `Instant::now` costs. The first use asks whether that counter serves as a clock, and compares it with the
//! system's clock for a millisecond. So durations may be off by some hundred parts in a million. Times of day
//! are not, since the two clocks are compared again while the process lives, and times follow the wall clock
//! of now. Without such a counter a tick is a nanosecond of the system's clock, and tasks take the [whole
//! way](crate::registry).

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::lock::Mutex;

static CLOCK: LazyLock<Clock> = LazyLock::new(|| {
    let clock = Clock::calibrate();
    NANOS_PER_TICK.0.store(clock.nanos_per_tick, Ordering::Relaxed);
    clock
});

/// Room for counters of 1 MHz and more, and an error of less than a nanosecond a day.
const FRACTION: u32 = 48;

/// How long the counter is compared with the system's clock before its first use.
const CALIBRATED_FOR: Duration = Duration::from_millis(1);
/// How often both clocks are read to find two readings of the same moment.
const READINGS: usize = 8;

/// How long a comparison with the system's clock serves.
const COMPARED_EVERY: Duration = Duration::from_secs(1);
/// The most that a comparison may take, or it was interrupted and is worth nothing.
const COMPARED_WITHIN: Duration = Duration::from_micros(20);

/// A wall clock that is off by more has been set, or the machine was suspended.
const STEP: Duration = Duration::from_millis(10);

/// Where ticks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The processor's counter.
    Counter,
    /// The system's clock, in nanoseconds since this moment.
    System(Instant),
}

impl Source {
    /// The counter, if processor and system say that it runs at one rate and is the same on all cores.
    fn best() -> Self {
        let counts = headcount_tick::is_constant() && system_trusts_counter();
        if counts { Self::Counter } else { Self::System(Instant::now()) }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "nanoseconds of a process's life fit")]
    fn ticks(self) -> u64 {
        match self {
            Self::Counter => headcount_tick::now(),
            // No reading is 0.
            Self::System(origin) => origin.elapsed().as_nanos() as u64 + 1,
        }
    }

    /// Nanoseconds of a tick in units of 2^-[`FRACTION`].
    fn nanos_per_tick(self) -> u64 {
        let Self::Counter = self else { return 1 << FRACTION };
        let (first, began) = self.both();
        let (last, ended) = loop {
            let (last, ended) = self.both();
            if CALIBRATED_FOR <= ended - began && first < last {
                break (last, ended);
            }
        };
        let per_tick = ((ended - began).as_nanos() << FRACTION) / u128::from(last - first);
        u64::try_from(per_tick).unwrap_or(u64::MAX).max(1)
    }

    /// Readings of both clocks that are as close as possible.
    fn both(self) -> (u64, Instant) {
        let read = || {
            let (before, instant, after) = (self.ticks(), Instant::now(), self.ticks());
            (after.saturating_sub(before), before, instant)
        };
        let best = (0..READINGS).map(|_| read()).min_by_key(|(gap, ..)| *gap);
        let (gap, before, instant) = best.expect("there are readings");
        (before + gap / 2, instant)
    }
}

/// Linux watches the counter, and takes it off its list of clocks where cores disagree or it does not run
/// evenly.
#[cfg(target_os = "linux")]
fn system_trusts_counter() -> bool {
    const CLOCKS: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    // Other processors than x86 have another name for it, and cannot do without.
    !cfg!(target_arch = "x86_64")
        || std::fs::read_to_string(CLOCKS)
            .is_ok_and(|clocks| clocks.split_whitespace().any(|clock| clock == "tsc"))
}

#[cfg(not(target_os = "linux"))]
fn system_trusts_counter() -> bool {
    true
}

/// Ticks, and what they are worth.
#[derive(Debug)]
pub struct Clock {
    source: Source,
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
    /// From this reading on, the comparison must be made again.
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
        let source = Source::best();
        let nanos_per_tick = source.nanos_per_tick();
        let ticks: u64 = 1 << 40;
        let nanos = (u128::from(ticks) * u128::from(nanos_per_tick)) >> FRACTION;
        let (origin, origin_instant) = source.both();
        let first_wall = SystemTime::now();
        let mut clock = Self {
            nanos_per_tick,
            origin,
            origin_instant,
            first_wall,
            origin_wall: Mutex::new(first_wall),
            compared: Mutex::new(Comparison {
                ticks,
                nanos: u64::try_from(nanos).unwrap_or(u64::MAX),
                until: 0,
            }),
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
    /// The clock of the process, for callers that keep a reference to it.
    pub fn get() -> &'static Self {
        &CLOCK
    }

    /// Now, in ticks. Never 0.
    #[inline]
    pub fn ticks(&self) -> u64 {
        self.source.ticks()
    }

    /// The time between two readings; 0 if they are in the wrong order, which two cores may make of close
    /// ones.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "nanoseconds of a process's life fit")]
    pub fn nanos_between(&self, start: u64, end: u64) -> u64 {
        let ticks = u128::from(end.saturating_sub(start));
        ((ticks * u128::from(self.nanos_per_tick)) >> FRACTION) as u64
    }
}

/// [`nanos_per_tick`](Clock::nanos_per_tick) of the process's clock, once that was read. Threads read it at a
/// high rate, so nothing that is written shares its cache line.
#[repr(align(128))]
struct Line(AtomicU64);

static NANOS_PER_TICK: Line = Line(AtomicU64::new(0));

/// Whether ticks are the processor's [`counter`].
pub fn is_counter() -> bool {
    CLOCK.source == Source::Counter
}

/// Now, in ticks, where [`is_counter`].
#[inline]
pub fn counter() -> u64 {
    headcount_tick::now()
}

/// [`nanos_between`] two readings that were made before: it need not make sure of the clock.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "nanoseconds of a process's life fit")]
pub fn nanos_between_known(start: u64, end: u64) -> u64 {
    let ticks = u128::from(end.saturating_sub(start));
    ((ticks * u128::from(NANOS_PER_TICK.0.load(Ordering::Relaxed))) >> FRACTION) as u64
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

/// The same by the calibration and the first wall-clock time alone: two times are as far apart as the
/// duration [`between`] their readings, also across a step. For a client that subtracts times from each other
/// and from durations.
pub fn steady_wall(ticks: u64) -> SystemTime {
    let clock = &*CLOCK;
    clock.first_wall + between(clock.origin, ticks) - between(ticks, clock.origin)
}

/// Whether tokio's clock stands still, as `#[tokio::test(start_paused = true)]` has it. Takes 0.2 ms where
/// that may be.
pub fn is_tokio_paused() -> bool {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    if !matches!(flavor, Ok(RuntimeFlavor::CurrentThread)) {
        return false;
    }
    let (real, tokio) = (Instant::now(), tokio::time::Instant::now());
    while real.elapsed() < Duration::from_micros(200) {
        std::hint::spin_loop();
    }
    tokio.elapsed().is_zero()
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
        let converted = compared.duration_of(clock.ticks() - clock.origin);
        let after = clock.origin_instant.elapsed();
        let error = Duration::from_millis(1);
        assert!(
            before <= converted + error && converted <= after + error,
            "{converted:?} is not in {before:?} to {after:?}"
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
            // A busy machine may keep this thread between the two.
            let mut tries = (0..100).map(|_| {
                let at = clock.wall(one, wall);
                let age = wall.duration_since(at).unwrap_or_default();
                assert!(age < Duration::from_secs(60), "{age:?} after {wall:?}");
                clock.wall(other, wall).duration_since(at).unwrap_or_default()
            });
            let three = Duration::from_secs(3);
            assert!(tries.any(|apart| apart.abs_diff(three) < Duration::from_millis(2)), "after {wall:?}");
        }
    }

    #[test]
    fn a_reading_has_the_same_time_while_the_wall_clock_runs_evenly() {
        let ticks = ticks();
        // A busy machine may keep this thread between the two clocks.
        let is_same = || {
            let first = wall(ticks);
            std::thread::sleep(Duration::from_millis(30));
            let then = wall(ticks);
            then.duration_since(first).or_else(|_| first.duration_since(then)).unwrap() < STEP
        };
        assert!((0..100).any(|_| is_same()));
    }

    #[test]
    fn the_counter_is_as_fast_as_the_system_clock_says() {
        let source = Source::best();
        let per_tick = source.nanos_per_tick();
        // A busy machine may keep this thread between the two clocks.
        let mut tries = (0..100).map(|_| {
            let (began, first) = (Instant::now(), source.ticks());
            std::thread::sleep(Duration::from_millis(50));
            let told = (u128::from(source.ticks() - first) * u128::from(per_tick)) >> FRACTION;
            (told, began.elapsed().as_nanos())
        });
        assert!(tries.any(|(told, elapsed)| told.abs_diff(elapsed) < elapsed / 100));
    }

    #[test]
    fn without_a_counter_a_tick_is_a_nanosecond() {
        let source = Source::System(Instant::now());
        assert_eq!(source.nanos_per_tick(), 1 << FRACTION);
        let first = source.ticks();
        assert!(0 < first);
        std::thread::sleep(Duration::from_millis(2));
        assert!(2_000_000 <= source.ticks() - first);
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
