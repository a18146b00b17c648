//! What is known of one service or timer: its supervisor writes the record, readers and handles look at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::id::{GroupId, TaskId};
use crate::lifecycle::{Gate, gates};
use crate::lock::Mutex;
use crate::outcome::Outcome;
use crate::registry::begin::current_scope;
use crate::registry::details::Scope;
use crate::registry::kind::{Kind, OnShutdown};
use crate::registry::storm::{Admission, Storm};
use crate::service::backoff::Restart;
use crate::service::info::{GroupTerms, LastRun, ServiceId, ServiceInfo, ServiceState};
use crate::service::{critical, words};
use crate::spawn::Run;

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
    pub(super) fn new(terms: Terms) -> Self {
        let now = Instant::now();
        Self {
            id: ServiceId::next(),
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
        }
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
    pub(super) fn ends(&self, state: ServiceState) {
        self.waits(state, None);
    }

    /// It ends for good: if it is critical, the process stops. That is logged before anybody sees the state,
    /// and the stop finds the state.
    pub(super) fn ends_for_good(&self, state: ServiceState, how: &str, briefly: &'static str) {
        let name = || Arc::clone(&self.terms.name);
        let end =
            self.terms.critical.then(|| critical::CriticalEnd { name: name(), how: how.into(), briefly });
        if let Some(end) = &end {
            words::critical_ended(end, critical::is_followed());
        }
        self.ends(state);
        if let Some(end) = &end {
            critical::note(end);
        }
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

    /// Whether it cannot go on. One that has failed waits for [`run_now`](Self::run_now) as long as its
    /// supervisor lives.
    pub fn is_over_for_good(&self) -> bool {
        let inner = self.inner.lock();
        inner.state.is_over() && !inner.is_supervised
    }

    /// Asks for a run now; gives the state in which none can begin.
    pub fn run_now(&self) -> Result<(), ServiceState> {
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

    /// What metrics show of it, with the group of its tasks; `None` before its first run.
    pub(super) fn group_terms(&self, now: Instant) -> Option<(u32, GroupTerms)> {
        let mut inner = self.inner.lock();
        let group = inner.group?.get();
        let terms = GroupTerms {
            up: u64::from(inner.state == ServiceState::Running),
            restarts: inner.restarts,
            skipped: inner.skipped,
            last_success: inner.success_at(now),
        };
        Some((group, terms))
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
            return record.ends(ServiceState::Stopped);
        }
        words::lost(record);
        record.ends_for_good(ServiceState::Lost, words::RUNTIME_ENDED, words::RUNTIME_ENDED);
    }
}
