//! The project's documents, as they are in the repository. Their code is tested.
//!
//! | | |
//! |---|---|
//! | [`adopting`] | moving a code base over |
//! | [`rollout`] | the first week in production |
//! | [`names`] | names after the code, and how well they tell tasks apart |
//! | [`lifetime`] | how long a task lives |
//! | [`operations`] | from the first deploy to three in the morning |
//! | [`terms`] | timeouts, limits, and what must go on |
//! | [`design`] | questions and answers |
//! | [`traces`] | what is carried beyond a spawn: links, trace ids, OpenTelemetry, Sentry |
//! | [`log`] | the lines of a shutdown, and their data |
//! | [`architecture`] | the map of the code, for contributors |

#![allow(clippy::doc_markdown, reason = "the documents are prose")]

/// Documents link each other by name. Where rustdoc shows them, the names lead to modules rather than to
/// files.
macro_rules! document {
    ($name:ident, $path:literal) => {
        #[doc = "[ADOPTING]: crate::docs::adopting"]
        #[doc = "[ARCHITECTURE]: crate::docs::architecture"]
        #[doc = "[DESIGN]: crate::docs::design"]
        #[doc = "[LIFETIME]: crate::docs::lifetime"]
        #[doc = "[LOG]: crate::docs::log"]
        #[doc = "[NAMES]: crate::docs::names"]
        #[doc = "[ROLLOUT]: crate::docs::rollout"]
        #[doc = "[TRACES]: crate::docs::traces"]
        #[doc = "[OPERATIONS]: crate::docs::operations"]
        #[doc = "[SETTINGS]: crate::settings"]
        #[doc = "[TERMS]: crate::docs::terms"]
        #[doc = ""]
        #[doc = include_str!($path)]
        pub mod $name {}
    };
}

document!(adopting, "../docs/ADOPTING.md");
document!(architecture, "../docs/ARCHITECTURE.md");
document!(design, "../docs/DESIGN.md");
document!(lifetime, "../docs/LIFETIME.md");
document!(log, "../docs/LOG.md");
document!(names, "../docs/NAMES.md");
document!(rollout, "../docs/ROLLOUT.md");
document!(traces, "../docs/TRACES.md");
document!(operations, "../docs/OPERATIONS.md");
document!(terms, "../docs/TERMS.md");

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
