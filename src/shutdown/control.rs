//! What the whole process shares of its shutdown, and the functions that ask for it.
//!
//! The gates and counters here are statics: `draining()` and the like are free functions, and exist before `install` and without it.
//! The coordinator is the only one that opens gates and changes the stage; all others send it a [`Command`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{mpsc, oneshot, watch};

use super::gate::Gate;
use super::off;
use super::report::Report;
use super::signal::{Ladder, Signal};
use super::stage::{ExtendError, Stage};
use super::status::Status;
use crate::registry::local::{self, Current};
use crate::registry::{is_enabled, registry};
use crate::snapshot::OnShutdown;

/// What begins a shutdown.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    Signal(Signal),
    /// Somebody, through the admin server.
    Api,
    /// A text: of `shutdown(reason)`, the request limit, or `drain()`.
    Reason(Arc<str>),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(signal.as_str()),
            Self::Api => f.write_str("API"),
            Self::Reason(reason) => f.write_str(reason),
        }
    }
}

/// What the coordinator is told.
#[derive(Debug)]
pub(crate) enum Command {
    Start(Cause),
    /// Through the admin server.
    Force,
    Extend(Duration, oneshot::Sender<Result<(), ExtendError>>),
    /// The metrics were read.
    Scraped,
    /// Somebody asks, or waits for the report, or waits no more.
    Look,
}

/// One for the process.
pub(crate) struct Control {
    pub(crate) ladder: Ladder,
    /// Draining has begun.
    pub(crate) draining: Gate,
    /// It is the turn of the `Last` tasks.
    pub(crate) last_turn: Gate,
    /// Requests that are left are cut.
    pub(crate) cut: Gate,
    stage: AtomicU8,
    /// Whether anybody outside tracked tasks ever asked whether the process stops.
    asked: AtomicBool,
    /// A request that comes after the limit is served while the shutdown is announced, or is about to be, or there is none.
    serves_late: AtomicBool,
    /// How many await the report.
    awaiting: AtomicUsize,
    /// Tasks that await the report, by id; they are not waited for.
    exempt: Mutex<BTreeMap<u64, Exempt>>,
    commands: OnceLock<mpsc::UnboundedSender<Command>>,
    report: OnceLock<watch::Sender<Option<Report>>>,
    pub(crate) status: Mutex<Option<Status>>,
}

static CONTROL: Control = Control {
    ladder: Ladder::new(),
    draining: Gate::new(),
    last_turn: Gate::new(),
    cut: Gate::new(),
    stage: AtomicU8::new(0),
    asked: AtomicBool::new(false),
    serves_late: AtomicBool::new(true),
    awaiting: AtomicUsize::new(0),
    exempt: Mutex::new(BTreeMap::new()),
    commands: OnceLock::new(),
    report: OnceLock::new(),
    status: Mutex::new(None),
};

pub(crate) fn control() -> &'static Control {
    &CONTROL
}

impl Control {
    /// Gives the coordinator its end of the queue; once a process.
    pub(crate) fn connect(&self) -> mpsc::UnboundedReceiver<Command> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = self.commands.set(sender);
        receiver
    }

    /// Tells the coordinator, if there is one.
    pub(crate) fn tell(&self, command: Command) {
        if let Some(commands) = self.commands.get() {
            // It ends with the process.
            let _ = commands.send(command);
        }
    }

    /// Begins the shutdown; false if it has begun, or headcount is not installed.
    pub(crate) fn begin(&self, cause: Cause) -> bool {
        let begins = self.commands.get().is_some() && self.ladder.start();
        if begins {
            self.tell(Command::Start(cause));
        }
        begins
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Acquire)) % Stage::ALL.len()]
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage.number(), Ordering::Release);
        if Stage::Announcing < stage {
            self.set_serves_late(false);
        }
    }

    /// Whether requests beyond a limit are served.
    #[cfg_attr(not(feature = "tower"), expect(dead_code))]
    pub(crate) fn serves_late(&self) -> bool {
        self.serves_late.load(Ordering::Acquire)
    }

    pub(crate) fn set_serves_late(&self, serves: bool) {
        self.serves_late.store(serves, Ordering::Release);
    }

    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Whether somebody awaits the report now.
    pub(crate) fn is_awaited(&self) -> bool {
        0 < self.awaiting.load(Ordering::Acquire)
    }

    pub(crate) fn is_exempt(&self, id: u64) -> bool {
        self.exempt.lock().contains_key(&id)
    }

    /// The task is not waited for until [`end_exemption`](Self::end_exemption) was called as often.
    fn exempt(&self, task: Current) {
        let mut exempt = self.exempt.lock();
        if let Some(exempt) = exempt.get_mut(&task.id) {
            exempt.times += 1;
            return;
        }
        let Some(policy) = task.slot.lock(task.id).map(|task| task.policy()) else { return };
        exempt.insert(task.id, Exempt { policy, times: 1 });
        registry().set_policy(task, OnShutdown::Detach);
    }

    fn end_exemption(&self, task: Current) {
        let mut exempt = self.exempt.lock();
        let Entry::Occupied(mut entry) = exempt.entry(task.id) else { return };
        entry.get_mut().times -= 1;
        if entry.get().times == 0 {
            registry().set_policy(task, entry.remove().policy);
            // It may be one to be aborted, or have a grace.
            registry().admission.look();
        }
    }

    fn reports(&self) -> &watch::Sender<Option<Report>> {
        self.report.get_or_init(|| watch::Sender::new(None))
    }

    /// Gives the report to all who await it.
    pub(crate) fn publish(&self, report: Report) {
        self.reports().send_replace(Some(report));
    }

    /// Begins the shutdown if nothing has, and resolves with its report.
    pub(crate) async fn drained(&'static self) -> Report {
        self.note_asking();
        let _awaiting = Awaiting::new(self);
        self.begin(Cause::Reason("drain()".into()));
        self.tell(Command::Look);
        let mut reports = self.reports().subscribe();
        let published = reports.wait_for(Option::is_some).await;
        published.ok().and_then(|report| report.clone()).unwrap_or_else(Report::empty)
    }

    /// Somebody asks whether the process stops. Only who is no tracked task has a say in when it ends.
    fn note_asking(&self) {
        match local::current() {
            Some(task) => task.slot.mark_listening(),
            None if !self.asked.swap(true, Ordering::AcqRel) => self.tell(Command::Look),
            None => {}
        }
    }
}

/// A task that awaits the report.
struct Exempt {
    /// Its policy otherwise.
    policy: OnShutdown,
    /// How often it awaits it at once.
    times: usize,
}

/// Someone who awaits the report. If that is a tracked task, it is not waited for meanwhile.
struct Awaiting {
    control: &'static Control,
    task: Option<Current>,
}

impl Awaiting {
    fn new(control: &'static Control) -> Self {
        control.awaiting.fetch_add(1, Ordering::AcqRel);
        let task = local::current();
        if let Some(task) = task {
            control.exempt(task);
        }
        Self { control, task }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.control.end_exemption(task);
        }
        self.control.awaiting.fetch_sub(1, Ordering::AcqRel);
        self.control.tell(Command::Look);
    }
}

/// Begins the shutdown of this process, as a signal would. `reason` is what log and report say of it.
///
/// Does nothing if a shutdown has begun already, or [`Headcount`](crate::Headcount) is not installed.
///
/// # Examples
///
/// ```no_run
/// # fn lease_lost() -> bool { true }
/// if lease_lost() {
///     headcount::shutdown("the lease was lost");
/// }
/// ```
pub fn shutdown(reason: impl Into<Cow<'static, str>>) {
    if is_enabled() {
        let reason: Cow<'static, str> = reason.into();
        control().begin(Cause::Reason(crate::name::cut(reason, crate::name::MAX_MESSAGE).into()));
    } else {
        off::begin();
    }
}

/// Whether this process has been asked to stop; inside a task of [`OnShutdown::Last`], whether its turn has come.
///
/// Costs two loads. For loops that do not await; others better await [`draining`]. Unlike that it is true already while the
/// shutdown is announced and the service goes on.
pub fn shutdown_requested() -> bool {
    let control = control();
    control.note_asking();
    match local::current() {
        _ if !is_enabled() => off::begun(),
        Some(task) if is_last(task) => control.last_turn.is_open(),
        _ => control.ladder.is_started(),
    }
}

fn is_last(task: Current) -> bool {
    task.slot.own().policy() == OnShutdown::Last
}

/// Resolves when this process begins to drain; inside a task of [`OnShutdown::Last`], when its turn has come.
///
/// Whether it is inside such a task is decided at its first poll. Without [`Headcount`](crate::Headcount) installed it never
/// resolves.
///
/// # Cancel safety
///
/// Yes.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let refresh = headcount::spawn(async {
///     loop {
///         tokio::select! {
///             () = headcount::draining() => break,
///             () = tokio::time::sleep(std::time::Duration::from_secs(60)) => { /* refresh the cache */ }
///         }
///     }
/// });
/// # refresh.abort();
/// # }
/// ```
pub fn draining() -> Draining {
    Draining { waiting: Waiting::Unpolled }
}

pin_project_lite::pin_project! {
    /// Resolves when the process begins to drain; made by [`draining`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Draining {
        #[pin]
        waiting: Waiting,
    }
}

pin_project_lite::pin_project! {
    #[project = WaitingProjection]
    enum Waiting {
        Unpolled,
        Before { gate: &'static Gate, #[pin] opening: Notified<'static> },
        Off { signal: off::Signal },
        Over,
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").finish_non_exhaustive()
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.project().waiting;
        loop {
            match waiting.as_mut().project() {
                WaitingProjection::Unpolled => waiting.set(first_wait()),
                WaitingProjection::Before { gate, opening } => {
                    // Polled first, so that an opening in between is not missed.
                    let woken = opening.poll(context).is_ready();
                    if !woken && !gate.is_open() {
                        return Poll::Pending;
                    }
                    waiting.set(Waiting::Over);
                }
                WaitingProjection::Off { signal } => {
                    ready!(signal.as_mut().poll(context));
                    waiting.set(Waiting::Over);
                }
                WaitingProjection::Over => return Poll::Ready(()),
            }
        }
    }
}

/// What to wait for, where it is first polled.
fn first_wait() -> Waiting {
    if !is_enabled() {
        return Waiting::Off { signal: off::signal() };
    }
    let control = control();
    control.note_asking();
    let gate = match local::current() {
        Some(task) if is_last(task) => &control.last_turn,
        _ => &control.draining,
    };
    if gate.is_open() { Waiting::Over } else { Waiting::Before { gate, opening: gate.opening() } }
}
