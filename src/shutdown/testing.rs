//! What the tests of this module share.

/// The task of the examples.
pub(crate) use headcount_core::internal::samples::task as example;
