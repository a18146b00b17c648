//! Parts of the example that one may copy.

pub mod metrics;
pub mod sentry;
