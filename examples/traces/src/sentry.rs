//! Sentry's hub as a carrier: each task has a hub of its own, made from the one of the code that spawned it.
//!
//! What a request set on its hub, such as the user and tags, is then on the events of its tasks. What a task
//! sets stays its own.

use std::sync::Arc;

use headcount::carry::{Carried, Carrier, Spawn};
use sentry_core::Hub;

/// Carries the hub: `Headcount::builder().carry(SentryHub)`.
#[derive(Clone, Copy, Debug)]
pub struct SentryHub;

struct InHub(Arc<Hub>);

impl Carrier for SentryHub {
    fn name(&self) -> &str {
        "sentry"
    }

    fn take(&self, task: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        let hub = Hub::new_from_top(Hub::current());
        hub.configure_scope(|scope| scope.set_tag("task", task.name));
        Some(Box::new(InHub(Arc::new(hub))))
    }
}

impl Carried for InHub {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        Hub::run(Arc::clone(&self.0), poll);
    }
}
