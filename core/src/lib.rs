//! What a library needs of [headcount](https://docs.rs/headcount): spawn named, listed and measured tasks,
//! and take part in the shutdown.
//!
//! Libraries depend on this crate, applications on `headcount`, which re-exports all of it.
//!
//! Both meet in one registry: `links = "headcount"` makes two incompatible versions in one tree an error of
//! cargo's resolver.

// docs.rs marks what a feature brings.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(rustdoc::private_intra_doc_links, reason = "the documents of `registry` are for maintainers")]

mod awaited;
pub mod carry;
#[allow(missing_docs, reason = "only `internal` shows it outside")]
mod clock;
mod current;
mod id;
mod idle;
#[allow(missing_docs, clippy::missing_errors_doc, reason = "only `internal` shows it outside")]
mod lifecycle;
mod lock;
mod name;
mod named;
mod outcome;
#[allow(
    missing_docs,
    clippy::new_without_default,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "only `internal` shows it outside"
)]
mod registry;
#[allow(missing_docs, reason = "only `internal` shows it outside")]
mod samples;
#[allow(missing_docs, clippy::missing_errors_doc, reason = "only `internal` shows some of it outside")]
mod service;
pub mod snapshot;
mod spawn;
#[allow(missing_docs, reason = "only `internal` shows it outside")]
mod stacks;
#[allow(missing_docs, reason = "only `internal` shows it outside")]
mod sync;
#[allow(
    missing_docs,
    clippy::new_without_default,
    clippy::len_without_is_empty,
    clippy::missing_panics_doc,
    reason = "only `Limit` and the errors are of the API"
)]
mod terms;
pub mod testing;
#[allow(missing_docs, reason = "only `internal` shows it outside")]
mod text;
#[allow(missing_docs, clippy::missing_panics_doc, reason = "only `Tracked` is of the API")]
mod tracked;

pub use crate::awaited::outcome_of;
pub use crate::current::{TaskHandle, current};
pub use crate::id::{GroupId, TaskId};
pub use crate::idle::idle;
pub use crate::lifecycle::machine::Stage;
pub use crate::lifecycle::{Draining, draining, shutdown_requested};
pub use crate::named::UnknownName;
pub use crate::outcome::{Outcome, OutcomeCounts};
pub use crate::registry::config::TextSource;
pub use crate::registry::kind::{Kind, Labels, OnShutdown, Progress};
pub use crate::service::{
    Backoff, LastRun, NotRunnable, Restart, RunOutput, Service, ServiceError, ServiceHandle, ServiceId,
    ServiceInfo, ServiceState, Timer, every, service, services,
};
pub use crate::snapshot::{Snapshot, State, snapshot};
pub use crate::spawn::{
    Executor, Site, TaskBuilder, executor, spawn, spawn_blocking, spawn_blocking_on, spawn_in, spawn_local,
    spawn_local_on, spawn_on, task, track,
};
pub use crate::terms::{Limit, Reason, SetBy, TrySpawnError};
pub use crate::tracked::Tracked;

/// For the crate `headcount` of the same version alone; no promise of stability covers it.
#[doc(hidden)]
#[allow(missing_docs, reason = "no part of the API")]
pub mod internal {
    pub mod carry {
        pub use crate::carry::*;
    }
    pub mod clock {
        pub use crate::clock::*;
    }
    pub mod current {
        pub use crate::current::*;
    }
    pub mod lifecycle {
        pub use crate::lifecycle::*;
    }
    pub mod name {
        pub use crate::name::*;
    }
    pub mod registry {
        pub use crate::registry::*;
    }
    pub mod service {
        pub use crate::service::*;
    }
    pub mod samples {
        pub use crate::samples::*;
    }
    pub mod snapshot {
        pub use crate::snapshot::*;
    }
    pub mod spawn {
        pub use crate::spawn::*;
    }
    #[cfg(feature = "stacks")]
    pub mod stacks {
        pub use crate::stacks::*;
    }
    pub mod terms {
        pub use crate::terms::*;
    }
    pub mod text {
        pub use crate::text::*;
    }
    pub mod tracked {
        pub use crate::tracked::*;
    }
}
