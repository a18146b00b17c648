//! Know every task you spawned. Leave none behind.
//!
//! Replace [`tokio::spawn`] with [`headcount::spawn`](spawn) and every detached task gets a name, is listed
//! while it lives, is measured, and is waited for, by name, when the process stops.
//!
//! # Use
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # async fn send_email() {}
//! headcount::spawn(send_email());
//!
//! headcount::task("thumbnail").label("size", "small").field("order", 42).spawn_blocking(|| {
//!     if let Some(task) = headcount::current() {
//!         task.set_progress(1, 3);
//!     }
//! });
//!
//! for group in headcount::snapshot().groups {
//!     println!("{}: {} live, {} finished", group.name, group.live, group.finished.total());
//! }
//! headcount::idle().await;
//! # }
//! ```
//!
//! Nothing needs to be set up for that. A library depends on `headcount-core`, which has the same functions
//! and none of the rest. An application that wants metrics, dashboard and shutdown installs them first:
//!
//! ```no_run
//! # async fn serve() {}
//! # async fn f() -> Result<headcount::Report, headcount::Error> {
//! let headcount = headcount::Headcount::install()?;
//! serve().await;
//! Ok(headcount.drain().await)
//! # }
//! ```
//!
//! # Settings
//!
//! [`Builder`] has a method for each, and each has an environment variable named after it, which wins:
//! [`settings`] lists them with their defaults. `HEADCOUNT=off` turns off tracking, metrics, the admin server
//! and the drain. Timeouts, limits, keys, services, timers and carriers keep working.
//!
//! # Features
//!
//! On by default: `metrics`, `prometheus`, `exporter`, `admin`, `shutdown`, `tower`, and through them `serde`
//! and `hyper`. Off: `opentelemetry`, `console`, `stacks`.
//!
//! What exists without any of them: the spawn family, [`task()`], [`track`], [`current`], [`carry`],
//! [`snapshot()`], [`idle`], [`testing`], [`service`], [`every`], [`services`], [`draining`],
//! [`shutdown_requested`], [`Limit`], [`executor`] and [`outcome_of`].
//!
//! # Comparison
//!
//! [`TaskTracker`](https://docs.rs/tokio-util/latest/tokio_util/task/task_tracker/struct.TaskTracker.html)
//! waits for a number of tasks, and does not know which. [`JoinSet`](tokio::task::JoinSet) owns its tasks:
//! nothing in it is detached. `tokio-metrics` measures what it wraps, without a list. `await-tree` shows
//! where each future stands, for a price per task. `console-subscriber` shows tasks where the whole program
//! was built with a flag of its own. They do other things well.
//! headcount is for tasks that are never awaited.
//!
//! # Correctness
//!
//! There is no `unsafe` in this crate. Slots, census and wake-up are model-checked with loom; random
//! histories are compared with a plain model; the shutdown is tested with real processes and real signals.
//! [The protocol](docs::architecture) is written out.
//!
//! # Performance
//!
//! headcount adds no allocation and no shared lock to a plain spawn. Fields, limits, timeouts and carriers
//! allocate. `bench/RESULTS.md` in the repository has the figures, each beside bare [`tokio::spawn`] and the
//! peers in the same run.

// docs.rs marks what a feature brings.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(target_family = "wasm", any(feature = "admin", feature = "console", feature = "shutdown")))]
compile_error!(
    "on WebAssembly there are no threads, sockets and signals, which headcount's features need: depend on headcount-core, \
     or turn the default features off"
);

/// A value with some of its fields changed; literals of another crate's non-exhaustive structs cannot be
/// written.
#[cfg(test)]
macro_rules! changed {
    ($base:expr, $($field:ident: $value:expr),+ $(,)?) => {{
        let mut changed = $base;
        $(changed.$field = $value;)+
        changed
    }};
}

#[cfg(feature = "admin")]
mod admin;
#[cfg(feature = "shutdown")]
#[cfg_attr(not(feature = "admin"), allow(dead_code, unused_imports, reason = "the API shows the rest of it"))]
mod attention;
pub mod carry;
#[cfg(feature = "console")]
pub mod console;
pub mod docs;
#[cfg(feature = "shutdown")]
mod error;
#[cfg(feature = "shutdown")]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::inconsistent_struct_constructor,
    reason = "seconds and counts that are estimates anyway"
)]
#[cfg_attr(not(feature = "admin"), allow(dead_code, unused_imports, reason = "the API shows the rest of it"))]
mod forecast;
#[cfg(test)]
mod fresh;
#[cfg(feature = "shutdown")]
mod install;
#[cfg(feature = "tower")]
pub mod layer;
#[cfg(feature = "metrics")]
#[cfg_attr(
    not(feature = "admin"),
    allow(dead_code, reason = "OpenMetrics is negotiated by the admin server")
)]
mod metrics;
#[cfg(feature = "shutdown")]
mod observer;
#[cfg(feature = "shutdown")]
mod process;
#[cfg(feature = "shutdown")]
pub mod settings;
#[cfg(feature = "shutdown")]
#[cfg_attr(not(feature = "admin"), allow(dead_code, unused_imports, reason = "the API shows the rest of it"))]
mod shutdown;
#[cfg(feature = "shutdown")]
#[cfg_attr(
    not(all(feature = "admin", feature = "stacks")),
    allow(dead_code, unreachable_pub, unused_imports, reason = "the API shows the rest of it")
)]
mod stacks;
#[cfg(all(unix, feature = "shutdown"))]
mod systemd;

#[cfg(feature = "shutdown")]
pub use crate::error::Error;
#[cfg(feature = "shutdown")]
pub use crate::install::Headcount;
#[cfg(feature = "tower")]
pub use crate::layer::{RequestLimitLayer, TrackLayer};
#[cfg(feature = "shutdown")]
pub use crate::settings::Builder;
#[cfg(feature = "shutdown")]
pub use crate::shutdown::{Report, ReportTask, ShutdownOutcome, shutdown};
#[cfg(feature = "stacks")]
pub use crate::stacks::{StackBranch, StackError, StackFrame, StackResult, StackThread, TaskStack, stack};
#[doc(inline)]
pub use headcount_core::*;
// The rooms of the core, by the names they have there.
#[allow(unused_imports, reason = "a build with fewer features uses fewer of them")]
pub(crate) use headcount_core::internal::{clock, name, registry};
