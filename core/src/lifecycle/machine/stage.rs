//! The vocabulary of the machine: stages, limits, what comes in and what goes out.

use std::time::Duration;

use crate::named::named;

/// A moment, as time since the driver's origin.
pub type Moment = Duration;

/// How much longer than hook and abort grace a forced process may live.
pub(super) const FORCED_EXIT_MARGIN: Duration = Duration::from_millis(500);

/// How much time lingering leaves before the process must end.
pub(super) const LINGER_MARGIN: Duration = Duration::from_secs(1);

/// The longest extension that one call may ask for.
pub(crate) const MAX_EXTENSION: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// No shutdown has begun.
    Running,
    /// Readiness is withdrawn, the service goes on.
    Announcing,
    /// Tasks were notified, and are waited for.
    Draining,
    /// Tasks that are left are handed to the hook, then aborted.
    Aborting,
    /// Nothing is left but a last scrape of the metrics.
    Lingering,
    /// It is over; the report is there.
    Done,
}

named!(Stage {
    Running => "running",
    Announcing => "announcing",
    Draining => "draining",
    Aborting => "aborting",
    Lingering => "lingering",
    Done => "done",
});

impl Stage {
    /// The number used in metrics, 0 to 5.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The time that each stage may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub announce_delay: Duration,
    /// Until the deadline, the announce delay included.
    pub drain_timeout: Option<Duration>,
    pub hook_timeout: Duration,
    pub abort_grace: Duration,
    /// Until the process ends, whatever holds it.
    pub exit_after: Option<Duration>,
    pub linger: bool,
}

impl Limits {
    /// How long the stage Aborting takes at the most: the bound also of `Last` tasks that are notified only
    /// then.
    pub fn aborting_at_most(&self) -> Duration {
        self.hook_timeout.saturating_add(self.abort_grace)
    }

    /// How long a process lives after a force, whatever holds it.
    pub fn forced_exit_after(&self) -> Duration {
        self.aborting_at_most().saturating_add(FORCED_EXIT_MARGIN)
    }
}

/// What forced a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forcer {
    Interrupt,
    Terminate,
    /// The admin server.
    Api,
}

impl Forcer {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Api => "API",
        }
    }

    /// The exit code of a process that it forced.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Api => 1,
        }
    }
}

/// What is still waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Everything but `Last` tasks.
    pub wait: u64,
    /// `Last` tasks.
    pub last: u64,
    /// Whether all of `wait` await `idle()`, and with it the end of the `Last` tasks.
    pub idle: bool,
}

impl Pending {
    pub fn total(self) -> u64 {
        self.wait + self.last
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A shutdown is asked for.
    Start,
    /// It is to end now.
    Force(Forcer),
    /// The deadline moves.
    Extend(Duration),
    /// How many are waited for.
    Pending(Pending),
    /// Whether the application waits for the report; true also when nothing ever asked for it.
    Released(bool),
    /// Whether the application follows the shutdown: something outside tracked tasks asked whether the
    /// process stops, or something awaits the report or has it.
    Asked(bool),
    /// The hook has returned for every task.
    HookReturned,
    /// The metrics were read.
    Scraped,
    /// Nothing but the time.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This stage has begun.
    Enter(Stage),
    /// Draining has begun: tell the tasks, abort the `Cancel` ones, and from now on hand in what is pending.
    TellTasks,
    /// It is the turn of the `Last` tasks.
    TellLast,
    /// Hand what was abandoned to the hook.
    RunHook,
    /// Abort what was abandoned.
    Abort,
    /// The report is to be made, once.
    Finish(Verdict),
    /// End the process.
    Exit,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything waited for has ended.
    Drained,
    /// The time was over with something left.
    Deadline,
    /// It was forced.
    Forced(Forcer),
}

/// Why the deadline could not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendError {
    NotStopping,
    NoDeadline,
    TooLate,
    BadLength,
}
