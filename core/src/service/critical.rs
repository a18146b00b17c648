//! That a critical service has ended for good. It is remembered here, whether anything follows it yet or not.

use std::sync::Arc;

use crate::lock::Mutex;

/// The end of a critical service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriticalEnd {
    pub name: Arc<str>,
    /// How it ended, in a few words.
    pub how: Arc<str>,
    /// The same without what its error or panic said.
    pub briefly: &'static str,
}

/// What is to happen then.
type Hook = fn(&CriticalEnd);

static STATE: Mutex<State> = Mutex::new(State { first: None, hook: None });

struct State {
    first: Option<CriticalEnd>,
    hook: Option<Hook>,
}

/// A critical service has ended for good. The first one is remembered.
pub(super) fn note(end: &CriticalEnd) {
    let hook = {
        let mut state = STATE.lock();
        state.first.get_or_insert_with(|| end.clone());
        state.hook
    };
    if let Some(hook) = hook {
        hook(end);
    }
}

/// Whether something stops the process when a critical service ends.
pub(super) fn is_followed() -> bool {
    STATE.lock().hook.is_some()
}

/// Calls `hook` at the end of each critical service, and now if one has ended already.
pub fn follow(hook: Hook) {
    let first = {
        let mut state = STATE.lock();
        state.hook = Some(hook);
        state.first.clone()
    };
    if let Some(end) = first {
        hook(&end);
    }
}

/// The first critical service that has ended for good.
pub fn first() -> Option<CriticalEnd> {
    STATE.lock().first.clone()
}
