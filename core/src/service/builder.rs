//! What a service or timer is to have, and its beginning.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::lock::Mutex;
use crate::name::{self, MAX_NAME};
use crate::registry::carriers::Captured;
use crate::registry::kind::{Kind, OnShutdown};
use crate::service::backoff::{Backoff, Restart};
use crate::service::error::ServiceError;
use crate::service::handle::ServiceHandle;
use crate::service::list;
use crate::service::record::{Record, Supervised, Terms};
use crate::service::run::{RunOutput, Runs};
use crate::service::{supervisor, ticker};
use crate::spawn::{LONGEST_TIMEOUT, TaskBuilder, task};

/// Work that must go on: a consumer, a listener, a loop. `factory` makes the future of each run, and is
/// called again for every restart.
///
/// A run may give nothing or a `Result`. A run that fails, be it by an `Err`, a panic, an abort or a timeout,
/// is followed by another one after a [`Backoff`]. Each run is a task of its own, of kind `service`, so its
/// end is counted and its failure logged. A panic of `factory` is a failure of the run.
///
/// At a shutdown [`draining()`](crate::draining) notifies the run, which is waited for as its policy says.
/// While the process drains nothing is restarted, and a back-off ends at once.
///
/// It works without `install`, and with `HEADCOUNT=off`.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headcount::ServiceError> {
/// use std::time::Duration;
/// use headcount::{Backoff, Restart};
///
/// async fn consume(queue: &str) -> Result<(), std::io::Error> {
///     # let _ = queue;
///     headcount::draining().await;
///     Ok(())
/// }
///
/// let consumer = headcount::service("consumer", || consume("orders"))
///     .restart(Restart::OnFailure, Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60)))
///     .spawn()?;
/// consumer.stop();
/// # Ok(())
/// # }
/// ```
pub fn service<F, R>(name: impl Into<Cow<'static, str>>, factory: F) -> Service<F>
where
    F: FnMut() -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: RunOutput,
{
    Service {
        common: Common::new(name.into()),
        factory,
        restart: Restart::default(),
        backoff: Backoff::default(),
        critical: false,
    }
}

/// Work to be done again and again: `period` from one tick to the next.
///
/// The first run begins at once. Runs never overlap: a tick that is due while a run is alive is skipped and
/// counted. Ticks are multiples of the period since the beginning, so that they do not drift, and a suspended
/// machine or a step of the clock brings no burst. A failed run does not end the timer.
///
/// Each run is a task of its own, of kind `timer`. A timer stops when the process begins to drain; a run that
/// is alive then is a task like any other.
///
/// It works without `install`, and with `HEADCOUNT=off`.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headcount::ServiceError> {
/// use std::time::Duration;
///
/// async fn refresh() -> Result<(), std::io::Error> {
///     Ok(())
/// }
///
/// let timer = headcount::every(Duration::from_secs(30), "refresh-cache").jitter(0.1).run(|| refresh())?;
/// timer.stop();
/// # Ok(())
/// # }
/// ```
pub fn every(period: Duration, name: impl Into<Cow<'static, str>>) -> Timer {
    Timer { common: Common::new(name.into()), period, jitter: 0.0 }
}

/// What services and timers have alike.
#[derive(Clone, Debug)]
struct Common {
    name: Cow<'static, str>,
    task: TaskBuilder,
    on_shutdown: OnShutdown,
    timeout: Option<Duration>,
}

impl Common {
    fn new(name: Cow<'static, str>) -> Self {
        Self { task: task(name.clone()), name, on_shutdown: OnShutdown::default(), timeout: None }
    }

    /// The runtime to begin on, if it has what is needed.
    fn runtime(&self, runtime: Option<&Handle>) -> Result<Handle, ServiceError> {
        let name = name::escape(&self.name);
        if self.name.is_empty() {
            return Err(ServiceError::invalid("a service or timer", "it has no name"));
        }
        match self.timeout {
            Some(timeout) if timeout.is_zero() => {
                return Err(ServiceError::invalid(&name, "a timeout of 0 would end each run as it begins"));
            }
            Some(timeout) if LONGEST_TIMEOUT < timeout => {
                return Err(ServiceError::invalid(&name, "its timeout is longer than 500 years"));
            }
            _ => {}
        }
        let runtime = match runtime {
            Some(runtime) => runtime.clone(),
            None => Handle::try_current().map_err(|_| ServiceError::no_runtime(&name))?,
        };
        if !has_time_driver(&runtime) {
            return Err(ServiceError::no_time_driver(&name));
        }
        Ok(runtime)
    }

    fn terms(&self, kind: Kind, location: &'static Location<'static>) -> Terms {
        Terms {
            name: name::cut(self.name.clone(), MAX_NAME).into(),
            kind,
            location: name::location(location).into(),
            critical: false,
            on_shutdown: self.on_shutdown,
            restart: None,
            stable_after: None,
            period: None,
            timeout: self.timeout,
        }
    }

    fn runs<F>(self, factory: F, location: &'static Location<'static>, record: &Record) -> Runs<F> {
        let captured = Mutex::new(Captured::new(&self.name));
        // The supervisor that spawns them is no task, so they have no parent to inherit it from.
        let task = match &record.scope {
            Some(scope) => self.task.scope(Arc::clone(scope)),
            None => self.task,
        };
        Runs { task, factory: Arc::new(Mutex::new(factory)), location, captured }
    }
}

/// Nothing of tokio's says so but a panic, which is caught here, before anything runs.
fn has_time_driver(runtime: &Handle) -> bool {
    let _entered = runtime.enter();
    catch_unwind(AssertUnwindSafe(|| drop(tokio::time::sleep(Duration::ZERO)))).is_ok()
}

macro_rules! common {
    () => {
        /// Adds a label to its runs; see [`TaskBuilder::label`].
        pub fn label(
            mut self,
            key: impl Into<Cow<'static, str>>,
            value: impl Into<Cow<'static, str>>,
        ) -> Self {
            self.common.task = self.common.task.label(key, value);
            self
        }

        /// Adds a field to its runs; see [`TaskBuilder::field`].
        pub fn field(mut self, key: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
            self.common.task = self.common.task.field(key, value);
            self
        }

        /// The longest time that a run may take; then it is aborted, and its outcome is `timeout`. By default
        /// there is none. See [`TaskBuilder::timeout`].
        pub fn timeout(mut self, at_most: Duration) -> Self {
            // A longer one is refused where it begins.
            self.common.task = self.common.task.timeout(at_most.min(LONGEST_TIMEOUT));
            self.common.timeout = Some(at_most);
            self
        }

        /// What becomes of a run that is alive when the process stops. By default it is [waited
        /// for](OnShutdown::Wait).
        pub fn on_shutdown(mut self, policy: OnShutdown) -> Self {
            self.common.task = self.common.task.on_shutdown(policy);
            self.common.on_shutdown = policy;
            self
        }

        /// The longest time that the shutdown waits for a run, from the moment it is notified; see
        /// [`TaskBuilder::grace`].
        pub fn grace(mut self, grace: Duration) -> Self {
            self.common.task = self.common.task.grace(grace);
            self
        }
    };
}

/// What a service is to have, from [`service`].
#[must_use = "a service begins when it is spawned"]
#[derive(Clone)]
pub struct Service<F> {
    common: Common,
    factory: F,
    restart: Restart,
    backoff: Backoff,
    critical: bool,
}

impl<F> Service<F> {
    common!();

    /// After which ends it runs again, and when. By default after failures, with the waits of
    /// [`Backoff::default`], and without a bound on restarts.
    pub fn restart(mut self, restart: Restart, backoff: Backoff) -> Self {
        (self.restart, self.backoff) = (restart, backoff);
        self
    }

    /// The process cannot do without it: once it has ended for good, the shutdown begins, and the process
    /// exits with code 70.
    ///
    /// It has ended for good when it has failed, when a run returned that is not followed by another, or
    /// when its runtime is gone; not when it was stopped. This is remembered until `install`, if that comes
    /// later. Without `install` nothing can stop the process, and the log says so.
    pub fn critical(mut self) -> Self {
        self.critical = true;
        self
    }
}

impl<F, R> Service<F>
where
    F: FnMut() -> R + Send + 'static,
    R: Future + Send + 'static,
    R::Output: RunOutput,
{
    /// Begins it on the current runtime.
    ///
    /// # Errors
    ///
    /// There is no runtime, it has no time driver, which back-offs need, or its back-off or timeout makes no
    /// sense.
    #[track_caller]
    pub fn spawn(self) -> Result<ServiceHandle, ServiceError> {
        self.begin(None, Location::caller())
    }

    /// Begins it on a runtime.
    ///
    /// # Errors
    ///
    /// The runtime has no time driver, which back-offs need, or its back-off or timeout makes no sense.
    #[track_caller]
    pub fn spawn_on(self, runtime: &Handle) -> Result<ServiceHandle, ServiceError> {
        self.begin(Some(runtime), Location::caller())
    }

    fn begin(
        self,
        runtime: Option<&Handle>,
        location: &'static Location<'static>,
    ) -> Result<ServiceHandle, ServiceError> {
        let Self { common, factory, restart, backoff, critical } = self;
        backoff.check().map_err(|what| ServiceError::invalid(&name::escape(&common.name), what))?;
        let runtime = common.runtime(runtime)?;
        let entered = runtime.enter();
        let terms = Terms {
            critical,
            restart: Some(restart),
            stable_after: Some(backoff.stable()),
            ..common.terms(Kind::Service, location)
        };
        let record = list::enter(terms);
        drop(entered);
        let supervised = Supervised::new(Arc::clone(&record));
        let runs = common.runs(factory, location, &record);
        runtime.spawn(supervisor::supervise(supervised, runs, restart, backoff));
        Ok(ServiceHandle(record))
    }
}

impl<F> fmt::Debug for Service<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.common.name)
            .field("restart", &self.restart)
            .field("backoff", &self.backoff)
            .field("critical", &self.critical)
            .finish_non_exhaustive()
    }
}

/// What a timer is to have, from [`every`].
#[must_use = "a timer begins when it is run"]
#[derive(Clone, Debug)]
pub struct Timer {
    common: Common,
    period: Duration,
    jitter: f64,
}

impl Timer {
    common!();

    /// Delays each tick but the first by a random part of the period, up to `part` of it, so that many
    /// processes do not tick at once: 0 to 1, by default 0. Ticks do not drift by it.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Begins it on the current runtime. `factory` makes the future of each run.
    ///
    /// # Errors
    ///
    /// There is no runtime, it has no time driver, the period is 0, the jitter is not between 0 and 1, or the
    /// timeout makes no sense.
    #[track_caller]
    pub fn run<F, R>(self, factory: F) -> Result<ServiceHandle, ServiceError>
    where
        F: FnMut() -> R + Send + 'static,
        R: Future + Send + 'static,
        R::Output: RunOutput,
    {
        self.begin(factory, None, Location::caller())
    }

    /// Begins it on a runtime.
    ///
    /// # Errors
    ///
    /// The runtime has no time driver, the period is 0, the jitter is not between 0 and 1, or the timeout
    /// makes no sense.
    #[track_caller]
    pub fn run_on<F, R>(self, factory: F, runtime: &Handle) -> Result<ServiceHandle, ServiceError>
    where
        F: FnMut() -> R + Send + 'static,
        R: Future + Send + 'static,
        R::Output: RunOutput,
    {
        self.begin(factory, Some(runtime), Location::caller())
    }

    fn begin<F, R>(
        self,
        factory: F,
        runtime: Option<&Handle>,
        location: &'static Location<'static>,
    ) -> Result<ServiceHandle, ServiceError>
    where
        F: FnMut() -> R + Send + 'static,
        R: Future + Send + 'static,
        R::Output: RunOutput,
    {
        let Self { common, period, jitter } = self;
        self::check(period, jitter)
            .map_err(|what| ServiceError::invalid(&name::escape(&common.name), what))?;
        let runtime = common.runtime(runtime)?;
        let entered = runtime.enter();
        let terms = Terms { period: Some(period), ..common.terms(Kind::Timer, location) };
        let record = list::enter(terms);
        drop(entered);
        let supervised = Supervised::new(Arc::clone(&record));
        let runs = common.runs(factory, location, &record);
        runtime.spawn(ticker::tick(supervised, runs, period, jitter));
        Ok(ServiceHandle(record))
    }
}

/// What is wrong with the terms of a timer, if anything is.
fn check(period: Duration, jitter: f64) -> Result<(), &'static str> {
    if period.is_zero() {
        return Err("a period of 0 would tick without a pause");
    }
    if !(0.0..=1.0).contains(&jitter) {
        return Err("its jitter is a part of the period: it must be between 0 and 1");
    }
    Ok(())
}
