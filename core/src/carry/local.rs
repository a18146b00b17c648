//! Values of `tokio::task_local!`.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::task::LocalKey;

use super::{Carried, Carrier, Spawn};

/// How a value is shown: the field's key, and what writes the value.
type Shown<T> = (&'static str, fn(&T) -> String);

/// Carries the value of a [`tokio::task_local!`], from [`task_local`].
pub struct TaskLocal<T: 'static> {
    key: &'static LocalKey<T>,
    shown: Option<Shown<T>>,
}

/// Carries a clone of the value that a [`tokio::task_local!`] has where a task is spawned.
///
/// The task has a value of its own from then on: what it changes in it stays from poll to poll, and the code
/// that spawned it does not see it. Where the value is not set at the spawn, it is not set in the task.
/// Destructors of a task that is aborted between two polls run without it.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// tokio::task_local! {
///     static TENANT: String;
/// }
///
/// // Of `headcount`: Headcount::builder().carry(…).install()
/// let carrier = headcount::carry::task_local(&TENANT).field("tenant");
/// ```
pub const fn task_local<T: Clone + Send + 'static>(key: &'static LocalKey<T>) -> TaskLocal<T> {
    TaskLocal { key, shown: None }
}

impl<T: Clone + Display + Send + 'static> TaskLocal<T> {
    /// Shows the value as a field of the task, under this key. Without it, the value is seen by the task
    /// alone.
    #[must_use]
    pub fn field(mut self, key: &'static str) -> Self {
        self.shown = Some((key, T::to_string));
        self
    }
}

impl<T> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocal").field("field", &self.shown.map(|(key, _)| key)).finish_non_exhaustive()
    }
}

impl<T: Clone + Send + 'static> Carrier for TaskLocal<T> {
    fn name(&self) -> &str {
        self.shown.map_or("task_local", |(key, _)| key)
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        let value = self.key.try_get().ok()?;
        Some(Box::new(Own { key: self.key, value: Some(value), shown: self.shown }))
    }
}

struct Own<T: 'static> {
    key: &'static LocalKey<T>,
    /// Away during a poll.
    value: Option<T>,
    shown: Option<Shown<T>>,
}

impl<T: Send + 'static> Carried for Own<T> {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        let Some(value) = self.value.take() else { return };
        let mut polled = || {
            poll();
            Poll::Ready(())
        };
        let mut scope = pin!(self.key.scope(value, poll_fn(|_| polled())));
        let _ = scope.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.value = scope.take_value();
    }

    fn fields(&self) -> Vec<(Cow<'static, str>, String)> {
        let field = self.shown.zip(self.value.as_ref());
        field.map(|((key, show), value)| (key.into(), show(value))).into_iter().collect()
    }
}
