//! From a task that begins to the function that hands it to the runtime: what stands before its first poll.
//!
//! Most tasks have no plan. A task that has one leaves it with its thread when it begins, and is
//! [marked](super::flags::Seen), so that the spawn function takes the plan before it does anything else.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::registry::untracked::AtStop;
use crate::terms::Limit;
use crate::terms::gate::Permit;

/// Terms as the code gives them.
#[derive(Clone, Debug, Default)]
pub struct GivenTerms {
    pub timeout: Option<Duration>,
    pub limit: Option<&'static Limit>,
    pub unique: Option<Unique>,
}

/// A key that one task at a time has.
#[derive(Clone, Debug)]
pub struct Unique {
    pub key: String,
    /// Whether the task that has the key is aborted.
    pub replaces: bool,
}

/// How a task is to be admitted.
#[derive(Debug, Default)]
pub struct Attempt {
    /// It is given back where it cannot run at once.
    pub is_try: bool,
    /// It was admitted before it began.
    pub permit: Option<Permit>,
}

/// What a task passes before its first poll.
#[derive(Debug)]
pub struct Plan {
    /// The task's name, within which keys are unique.
    pub name: Arc<str>,
    pub limit: Option<&'static Limit>,
    pub unique: Option<Unique>,
    pub attempt: Attempt,
    /// With tracking off. Else the registry has it.
    pub timeout: Option<Duration>,
    /// The same of what a stop does to it.
    pub at_stop: Option<AtStop>,
}

thread_local! {
    static PLAN: Cell<Option<Box<Plan>>> = const { Cell::new(None) };
}

/// Leaves a plan for the spawn function, in place of one that was left before.
pub fn leave(plan: Option<Box<Plan>>) {
    // A thread that ends has no room for one, and spawns without.
    let _ = PLAN.try_with(|place| place.set(plan));
}

/// Takes the plan that was left.
pub fn take() -> Option<Box<Plan>> {
    PLAN.try_with(Cell::take).ok().flatten()
}
