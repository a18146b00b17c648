//! Panics of code that is not ours: where the last one of a task was, which a payload does not say and a
//! panic hook knows, and those that go no further.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::name::location;
use crate::registry::local::current;

thread_local! {
    /// The task that panicked last on this thread, and where. The task may have caught that panic.
    static LAST: RefCell<Option<(u64, String)>> = const { RefCell::new(None) };
}

/// Keeps the place of a panic of the task that this thread polls. For a panic hook.
pub fn keep_place(place: &Location<'_>) {
    if let Some(task) = current() {
        let _ = LAST.try_with(|last| {
            if let Ok(mut last) = last.try_borrow_mut() {
                *last = Some((task.id, location(place)));
            }
        });
    }
}

/// The text of a panic that ends a task, with its place where a hook kept it.
pub fn with_place(task: u64, text: Option<String>) -> Option<String> {
    let last = LAST.try_with(|last| last.try_borrow_mut().ok().and_then(|mut last| last.take()));
    match last {
        Ok(Some((of, place))) if of == task => {
            Some(text.map_or_else(|| format!("at {place}"), |text| format!("{text}, at {place}")))
        }
        _ => text,
    }
}

/// Drops what is not ours: a panic of its destructor is caught, and so is that of what the panic carries.
pub fn drop_contained<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(payload);
    }
}
