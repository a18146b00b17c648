//! Handing tasks to tokio with their names, which it takes under `--cfg tokio_unstable` and tells
//! `console-subscriber`.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::{Builder, JoinHandle};

use crate::registry::begin::Begun;
use crate::registry::{is_enabled, registry};

/// Why none of these fails: tokio has no error for futures, and panics itself where it gets no thread for a
/// closure.
const NEVER: &str = "tokio takes every task";

#[track_caller]
pub(super) fn spawn<F>(future: F, task: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let name = name_of(task);
    builder(name.as_deref()).spawn(future).expect(NEVER)
}

#[track_caller]
pub(super) fn spawn_on<F>(future: F, task: Option<Begun>, runtime: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let name = name_of(task);
    builder(name.as_deref()).spawn_on(future, runtime).expect(NEVER)
}

#[track_caller]
pub(super) fn spawn_local<F>(future: F, task: Option<Begun>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let name = name_of(task);
    builder(name.as_deref()).spawn_local(future).expect(NEVER)
}

#[track_caller]
pub(super) fn spawn_blocking<F, R>(closure: F, task: Option<Begun>) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let name = name_of(task);
    builder(name.as_deref()).spawn_blocking(closure).expect(NEVER)
}

fn builder(name: Option<&str>) -> Builder<'_> {
    name.map_or_else(Builder::new, |name| Builder::new().name(name))
}

fn name_of(task: Option<Begun>) -> Option<Arc<str>> {
    let task = task.filter(|_| is_enabled())?;
    let group = registry().group(task.slot.own().group());
    Some(group.name.clone())
}
