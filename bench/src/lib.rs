//! headcount beside bare tokio and its peers.
//!
//! A scenario is what is done, a subject is with what. All subjects of a scenario are measured in one
//! process, a bit of each in every round, in an order that rotates, so that whatever disturbs the machine
//! disturbs all of them. Each scenario runs in a process of its own, started by the binary itself.

pub mod gaps;
pub mod http;
pub mod machine;
pub mod memory;
pub mod places;
pub mod population;
pub mod process;
pub mod report;
pub mod rounds;
pub mod runtime;
pub mod scenario;
pub mod settings;
pub mod subject;

/// The allocator of the build.
pub const ALLOCATOR: &str = if cfg!(feature = "mimalloc") { "mimalloc" } else { "glibc's" };

/// What a task may take at most, times that of bare tokio, which itself takes less with a fast allocator.
pub const RATIO_GOAL: f64 = if cfg!(feature = "mimalloc") { 1.25 } else { 1.15 };
