//! The stages of a shutdown: a state machine that knows neither threads nor the real time.
//!
//! ```text
//!  Running ─▶ Announcing ─▶ Draining ─▶ Aborting ─▶ Lingering ─▶ Done
//!                              └────────────────────────┴────────┘
//! ```
//!
//! | in | goes on when | to |
//! |---|---|---|
//! | Running | something starts it | Announcing |
//! | Announcing | the announce delay is over, or it is forced, or the deadline has passed | Draining |
//! | Draining | nothing is left and the application awaits the report (or never asked) | Lingering, Done |
//! | Draining | it is forced, or the deadline has passed with something left | Aborting |
//! | Aborting | nothing is left | Lingering, Done |
//! | Aborting | hook and abort grace are over, and `Last` tasks had the time of the stage | Lingering, Done |
//! | Lingering | a scrape came, or its time is over | Done |
//! | Aborting, Lingering | it is forced again | Done |
//! | any but Running | `exit_after` is over | Done, and the process ends |
//!
//! Time is a [`Duration`](std::time::Duration) since an origin that the driver chooses. The driver hands in
//! what happened, all of it at once, performs the [`Effect`]s in their order, and calls again at
//! [`Machine::wake_at`] at the latest.

mod scrapes;
mod stage;
mod state;
#[cfg(test)]
mod tests;

pub use stage::Stage;
pub use stage::{Effect, ExtendError, Forcer, Input, Limits, Moment, Pending, Verdict};
pub use state::Machine;
