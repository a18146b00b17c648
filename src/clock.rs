//! The one clock: raw ticks on the hot path, converted by whoever reads.
//!
//! `quanta` reads the processor's counter, which costs less than half of `Instant::now`. Its first use calibrates that counter
//! against the system's clock, which takes a millisecond, and 200 ms at the very most.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::calibrate);

/// Ticks, and what they are worth.
#[derive(Debug)]
pub(crate) struct Clock {
    source: quanta::Clock,
    nanos_per_tick: f64,
    origin: u64,
    origin_wall: SystemTime,
}

impl Clock {
    fn calibrate() -> Self {
        let source = quanta::Clock::new();
        let span = 1 << 40;
        let nanos_per_tick = source.delta_as_nanos(0, span) as f64 / span as f64;
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
    pub(crate) fn nanos_between(&self, start: u64, end: u64) -> u64 {
        self.source.delta_as_nanos(start, end)
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
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn ticks_in(duration: Duration) -> u64 {
    (duration.as_nanos() as f64 / CLOCK.nanos_per_tick) as u64
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
