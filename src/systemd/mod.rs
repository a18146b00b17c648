//! systemd, in its own words: what a service of `Type=notify` reports to its manager.
//!
//! | notification | when |
//! |---|---|
//! | `READY=1` | the process is ready, see the setting `ready` |
//! | `STOPPING=1` and `EXTEND_TIMEOUT_USEC` | a shutdown begins |
//! | `EXTEND_TIMEOUT_USEC` | again, while the shutdown [moves](extension), never past `exit_after` |
//! | `STATUS` | how the drain goes, and how it ended |
//! | `WATCHDOG=1` | at half of the interval that systemd asks for, while the runtime [answers](watchdog) |
//!
//! Without the variable `NOTIFY_SOCKET`, and with the setting `notify` off, nothing of it is done. Nothing is
//! ever waited for: the [socket](socket) does not block. What cannot be sent is logged once, and the
//! notifications that must arrive are sent again later.

mod extension;
mod follow;
mod notifier;
mod socket;
mod watchdog;

pub(crate) use notifier::Notifier;
