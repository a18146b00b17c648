//! Layers for tower services, axum's among them.
//!
//! [`TrackLayer`] makes requests tracked tasks, so that a shutdown names the slow ones and waits for them.
//! [`RequestLimitLayer`] has the process stop gracefully after a number of requests.

mod limit;
mod naming;
mod track;

pub use limit::{LimitedResponse, RequestLimit, RequestLimitLayer};
pub use track::{Track, TrackLayer, TrackedBody, TrackedResponse};
