//! Terms of a task: how long it may run, how many run at once, and what runs once at a time.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::admit::{Out, Ruling, leave_ruled, rule};
use super::builder::TaskBuilder;
use super::launch::launch_with;
use crate::clock;
use crate::lock::Mutex;
use crate::name::{self, MAX_FIELD};
use crate::registry::failure::hold_back;
use crate::registry::kind::Kind;
use crate::registry::plan::{Attempt, Unique};
use crate::registry::storm::{Admission, Storm};
use crate::registry::terms::choose;
use crate::registry::wait::Admit;
use crate::registry::{is_enabled, registry};
use crate::terms::gate::{Entered, Permit};
use crate::terms::rules::rules;
use crate::terms::{Limit, Reason, TrySpawnError};
use crate::tracked::Life;

/// Longer timeouts do not fit a clock of nanoseconds.
pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_secs(500 * 365 * 24 * 3600);

impl TaskBuilder {
    /// The longest time that it may run, counted from when it was admitted: from its spawn, unless it waits
    /// for a limit. Then it is aborted, with the outcome [`timeout`](crate::Outcome::Timeout).
    ///
    /// The time is kept outside of the future, by one thread of the process, so it needs no time driver and
    /// does not change the future's size. What cannot be aborted (a running closure, a
    /// [`track`](Self::track)ed future, a future stuck in a poll) is logged and shown as overdue, and its
    /// outcome stays as it is. The operator may set another timeout: `HEADCOUNT_TIMEOUT`.
    ///
    /// By default a task has no timeout. One of more than 500 years is logged as an error and ignored.
    ///
    /// # Cost
    ///
    /// An entry of an ordered list behind a lock, added at the spawn and removed at the end.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    ///
    /// let email = headcount::task("send-email")
    ///     .timeout(Duration::from_millis(10))
    ///     .spawn(std::future::pending::<()>());
    /// let error = email.await.unwrap_err();
    /// assert!(error.is_cancelled());
    /// assert_eq!(headcount::outcome_of(&error), headcount::Outcome::Timeout);
    /// # }
    /// ```
    pub fn timeout(mut self, at_most: Duration) -> Self {
        if LONGEST_TIMEOUT < at_most {
            self.log_too_long();
        } else {
            self.terms_mut().timeout = Some(at_most);
        }
        self
    }

    /// With the limit on lines that panics have, since a spawn in a loop would fill the log.
    #[cold]
    fn log_too_long(&self) {
        static LOGGED: Mutex<Option<Storm>> = Mutex::new(None);
        let admission = LOGGED.lock().get_or_insert_default().admit(clock::ticks());
        let Admission::Write { .. } = admission else { return hold_back() };
        let (_, name) = self.limit_and_name();
        let name = if name.is_empty() { "an unnamed task".into() } else { name::escape(&name) };
        let _ = catch_unwind(AssertUnwindSafe(|| {
            tracing::error!(target: "headcount", "Ignored the timeout of {name}: it is longer than 500 years");
        }));
    }

    /// Limits how many tasks that share this [`Limit`] run at once.
    ///
    /// `spawn` never blocks. A task above the limit waits in the order of the spawns, in the state `limited`.
    /// If as many wait as the limit's queue holds, the task is dropped, its handle is finished and cancelled,
    /// and its outcome is [`rejected`](crate::Outcome::Rejected). A closure of the blocking pool waits
    /// without a thread; a handle that is aborted after the closure began gives no result. It has no effect
    /// on [`track`](Self::track).
    ///
    /// A task that spawns its own kind and waits for it may never continue, as with any limit. Such a chain
    /// is logged.
    pub fn limit(mut self, limit: &'static Limit) -> Self {
        self.terms_mut().limit = Some(limit);
        self
    }

    /// Lets only one task of its name with this key be in flight. A second one is dropped, with the outcome
    /// [`rejected`](crate::Outcome::Rejected) and a handle that is finished and cancelled.
    ///
    /// Keys are cut at 256 bytes. It has no effect on [`track`](Self::track).
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let repository = 7;
    /// let first = headcount::task("rebuild").unique(repository).spawn(async { /* … */ });
    /// let second = headcount::task("rebuild").unique(repository).spawn(async { /* … */ });
    /// let error = second.await.unwrap_err();
    /// assert_eq!(headcount::outcome_of(&error), headcount::Outcome::Rejected);
    /// first.await.unwrap();
    /// # }
    /// ```
    pub fn unique(self, key: impl Display) -> Self {
        self.with_key(&key, false)
    }

    /// Lets only one task of its name with this key be in flight: one that is, is aborted, and this one
    /// begins after that has ended. Of several that wait for their turn the newest gets it; the others are
    /// cancelled.
    ///
    /// A running closure and a future stuck in a poll end when they do, and are waited for.
    pub fn unique_replace(self, key: impl Display) -> Self {
        self.with_key(&key, true)
    }

    fn with_key(mut self, key: &dyn Display, replaces: bool) -> Self {
        let key = name::cut(key.to_string().into(), MAX_FIELD).into_owned();
        self.terms_mut().unique = Some(Unique { key, replaces });
        self
    }

    /// Spawns it if it can run at once, and else gives the future back.
    ///
    /// It counts as spawned and rejected if it was not admitted, and is not logged.
    ///
    /// # Errors
    ///
    /// [`Full`](TrySpawnError::Full) if its limit is reached, [`Duplicate`](TrySpawnError::Duplicate) if
    /// another task has its key, [`Closed`](TrySpawnError::Closed) if the process stops and takes no new
    /// tasks.
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
    /// use headcount::{Limit, TrySpawnError};
    ///
    /// static IMPORTS: Limit = Limit::new("import", 1);
    ///
    /// let first = headcount::task("import").limit(&IMPORTS).try_spawn(async { 1 }).unwrap();
    /// let second = headcount::task("import").limit(&IMPORTS).try_spawn(async { 2 });
    /// let Err(TrySpawnError::Full(second)) = second else { panic!("the first one is there") };
    /// assert_eq!((first.await.unwrap(), second.await), (1, 2));
    /// # }
    /// ```
    #[track_caller]
    pub fn try_spawn<F>(self, future: F) -> Result<JoinHandle<F::Output>, TrySpawnError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if is_enabled() && registry().admission.current() == Admit::Refuse {
            return Err(TrySpawnError::Closed(future));
        }
        let attempt = Attempt { is_try: true, permit: None };
        let code = std::any::type_name::<F>();
        let (begun, span) = self.begin_special(code, Kind::Task, Location::caller(), attempt);
        match rule(begun) {
            Ruling::Plain => {}
            Ruling::Held(hold) => leave_ruled(hold),
            Ruling::Out(out) => {
                drop(Life::of(begun));
                return Err(match out {
                    Out::Rejected(Reason::Full) => TrySpawnError::Full(future),
                    Out::Rejected(Reason::Duplicate) => TrySpawnError::Duplicate(future),
                    Out::Closed => TrySpawnError::Closed(future),
                });
            }
        }
        Ok(launch_with(future, begun, span))
    }

    /// Waits until its limit has room, and spawns it then: for callers that can wait. Nothing is allocated
    /// for the task before. Callers take turns with tasks that were spawned and wait; they are not counted by
    /// the queue's bound.
    ///
    /// Without a limit it spawns at once.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, it has spawned nothing, and the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use headcount_core as headcount;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use headcount::Limit;
    ///
    /// static IMPORTS: Limit = Limit::new("import", 2);
    ///
    /// for file in 0..10 {
    ///     headcount::task("import").limit(&IMPORTS).spawn_when_free(async move { file }).await;
    ///     assert!(IMPORTS.running() <= 2);
    /// }
    /// # }
    /// ```
    #[track_caller]
    #[allow(clippy::async_yields_async, reason = "the handle is what the caller waits for")]
    pub fn spawn_when_free<F>(self, future: F) -> impl Future<Output = JoinHandle<F::Output>> + use<F>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let location = Location::caller();
        async move {
            let (code, name) = self.limit_and_name();
            let has_rule = rules().exist() && !name.is_empty();
            let rule = if has_rule { rules().limit(&name, self.is_exempt(&name)) } else { None };
            let permit = match choose(rule, code, &name) {
                Some(limit) => enter(limit).await,
                None => None,
            };
            let attempt = Attempt { is_try: false, permit };
            let code = std::any::type_name::<F>();
            let (begun, span) = self.begin_special(code, Kind::Task, location, attempt);
            launch_with(future, begun, span)
        }
    }
}

/// Waits for a place; `None` if there will never be one.
async fn enter(limit: &'static Limit) -> Option<Permit> {
    match limit.gate().enter(false) {
        Entered::Admitted(permit) => Some(permit),
        Entered::Waits(mut waiting) => Some(std::future::poll_fn(|context| waiting.poll(context)).await),
        Entered::Full => None,
    }
}
