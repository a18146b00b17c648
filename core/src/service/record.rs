//! What is known of each service and timer, and the list of them.
//!
//! A supervisor writes its record, readers and handles look at it. The list holds all that go on, and the
//! newest that are over.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::lifecycle::{Gate, gates};
use crate::lock::Mutex;
use crate::named::named;
use crate::outcome::Outcome;
use crate::registry::begin::current_scope;
use crate::registry::details::Scope;
use crate::registry::id::{GroupId, TaskId};
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::storm::{Admission, Storm};
use crate::service::backoff::Restart;
use crate::service::{critical, words};
use crate::spawn::Run;

/// Records kept of services and timers that are over.
const KEPT: usize = 100;

/// The id of a service or timer: never reused in a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ServiceId(u64);

impl ServiceId {
    /// The number, as JSON shows it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// From a number that an API answered; it may be the id of none.
impl From<u64> for ServiceId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({})", self.0)
    }
}

/// What a service or timer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ServiceState {
    /// A run is alive.
    Running,
    /// A timer between two ticks.
    Waiting,
    /// A service between two runs: the last one failed.
    BackingOff,
    /// A service that needed too many restarts.
    Failed,
    /// A service whose run returned, and whose terms say that this is its end.
    Ended,
    /// Stopped through its handle, or by the shutdown of the process.
    Stopped,
    /// Its runtime ended before it was stopped.
    Lost,
}

named!(ServiceState {
    Running => "running",
    Waiting => "waiting",
    BackingOff => "backing_off",
    Failed => "failed",
    Ended => "ended",
    Stopped => "stopped",
    Lost => "lost",
});

impl ServiceState {
    /// Whether no further run begins by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Failed | Self::Ended | Self::Stopped | Self::Lost)
    }
}

/// A service or timer at one moment, from [`services`] or its [handle](crate::ServiceHandle::info).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServiceInfo {
    /// Its id.
    pub id: ServiceId,
    /// Its name, which its runs have too.
    pub name: Arc<str>,
    /// [`Kind::Service`] or [`Kind::Timer`].
    pub kind: Kind,
    /// `file:line` of where it was begun.
    pub location: Arc<str>,
    /// What it is doing.
    pub state: ServiceState,
    /// For how long.
    pub state_for: Duration,
    /// Since it was begun.
    pub age: Duration,
    /// Whether its end for good stops the process.
    pub critical: bool,
    /// What becomes of a run when the process stops.
    pub on_shutdown: OnShutdown,
    /// After which ends a service runs again.
    pub restart: Option<Restart>,
    /// How often a timer ticks.
    pub period: Option<Duration>,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// The run that is alive, if one is.
    pub task: Option<TaskId>,
    /// For how long that run has been alive.
    pub running_for: Option<Duration>,
    /// The last run that ended.
    pub last: Option<LastRun>,
    /// How long ago a run last ended with outcome `ok`.
    pub last_success: Option<Duration>,
    /// In how long the next run begins.
    pub next_in: Option<Duration>,
    /// Runs begun.
    pub runs: u64,
    /// Runs that ended with another outcome than `ok`.
    pub failures: u64,
    /// Of these the newest ones without a success between them, nor a [stable](crate::Backoff::stable_after)
    /// run.
    pub failures_in_a_row: u64,
    /// Restarts of a service.
    pub restarts: u64,
    /// Ticks of a timer that passed while a run was alive, or while nothing ran.
    pub skipped: u64,
    /// Runs of a timer that took longer than its period.
    pub overruns: u64,
}

/// How a run of a service or timer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastRun {
    /// Its task; `None` with `HEADCOUNT=off`.
    pub task: Option<TaskId>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The text of its panic or error.
    pub message: Option<Arc<str>>,
    /// How long it took.
    pub took: Duration,
    /// How long ago it ended.
    pub ended_ago: Duration,
}

/// What stays as it was begun.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) location: Arc<str>,
    pub(super) critical: bool,
    pub(super) on_shutdown: OnShutdown,
    pub(super) restart: Option<Restart>,
    /// A run that lasts as long has made up for earlier failures.
    pub(super) stable_after: Option<Duration>,
    pub(super) period: Option<Duration>,
    pub(super) timeout: Option<Duration>,
}

/// How a run ended, for the record.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) message: Option<Arc<str>>,
    pub(super) took: Duration,
}

/// One service or timer.
#[derive(Debug)]
pub struct Record {
    pub(super) id: ServiceId,
    pub(super) terms: Terms,
    /// The leak check that it was begun in.
    pub(super) scope: Option<Arc<Scope>>,
    begun: Instant,
    inner: Mutex<Inner>,
    /// Wakes a supervisor that waits: a run is wanted.
    pub(super) wanted: Notify,
    /// Open once it is to stop.
    pub(super) stop: Gate,
    /// Wakes whatever waits for its end.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    state: ServiceState,
    since: Instant,
    /// Whether its supervisor lives, which begins runs.
    is_supervised: bool,
    wants_run: bool,
    is_running: bool,
    /// Of a run that is a tracked task.
    run: Option<Run>,
    began: Instant,
    group: Option<GroupId>,
    last: Option<(Option<TaskId>, Ended, Instant)>,
    last_success: Option<Instant>,
    /// The same by the wall clock, as it was shown.
    last_success_at: Option<SystemTime>,
    next: Option<Instant>,
    runs: u64,
    failures: u64,
    failures_in_a_row: u64,
    restarts: u64,
    skipped: u64,
    overruns: u64,
    storm: Storm,
}

impl Record {
    /// Enters a service or timer into the list.
    pub(super) fn enter(terms: Terms) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let now = Instant::now();
        let record = Arc::new(Self {
            id: ServiceId(NEXT.fetch_add(1, Ordering::Relaxed)),
            inner: Mutex::new(Inner {
                state: if terms.kind == Kind::Timer { ServiceState::Waiting } else { ServiceState::Running },
                since: now,
                is_supervised: true,
                wants_run: false,
                is_running: false,
                run: None,
                began: now,
                group: None,
                last: None,
                last_success: None,
                last_success_at: None,
                next: Some(now),
                runs: 0,
                failures: 0,
                failures_in_a_row: 0,
                restarts: 0,
                skipped: 0,
                overruns: 0,
                storm: Storm::default(),
            }),
            terms,
            scope: current_scope(),
            begun: now,
            wanted: Notify::new(),
            stop: Gate::new(),
            changed: Notify::new(),
        });
        LIST.lock().push(Arc::clone(&record));
        record
    }

    pub(super) fn began(&self, run: Option<Run>) {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        inner.enter(ServiceState::Running, now);
        (inner.is_running, inner.run, inner.began) = (true, run, now);
        (inner.next, inner.wants_run) = (None, false);
        inner.group = run.map(|run| run.group).or(inner.group);
        inner.runs += 1;
    }

    pub(super) fn run_ended(&self, ended: Ended) {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        if self.terms.stable_after.is_some_and(|stable| stable <= ended.took) {
            inner.failures_in_a_row = 0;
        }
        if ended.outcome == Outcome::Ok {
            inner.last_success = Some(now);
            inner.last_success_at = Some(SystemTime::now());
            inner.failures_in_a_row = 0;
        } else {
            inner.failures += 1;
            inner.failures_in_a_row += 1;
        }
        inner.is_running = false;
        let task = inner.run.take().map(|run| run.task);
        inner.last = Some((task, ended, now));
    }

    pub(super) fn waits(&self, state: ServiceState, next: Option<Instant>) {
        let mut inner = self.inner.lock();
        inner.enter(state, Instant::now());
        inner.next = next;
        drop(inner);
        self.changed.notify_waiters();
    }

    /// No further run begins.
    pub(super) fn is_over(&self, state: ServiceState) {
        self.waits(state, None);
        LIST.lock().trim();
    }

    pub(super) fn count_restart(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.restarts += 1;
        inner.restarts
    }

    pub(super) fn count_skipped(&self, ticks: u64) {
        self.inner.lock().skipped += ticks;
    }

    pub(super) fn count_overrun(&self) {
        self.inner.lock().overruns += 1;
    }

    /// Whether a line of this service may be written now, and how many were held back before.
    pub(super) fn admits_line(&self) -> Option<u64> {
        match self.inner.lock().storm.admit(clock::ticks()) {
            Admission::Write { held_back } => Some(held_back),
            Admission::HoldBack => None,
        }
    }

    /// Takes the wish for a run.
    pub(super) fn takes_wish(&self) -> bool {
        std::mem::take(&mut self.inner.lock().wants_run)
    }

    /// Asks for a run now; gives the state in which none can begin.
    pub(super) fn ask_for_run(&self) -> Result<(), ServiceState> {
        let mut inner = self.inner.lock();
        match inner.state {
            ServiceState::Waiting | ServiceState::BackingOff | ServiceState::Failed
                if inner.is_supervised && !self.stop.is_open() && !gates().draining.is_open() =>
            {
                inner.wants_run = true;
                drop(inner);
                self.wanted.notify_one();
                Ok(())
            }
            state => Err(state),
        }
    }

    pub(super) fn state(&self) -> ServiceState {
        self.inner.lock().state
    }

    /// Resolves once no further run begins by itself.
    pub(super) async fn over(&self) -> ServiceState {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Enabled before the state is read, so that no change in between is missed.
            changed.as_mut().enable();
            let state = self.state();
            if state.is_over() {
                return state;
            }
            changed.await;
        }
    }

    pub(super) fn info(&self) -> ServiceInfo {
        let (inner, now) = (self.inner.lock(), Instant::now());
        let since = |at: Instant| now.saturating_duration_since(at);
        let terms = &self.terms;
        ServiceInfo {
            id: self.id,
            name: Arc::clone(&terms.name),
            kind: terms.kind,
            location: Arc::clone(&terms.location),
            state: inner.state,
            state_for: since(inner.since),
            age: since(self.begun),
            critical: terms.critical,
            on_shutdown: terms.on_shutdown,
            restart: terms.restart,
            period: terms.period,
            timeout: terms.timeout,
            task: inner.run.map(|run| run.task),
            running_for: inner.is_running.then(|| since(inner.began)),
            last: inner.last.as_ref().map(|(task, ended, at)| LastRun {
                task: *task,
                outcome: ended.outcome,
                message: ended.message.clone(),
                took: ended.took,
                ended_ago: since(*at),
            }),
            last_success: inner.last_success.map(since),
            next_in: inner.next.map(|next| next.saturating_duration_since(now)),
            runs: inner.runs,
            failures: inner.failures,
            failures_in_a_row: inner.failures_in_a_row,
            restarts: inner.restarts,
            skipped: inner.skipped,
            overruns: inner.overruns,
        }
    }
}

/// By how much the wall clock has been set at least, where what was shown is wrong.
const CLOCK_STEP: Duration = Duration::from_secs(1);

impl Inner {
    /// When a run last succeeded, by the wall clock of now: the same at each reading, unless that clock was
    /// set.
    fn success_at(&mut self, now: Instant) -> Option<SystemTime> {
        let ago = now.saturating_duration_since(self.last_success?);
        let fresh = SystemTime::now().checked_sub(ago)?;
        let is_near = |shown: SystemTime| {
            let apart = shown.duration_since(fresh).or_else(|_| fresh.duration_since(shown));
            apart.is_ok_and(|apart| apart < CLOCK_STEP)
        };
        if !self.last_success_at.is_some_and(is_near) {
            self.last_success_at = Some(fresh);
        }
        self.last_success_at
    }

    fn enter(&mut self, state: ServiceState, now: Instant) {
        if self.state != state {
            (self.state, self.since) = (state, now);
        }
    }
}

/// Ends a record with its supervisor, however that ends.
#[derive(Debug)]
pub(super) struct Supervised(pub(super) Arc<Record>);

/// Supervisors alive: tasks of runtimes that are in no list.
static SUPERVISORS: AtomicU64 = AtomicU64::new(0);

/// How many supervisors of services and timers live in this process.
pub fn supervisors() -> u64 {
    SUPERVISORS.load(Ordering::Relaxed)
}

impl Supervised {
    pub(super) fn new(record: Arc<Record>) -> Self {
        SUPERVISORS.fetch_add(1, Ordering::Relaxed);
        Self(record)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        SUPERVISORS.fetch_sub(1, Ordering::Relaxed);
        let record = &self.0;
        record.inner.lock().is_supervised = false;
        if record.state().is_over() {
            return;
        }
        if record.stop.is_open() || gates().is_requested() || gates().draining.is_open() {
            return record.is_over(ServiceState::Stopped);
        }
        words::lost(record);
        record.ends_for_good(ServiceState::Lost, "its runtime ended");
    }
}

impl Record {
    /// It ends for good: if it is critical, the process stops. That is logged before anybody sees the state,
    /// and the stop finds the state.
    pub(super) fn ends_for_good(&self, state: ServiceState, how: &str) {
        let name = || Arc::clone(&self.terms.name);
        let end = self.terms.critical.then(|| critical::CriticalEnd { name: name(), how: how.into() });
        if let Some(end) = &end {
            words::critical_ended(end, critical::is_followed());
        }
        self.is_over(state);
        if let Some(end) = &end {
            critical::note(end);
        }
    }
}

static LIST: Mutex<List> = Mutex::new(List { records: Vec::new(), retired: None });

struct List {
    /// Oldest first.
    records: Vec<Arc<Record>>,
    /// What those counted that are not kept any more.
    retired: Option<HashMap<u32, (u64, u64)>>,
}

impl List {
    fn push(&mut self, record: Arc<Record>) {
        self.records.push(record);
        self.trim();
    }

    /// Lets go of the oldest records that are over, beyond those that are kept.
    fn trim(&mut self) {
        let over = self.records.iter().filter(|record| record.state().is_over()).count();
        let mut surplus = over.saturating_sub(KEPT);
        let retired = &mut self.retired;
        self.records.retain(|record| {
            let goes = 0 < surplus && record.state().is_over();
            if goes {
                surplus -= 1;
                let inner = record.inner.lock();
                if let Some(group) = inner.group {
                    let counts = retired.get_or_insert_default().entry(group.get()).or_default();
                    *counts = (counts.0 + inner.restarts, counts.1 + inner.skipped);
                }
            }
            !goes
        });
    }
}

/// All services and timers of this process that go on, and the newest 100 that are over; the oldest first.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), headcount::ServiceError> {
/// use std::time::Duration;
///
/// headcount::every(Duration::from_secs(30), "refresh-cache").run(|| async { /* … */ })?;
/// assert_eq!(&*headcount::services()[0].name, "refresh-cache");
/// # Ok(())
/// # }
/// ```
pub fn services() -> Vec<ServiceInfo> {
    let records = LIST.lock().records.clone();
    records.iter().map(|record| record.info()).collect()
}

/// Services and timers that go on, were begun inside a leak check, and have no run among `found`.
pub fn between_runs(scope: u64, found: &[TaskId]) -> Vec<ServiceInfo> {
    let records = LIST.lock().records.clone();
    let is_within = |record: &&Arc<Record>| record.scope.as_ref().is_some_and(|found| found.is_within(scope));
    let infos = records.iter().filter(is_within).map(|record| record.info());
    let is_found = |service: &ServiceInfo| service.task.is_some_and(|task| found.contains(&task));
    infos.filter(|service| !service.state.is_over() && !is_found(service)).collect()
}

/// The service or timer of this id.
pub fn find(id: ServiceId) -> Option<Arc<Record>> {
    LIST.lock().records.iter().find(|record| record.id == id).cloned()
}

impl Record {
    /// Asks for a run now, for the API.
    pub fn run_now(&self) -> Result<(), ServiceState> {
        self.ask_for_run()
    }
}

/// What metrics show of the services or timers of a group of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupTerms {
    /// Services that have a run alive.
    pub up: u64,
    pub restarts: u64,
    pub skipped: u64,
    /// When a run last ended with outcome `ok`.
    pub last_success: Option<SystemTime>,
}

/// For each group that has or had services or timers.
pub fn by_group() -> HashMap<u32, GroupTerms> {
    let (records, retired) = {
        let list = LIST.lock();
        (list.records.clone(), list.retired.clone().unwrap_or_default())
    };
    let (mut groups, now) = (HashMap::<u32, GroupTerms>::new(), Instant::now());
    for record in records {
        let mut inner = record.inner.lock();
        let Some(group) = inner.group else { continue };
        let terms = groups.entry(group.get()).or_default();
        terms.up += u64::from(inner.state == ServiceState::Running);
        terms.restarts += inner.restarts;
        terms.skipped += inner.skipped;
        terms.last_success = terms.last_success.into_iter().chain(inner.success_at(now)).max();
    }
    for (group, (restarts, skipped)) in retired {
        let terms = groups.entry(group).or_default();
        terms.restarts += restarts;
        terms.skipped += skipped;
    }
    groups
}
