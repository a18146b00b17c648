//! The running task's own handle: what a task may say of itself.

use std::borrow::Cow;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::clock;
use crate::name::{self, MAX_FIELD};
use crate::registry::begin::storable_field;
use crate::registry::config::Text;
use crate::registry::details::Details;
use crate::registry::end::storable_message;
use crate::registry::id::TaskId;
use crate::registry::kind::Progress;
use crate::registry::local::{self, Current};
use crate::registry::slot::{DETAILS, FAILED};
use crate::registry::{Registry, registry};

/// The tracked task that runs here, also in code called by it; `None` outside of one.
///
/// Inside a [`track`](crate::track)ed future of a task, it is that future.
///
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
///         assert_eq!(task.name(), "import");
///     }
/// }).await.unwrap();
/// assert!(headcount::current().is_none());
/// # }
/// ```
pub fn current() -> Option<CurrentTask> {
    local::current().map(CurrentTask)
}

/// A task's handle to itself. It may outlive the task: then it does nothing.
#[derive(Clone, Debug)]
pub struct CurrentTask(Current);

// Nothing that a panic could leave half done can be seen through it: slots are atomics and one lock around a few stores.
impl UnwindSafe for CurrentTask {}
impl RefUnwindSafe for CurrentTask {}

impl CurrentTask {
    /// Its id: never reused in a process, below 2^53.
    pub fn id(&self) -> TaskId {
        self.0.id.into()
    }

    /// Its name; empty once it has ended.
    pub fn name(&self) -> String {
        let group = self.0.slot.lock(self.0.id).map(|task| task.group());
        group.map(|group| registry().group(group).name.to_string()).unwrap_or_default()
    }

    /// Says what it is doing. The last 16 are kept; longer ones than 256 bytes are cut.
    ///
    /// Costs an allocation and a lock of its own: for each batch rather than for each row.
    pub fn set_status(&self, status: impl AsRef<str>) {
        let registry = registry();
        let status = registry.config.redacted(Text::Status, status.as_ref());
        let status: Arc<str> = name::cut(status, MAX_FIELD).into();
        self.update(registry, |details| details.push_status(clock::ticks(), status));
    }

    /// Says how far it has come. A `total` of 0 says that it is not known.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.update(registry(), |details| details.progress = Some(Progress { done, total }));
    }

    /// Sets a field, as [`field`](crate::TaskBuilder::field) does at the spawn.
    pub fn set_field(&self, key: impl Into<Cow<'static, str>>, value: impl Display) {
        let registry = registry();
        // Before any lock is taken: it runs code of users.
        let (key, value) = storable_field(registry, key.into(), &value.to_string());
        self.update(registry, |details| details.set_field(key, value));
    }

    fn update(&self, registry: &Registry, change: impl FnOnce(&mut Details)) {
        // While the slot is locked the task does not end, so the entry is not made for one that has.
        if let Some(mut task) = self.0.slot.lock(self.0.id) {
            task.set(DETAILS);
            registry.details.update(self.0.id, change);
        }
    }
}

/// Notes that the running task returned this error: it ends with outcome `error`. A panic of its `Display` takes nothing from the task.
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
