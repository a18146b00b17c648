//! The builder: a task with a name, and whatever else it is to have.

use std::borrow::Cow;
use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Span;

use super::Site;
use super::launch::{
    Fallible, Size, begin_code, launch_blocking, launch_local_with, launch_on_with, launch_with,
};
use crate::id::{GroupId, TaskId};
use crate::registry::begin::{
    Begun, NewTask, begin_known, begin_site, begin_untracked, begin_with, code_name, plan_untracked,
};
use crate::registry::details::Scope;
use crate::registry::group::{NameSource, Signature};
use crate::registry::kind::{BLOCKING, FUTURE, Kind, LOCAL, OnShutdown, TASK, kind_of};
use crate::registry::plan::{Attempt, GivenTerms};
use crate::registry::terms::is_exempt;
use crate::registry::{is_enabled, registry};
use crate::terms::Limit;
use crate::tracked::{Entry, Tracked};

/// What a task is to have, from [`task`](fn@crate::task) or [`task!`](macro@crate::task).
#[must_use = "a task begins when it is spawned or tracked"]
#[derive(Clone, Debug)]
pub struct TaskBuilder {
    name: Name,
    labels: Pairs,
    policy: OnShutdown,
    grace: Option<Duration>,
    scope: Option<Arc<Scope>>,
    /// What most tasks do not have.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug)]
enum Name {
    /// That of the code.
    Code,
    Given(Cow<'static, str>),
    Site(&'static Site),
}

/// The first labels, as long as they are texts of the program.
#[derive(Clone, Copy, Debug)]
struct Pairs {
    count: usize,
    all: [(&'static str, &'static str); 2],
}

#[derive(Clone, Debug, Default)]
struct More {
    /// The labels behind the first ones.
    labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    fields: Vec<(Cow<'static, str>, String)>,
    span: Option<Span>,
    terms: GivenTerms,
}

/// Where a run of a service or timer is in the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) task: TaskId,
    pub(crate) group: GroupId,
}

impl TaskBuilder {
    /// A task that is named after its code, as [`spawn`](fn@crate::spawn) does it; for labels, fields and all
    /// else without a name.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// headcount::TaskBuilder::unnamed().field("order_id", 42).spawn(async { /* … */ }).await.unwrap();
    /// # }
    /// ```
    #[inline]
    pub const fn unnamed() -> Self {
        Self::new(Name::Code)
    }

    #[inline]
    pub(super) const fn named(name: Cow<'static, str>) -> Self {
        Self::new(Name::Given(name))
    }

    /// For [`task!`](macro@crate::task).
    #[doc(hidden)]
    #[inline]
    pub const fn at(site: &'static Site) -> Self {
        Self::new(Name::Site(site))
    }

    #[inline]
    const fn new(name: Name) -> Self {
        let labels = Pairs { count: 0, all: [("", ""); 2] };
        Self { name, labels, policy: OnShutdown::Wait, grace: None, scope: None, more: None }
    }

    #[inline]
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Adds a label, which its metrics have too: few values only, since each makes a group.
    ///
    /// At most 8 labels; later ones are dropped. A key given twice has the later value. Keys and values are
    /// cut at 128 bytes. Keys become what Prometheus allows: other characters than letters, digits and `_`
    /// become `_`, leading underscores go, and `task`, `kind`, `outcome`, `reason`, `le` and `quantile` get a
    /// `_` behind.
    #[inline]
    pub fn label(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        match (key.into(), value.into()) {
            (Cow::Borrowed(key), Cow::Borrowed(value)) if self.labels.count < 2 && self.more.is_none() => {
                self.labels.all[self.labels.count] = (key, value);
                self.labels.count += 1;
            }
            (key, value) => self.push_label(key, value),
        }
        self
    }

    #[cold]
    fn push_label(&mut self, key: Cow<'static, str>, value: Cow<'static, str>) {
        self.more().labels.push((key, value));
    }

    /// Adds a field: any value, seen on the dashboard, in the API, in reports, and as data in the log of a
    /// shutdown. A field is never in a metric, and not in the line of a failure.
    ///
    /// At most 16 fields, the first ones; a key given twice has the later value. Keys and values are cut at
    /// 256 bytes.
    pub fn field(mut self, key: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        self.more().fields.push((key.into(), value.to_string()));
        self
    }

    /// What becomes of it when the process stops. By default it is [waited for](OnShutdown::Wait).
    pub const fn on_shutdown(mut self, policy: OnShutdown) -> Self {
        self.policy = policy;
        self
    }

    /// It serves a connection for as long as its peer likes. At a shutdown it is notified, has a short grace,
    /// and is then cancelled, which is not a failure. The same as [`on_shutdown`](Self::on_shutdown) with
    /// [`OnShutdown::Connection`].
    pub const fn connection(self) -> Self {
        self.on_shutdown(OnShutdown::Connection)
    }

    /// How long the shutdown waits for this task after notifying it. Then the task is aborted and counts as
    /// abandoned; the exit code stays as it is. The deadline caps this time. Default: until the deadline.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Polls it inside the current span, which as with tokio it would not inherit, and logs its failure
    /// there.
    pub fn in_current_span(mut self) -> Self {
        self.more().span = Some(Span::current());
        self
    }

    /// Polls it inside a span, and logs its failure there.
    pub fn span(mut self, span: Span) -> Self {
        self.more().span = Some(span);
        self
    }

    /// Lets it belong to a leak check that is not its parent's.
    pub(crate) fn scope(mut self, scope: Arc<Scope>) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Spawns it, as [`tokio::spawn`] does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (begun, span) = self.begin::<F, TASK>(Location::caller());
        launch_with(future, begun, span)
    }

    /// Spawns it on a runtime, as [`Handle::spawn`] does.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn spawn_on<F>(self, future: F, runtime: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (begun, span) = self.begin::<F, TASK>(Location::caller());
        launch_on_with(future, begun, span, runtime)
    }

    /// Spawns a future that is not `Send`, as [`tokio::task::spawn_local`] does.
    ///
    /// # Panics
    ///
    /// Outside of a [`LocalSet`](tokio::task::LocalSet), as [`tokio::task::spawn_local`] does.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (begun, span) = self.begin::<F, LOCAL>(Location::caller());
        launch_local_with(future, begun, span)
    }

    /// Runs a closure on the blocking pool, as [`tokio::task::spawn_blocking`] does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn spawn_blocking<F, R>(self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (begun, span) = self.begin::<F, BLOCKING>(Location::caller());
        launch_blocking(closure, begun, span)
    }

    /// Spawns a future of a `Result`: an `Err` counts as outcome `error` and is logged. The handle gives the
    /// result as it is.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let parse = headcount::task("parse").spawn_fallible(async { "x".parse::<u32>() });
    /// assert!(parse.await.unwrap().is_err());
    /// # }
    /// ```
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn spawn_fallible<F, T, E>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let (begun, span) = self.begin::<F, TASK>(Location::caller());
        // Boxed before it is wrapped, for the same reason as elsewhere.
        if Size::<F>::IS_LARGE {
            launch_with(Fallible { future: Box::pin(future) }, begun, span)
        } else {
            launch_with(Fallible { future }, begun, span)
        }
    }

    /// Tracks a future without spawning it; see [`track`](fn@crate::track).
    #[track_caller]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn track<F: Future>(self, future: F) -> Tracked<F> {
        let (begun, span) = self.begin::<F, FUTURE>(Location::caller());
        Tracked::guest(future, Entry::new(begun, span))
    }

    /// Spawns one run of a service or timer. With tracking off the run has no place in the registry.
    #[cold]
    pub(crate) fn spawn_run<F, const KIND: u64>(
        self,
        future: F,
        location: &'static Location<'static>,
    ) -> (Option<Run>, JoinHandle<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (begun, span) = self.begin::<F, KIND>(location);
        let run = begun
            .filter(|_| is_enabled())
            .map(|begun| Run { task: begun.current().id.into(), group: begun.slot.own().group().into() });
        (run, launch_with(future, begun, span))
    }

    /// Enters the task into the registry.
    #[doc(hidden)]
    pub fn enter<F>(self, kind: Kind, location: &'static Location<'static>) -> Entry {
        let (begun, span) =
            self.begin_special(std::any::type_name::<F>(), kind, location, Attempt::default());
        Entry::new(begun, span)
    }

    /// Begins the task: the fast way if it has nothing but a name and labels that the program knows.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn begin<F, const KIND: u64>(
        self,
        location: &'static Location<'static>,
    ) -> (Option<Begun>, Option<Span>) {
        let is_plain = matches!(self.policy, OnShutdown::Wait)
            && self.grace.is_none()
            && self.scope.is_none()
            && self.more.is_none();
        let [first, second] = self.labels.all;
        let begun = match (&self.name, self.labels.count) {
            _ if !is_plain => None,
            (Name::Code, 0) => Some(begin_code::<F, KIND>(location)),
            (Name::Site(site), 0) => Some(begin_site::<KIND>(site)),
            (Name::Given(Cow::Borrowed("")), _) => None,
            (Name::Given(Cow::Borrowed(name)), 0) => Some(begin_known::<0, KIND, true>(name, [], location)),
            (Name::Given(Cow::Borrowed(name)), 1) => {
                Some(begin_known::<1, KIND, true>(name, [first], location))
            }
            (Name::Given(Cow::Borrowed(name)), 2) => {
                Some(begin_known::<2, KIND, true>(name, [first, second], location))
            }
            _ => None,
        };
        if let Some(begun) = begun {
            // There is nothing to drop, and the compiler cannot know that.
            std::mem::forget(self);
            return (begun, None);
        }
        let code = std::any::type_name::<F>();
        self.begin_special(code, kind_of(KIND), location, Attempt::default())
    }

    /// Begins the task the whole way. Its span is given back, with tracking off too.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_special(
        self,
        code: &'static str,
        kind: Kind,
        location: &'static Location<'static>,
        attempt: Attempt,
    ) -> (Option<Begun>, Option<Span>) {
        let More { labels: further, fields, span, terms } = *self.more.unwrap_or_default();
        if !is_enabled() {
            let given = self.name.text();
            let name = if given.is_empty() { code_name(code) } else { given.clone() };
            let begun = begin_untracked(&name, kind, span.is_some());
            if !matches!(kind, Kind::Future | Kind::Request) {
                let name = if given.is_empty() { NameSource::Code(code) } else { NameSource::Given(&given) };
                plan_untracked(name, location, (kind, self.policy, self.grace), terms, attempt);
            }
            return (begun, span);
        }
        let (mut labels, location) = match &self.name {
            Name::Site(site) => (site.labels(), site.location()),
            Name::Code | Name::Given(_) => (Vec::new(), location),
        };
        let pairs = self.labels.all.into_iter().take(self.labels.count);
        labels.extend(pairs.map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))));
        labels.extend(further);
        let given = self.name.text();
        let name = if given.is_empty() { NameSource::Code(code) } else { NameSource::Given(&given) };
        let task = NewTask {
            signature: Signature { name, labels: &labels, kind, location },
            fields: &fields,
            policy: self.policy,
            grace: self.grace,
            scope: self.scope,
            has_span: span.is_some(),
        };
        (Some(begin_with(&task, terms, attempt)), span)
    }

    /// The terms, to be changed.
    pub(super) fn terms_mut(&mut self) -> &mut GivenTerms {
        &mut self.more().terms
    }

    /// Whether rules with a `*` leave it alone, which has this name.
    pub(super) fn is_exempt(&self, name: &str) -> bool {
        let policy = if is_enabled() { registry().config.policy_for(name) } else { None };
        is_exempt(Kind::Task, policy.unwrap_or(self.policy))
    }

    /// The limit that its code gives it, and its name where it has one.
    pub(super) fn limit_and_name(&self) -> (Option<&'static Limit>, Cow<'static, str>) {
        (self.more.as_ref().and_then(|more| more.terms.limit), self.name.text())
    }
}

impl Name {
    /// The name as given; empty if it is that of the code.
    fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Site(site) => Cow::Borrowed(site.name()),
            Self::Given(name) => name.clone(),
            Self::Code => Cow::Borrowed(""),
        }
    }
}
