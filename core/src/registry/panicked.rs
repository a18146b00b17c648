//! Where in the code the last panic of a task was: what a payload does not say, and a panic hook knows.

use std::cell::RefCell;
use std::panic::Location;

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
