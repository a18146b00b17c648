//! What tests share.

#[macro_use]
pub(crate) mod alone;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
pub(crate) mod child;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
mod child_services;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
mod child_tasks;
#[cfg(all(feature = "console", not(tokio_unstable)))]
pub(crate) mod console;
#[cfg(feature = "admin")]
pub(crate) mod http;
pub(crate) mod lines;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
pub(crate) mod process;
#[cfg(feature = "admin")]
pub(crate) mod samples;
pub(crate) mod wait;
