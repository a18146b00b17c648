//! Tests that need programs of the distribution, which `scripts/setup` installs: a Redis server, `promtool`.
//!
//! `cargo test` leaves them out, so that it needs nothing beyond Rust; `scripts/test --all` runs them.

#![cfg(all(unix, feature = "admin", feature = "shutdown", feature = "tower"))]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[macro_use]
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod support;

mod critical;
mod redis;
