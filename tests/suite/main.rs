//! All integration tests, in one binary, each test in a process of its own.
//!
//! To add one: write a `#[test]` or `#[tokio::test]` function in the file whose name fits, with
//! `own_process!();` as its first statement. `cargo test --test suite NAME` runs the tests whose path holds
//! `NAME`.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may, and its figures are whole numbers")]
#![allow(clippy::items_after_statements, reason = "what one test has alone stands in it")]

#[macro_use]
#[cfg_attr(
    not(all(feature = "admin", feature = "console", feature = "tower")),
    allow(dead_code, reason = "some of it is for features alone")
)]
mod support;

#[cfg(feature = "admin")]
mod admin;
#[cfg(feature = "admin")]
mod carry;
#[cfg(all(feature = "console", not(tokio_unstable)))]
mod console;
mod elsewhere;
#[cfg(feature = "admin")]
mod executor;
mod failures;
mod find;
mod fixtures;
mod floors;
mod hide;
mod history;
mod hostile;
mod idle;
mod ids;
#[cfg(feature = "admin")]
mod install;
#[cfg(all(feature = "admin", feature = "tower"))]
mod layer;
mod leaks;
#[cfg(feature = "admin")]
mod log_records;
mod many;
#[cfg(feature = "admin")]
mod metrics;
mod names;
#[cfg(feature = "admin")]
mod off;
mod outcomes;
mod overflow;
mod paging;
#[cfg(all(target_os = "linux", feature = "admin", feature = "shutdown", feature = "tower"))]
mod platform;
mod random;
mod redact;
mod runtimes;
mod services;
#[cfg(feature = "admin")]
mod several;
#[cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
mod shutdown;
mod sites;
mod stack;
#[cfg(all(feature = "admin", feature = "stacks"))]
mod stacks;
#[cfg(feature = "admin")]
mod subscriber;
#[cfg(all(feature = "admin", feature = "shutdown"))]
mod survive;
#[cfg(feature = "admin")]
mod terms;
mod traits;
