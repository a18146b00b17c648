//! The running task's handle to itself: status, progress and fields.

use std::borrow::Cow;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::id::TaskId;
use crate::name::{self, MAX_FIELD};
use crate::registry::begin::storable_field;
use crate::registry::config::TextSource;
use crate::registry::details::Details;
use crate::registry::end::storable_message;
use crate::registry::kind::Progress;
use crate::registry::local::{self, Current};
use crate::registry::slot::{DETAILS, FAILED};
use crate::registry::{Registry, registry, timeout};

/// The tracked task that is running on this thread; `None` outside of one.
///
/// Inside a [`track`](crate::track)ed future of a task, the handle is that of the future.
/// With `HEADCOUNT=off` it is `None` everywhere, so do not `unwrap` it.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// headcount::task("import").spawn(async {
///     if let Some(task) = headcount::current() {
///         task.set_status("reading");
///         task.set_progress(3, 10);
///         assert_eq!(task.name().as_deref(), Some("import"));
///     }
/// }).await.unwrap();
/// assert!(headcount::current().is_none());
/// # }
/// ```
pub fn current() -> Option<TaskHandle> {
    local::current().map(TaskHandle)
}

/// A task's handle to itself, from [`current`].
///
/// The handle may outlive the poll and the task. Once the task has ended, its setters do nothing.
#[derive(Clone, Debug)]
pub struct TaskHandle(Current);

// A panic leaves nothing half done that this handle could show: a slot is atomics and one lock around a few
// stores.
impl UnwindSafe for TaskHandle {}
impl RefUnwindSafe for TaskHandle {}

impl TaskHandle {
    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.0.id.into()
    }

    /// The task's name; `None` once it has ended.
    pub fn name(&self) -> Option<Arc<str>> {
        let group = self.0.slot.lock(self.0.id).map(|task| task.group())?;
        Some(registry().group(group).name.clone())
    }

    /// Sets the status: what the task is doing now.
    ///
    /// The last 16 statuses are kept. A status longer than 256 bytes is cut.
    /// The call costs an allocation and a lock, so set a status once per batch rather than once per row.
    pub fn set_status(&self, status: impl AsRef<str>) {
        let registry = registry();
        let status = registry.config.redacted(TextSource::Status, status.as_ref());
        let status: Arc<str> = name::cut(status, MAX_FIELD).into();
        self.update(registry, |details| details.push_status(clock::ticks(), status));
    }

    /// Sets the progress: `done` of `total` units. A `total` of 0 means that it is not known. Takes the
    /// task's lock.
    pub fn set_progress(&self, done: u64, total: u64) {
        let at = clock::ticks();
        self.update(registry(), |details| details.set_progress(at, Progress { done, total }));
    }

    /// Sets a field, as [`field`](crate::TaskBuilder::field) does at the spawn. Takes the task's lock.
    ///
    /// At most 16 fields; keys and values are cut at 256 bytes.
    pub fn set_field(&self, key: impl Into<Cow<'static, str>>, value: impl Display) {
        let registry = registry();
        // Before any lock is taken, since `redact` is the application's code.
        let (key, value) = storable_field(registry, key.into(), &value.to_string());
        self.update(registry, |details| {
            let _ = details.set_field(key, value);
        });
    }

    /// Gives it more time than its [timeout](crate::TaskBuilder::timeout), never more than the operator
    /// allows. False if it has no timeout, or has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    ///
    /// headcount::task("import").timeout(Duration::from_secs(30)).spawn(async {
    ///     if let Some(task) = headcount::current() {
    ///         assert!(task.extend(Duration::from_secs(10)));
    ///     }
    /// }).await.unwrap();
    /// # }
    /// ```
    pub fn extend(&self, by: Duration) -> bool {
        timeout::extend(self.0, by)
    }

    fn update(&self, registry: &Registry, change: impl FnOnce(&mut Details)) {
        // The task cannot end while its slot is locked, so no entry is made for an ended task.
        if let Some(mut task) = self.0.slot.lock(self.0.id) {
            task.set(DETAILS);
            registry.details.update(self.0.id, change);
        }
    }
}

/// Records that the running task returned this error, so that it ends with outcome `error`. A panic in
/// `Display` is caught.
pub fn note_failure(error: &dyn Display) {
    let Some(current) = local::current() else { return };
    let registry = registry();
    let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
    let message = storable_message(registry, text.as_deref().unwrap_or("[no text: Display panicked]"));
    if let Some(mut task) = current.slot.lock(current.id) {
        task.set(DETAILS | FAILED);
        registry.details.update(current.id, |details| details.message = Some(message));
    }
}
