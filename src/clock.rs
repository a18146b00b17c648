//! The one clock: raw ticks on the hot path, converted by whoever reads.
//!
//! `quanta` reads the processor's counter, which costs less than half of `Instant::now`. Its first use calibrates that counter
//! against the system's clock, which takes a millisecond, and 200 ms at the very most.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::calibrate);

/// Room for counters of 1 MHz and more, and an error of less than a nanosecond a day.
const FRACTION: u32 = 48;

/// Ticks, and what they are worth.
#[derive(Debug)]
pub(crate) struct Clock {
    source: quanta::Clock,
    /// In units of 2^-`FRACTION`: a multiplication and a shift by a constant convert a reading.
    nanos_per_tick: u64,
    origin: u64,
    origin_wall: SystemTime,
}

impl Clock {
    fn calibrate() -> Self {
        let source = quanta::Clock::new();
        let span: u64 = 1 << 40;
        let nanos_per_tick = source.delta_as_nanos(0, span) << (FRACTION - 40);
        Self { nanos_per_tick, origin: source.raw(), origin_wall: SystemTime::now(), source }
    }
}

impl Clock {
    /// The clock of the process, for who keeps it at hand.
    pub(crate) fn get() -> &'static Self {
        &CLOCK
    }

    /// Now, in ticks. Never 0.
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        self.source.raw()
    }

    /// The time between two readings; 0 if they are in the wrong order, which two cores may make of close ones.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "nanoseconds of a process's life fit")]
    pub(crate) fn nanos_between(&self, start: u64, end: u64) -> u64 {
        let ticks = u128::from(end.saturating_sub(start));
        ((ticks * u128::from(self.nanos_per_tick)) >> FRACTION) as u64
    }
}

/// Now, in ticks.
pub(crate) fn ticks() -> u64 {
    CLOCK.ticks()
}

/// The time between two readings, in nanoseconds.
pub(crate) fn nanos_between(start: u64, end: u64) -> u64 {
    CLOCK.nanos_between(start, end)
}

pub(crate) fn between(start: u64, end: u64) -> Duration {
    Duration::from_nanos(nanos_between(start, end))
}

/// How many ticks a duration takes; the largest number if it does not fit.
pub(crate) fn ticks_in(duration: Duration) -> u64 {
    // Nanoseconds that do not fit are more than the life of a process.
    let nanos = duration.as_nanos().min(u128::from(u64::MAX));
    u64::try_from((nanos << FRACTION) / u128::from(CLOCK.nanos_per_tick)).unwrap_or(u64::MAX)
}

/// The wall-clock time of a reading, by the wall clock of the process's first use of this clock.
///
/// It does not follow a later step of the system's clock, so that the order of events is kept.
pub(crate) fn wall(ticks: u64) -> SystemTime {
    let clock = &*CLOCK;
    if clock.origin <= ticks {
        clock.origin_wall + between(clock.origin, ticks)
    } else {
        clock.origin_wall - between(ticks, clock.origin)
    }
}
