//! Services, which must go on, and timers, which run again and again.
//!
//! A supervisor is a plain future on the runtime. It is in no registry, and no shutdown waits for it. Each
//! run is a task of kind `service` or `timer`, with all that a task has: an entry, an outcome, a log line of
//! its failure, its place in a drain.
//!
//! | what ends a wait of the supervisor | a back-off | between two ticks |
//! |---|---|---|
//! | its time is over | the next run begins | the next run begins |
//! | [`run_now`](ServiceHandle::run_now), the API | the next run begins | a run begins, the ticks stay |
//! | [`stop`](ServiceHandle::stop), draining | it stops | it stops |
//!
//! [`backoff`] and [`schedule`] are pure: they are handed moments and chances. [`record`] is what others see,
//! and the only state that they share with a supervisor; [`list`] has the records of all. [`critical`]
//! remembers that a critical service has ended, for whatever stops the process.
//!
//! The supervisor waits before the gate itself, and not through `draining()`: it is no part of the
//! application that follows the shutdown, and must not listen to signals where `HEADCOUNT=off`.

mod backoff;
mod builder;
pub mod critical;
mod error;
mod handle;
mod info;
pub mod list;
mod record;
mod run;
mod schedule;
mod supervisor;
mod ticker;
mod words;

pub use self::backoff::{Backoff, Restart};
pub use self::builder::{Service, Timer, every, service};
pub use self::error::ServiceError;
pub use self::handle::{NotRunnable, ServiceHandle};
pub use self::info::{GroupTerms, LastRun, ServiceId, ServiceInfo, ServiceState};
pub use self::list::{by_group, find, services};
pub use self::record::supervisors;
pub use self::run::RunOutput;
