//! What the process shares of its shutdown: what other threads ask of the coordinator, and what it publishes.
//!
//! The coordinator is the only one that changes the stage and opens [gates](super::gates); all others send it
//! a [`Command`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::census::slots;
use super::gates::{Gate, gates};
use super::machine::{ExtendError, Stage};
use super::off;
use super::report::Report;
use super::signal::{self, Signal};
use super::status::Status;
use crate::clock;
use crate::name::{MAX_NAME, cut};
use crate::registry::local::{self, Current};
use crate::registry::{is_enabled, registry};
use crate::snapshot::OnShutdown;
use headcount_core::internal::service::critical::CriticalEnd;

/// What begins a shutdown.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    Signal(Signal),
    /// A client of the admin server.
    Api,
    /// A critical service has ended for good.
    Critical(CriticalEnd),
    /// A text: of `shutdown(reason)`, the request limit, or `drain()`.
    Reason(Arc<str>),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => f.write_str(signal.as_str()),
            Self::Api => f.write_str("API"),
            Self::Critical(CriticalEnd { name, how, briefly }) => {
                // Clients of the admin server read the reason.
                let how = if registry().config.hides_messages() { briefly } else { &**how };
                write!(f, "critical service {name} has ended: {}", cut(how.into(), MAX_NAME))
            }
            Self::Reason(reason) => f.write_str(reason),
        }
    }
}

/// What the coordinator is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Start(Cause),
    /// Through the admin server.
    Force,
    Extend(Duration, oneshot::Sender<Result<(), ExtendError>>),
    /// The metrics were read.
    Scraped,
    /// Something awaits the report, or no longer does.
    Look,
}

/// One for the process.
pub(crate) struct Control {
    /// The machine's, for other threads.
    stage: AtomicU8,
    /// A shutdown is announced before it begins, so that a request beyond a limit is served until then.
    announces: AtomicBool,
    /// How many await the report.
    awaiting: AtomicUsize,
    /// Whether something that awaited the report has it, or will.
    delivered: AtomicBool,
    /// Tasks that await the report, by id; they are not waited for.
    exempt: Mutex<BTreeMap<u64, Exempt>>,
    commands: OnceLock<mpsc::UnboundedSender<Command>>,
    report: OnceLock<Report>,
    /// The report is given to all that await it.
    concluded: Gate,
    pub(crate) status: Mutex<Option<Status>>,
}

static CONTROL: Control = Control {
    stage: AtomicU8::new(0),
    announces: AtomicBool::new(true),
    awaiting: AtomicUsize::new(0),
    delivered: AtomicBool::new(false),
    exempt: Mutex::new(BTreeMap::new()),
    commands: OnceLock::new(),
    report: OnceLock::new(),
    concluded: Gate::new(),
    status: Mutex::new(None),
};

pub(crate) fn control() -> &'static Control {
    &CONTROL
}

impl Control {
    /// Gives the coordinator its end of the queue; once a process.
    pub(crate) fn connect(&self, announces: bool) -> mpsc::UnboundedReceiver<Command> {
        self.announces.store(announces, Ordering::Release);
        gates().settle_here(signal::give_back);
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = self.commands.set(sender);
        receiver
    }

    /// Asks the coordinator, if there is one.
    pub(crate) fn tell(&self, command: Command) {
        if let Some(commands) = self.commands.get() {
            // It ends with the process.
            let _ = commands.send(command);
        }
    }

    /// Begins the shutdown; false if it has begun, or headcount is not installed.
    pub(crate) fn begin(&self, cause: Cause) -> bool {
        let begins = self.commands.get().is_some() && gates().request();
        if begins {
            self.tell(Command::Start(cause));
        }
        begins
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Acquire)) % Stage::ALL.len()]
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage.number(), Ordering::Release);
    }

    /// Whether requests beyond a limit are served: while the shutdown is announced, or is about to be, or
    /// there is none.
    pub(super) fn serves_late(&self) -> bool {
        self.announces.load(Ordering::Acquire) && self.stage() <= Stage::Announcing
    }

    /// Whether the application follows the shutdown, and so has a say in when the process ends.
    pub(super) fn is_followed(&self) -> bool {
        gates().was_asked() || self.is_awaited() || self.delivered.load(Ordering::Acquire)
    }

    /// Whether something awaits the report now.
    pub(super) fn is_awaited(&self) -> bool {
        0 < self.awaiting.load(Ordering::Acquire)
    }

    pub(super) fn is_exempt(&self, id: u64) -> bool {
        self.exempt.lock().contains_key(&id)
    }

    /// The task is not waited for until [`end_exemption`](Self::end_exemption) was called as often.
    fn exempt(&self, task: Current) {
        let mut exempt = self.exempt.lock();
        if let Some(exempt) = exempt.get_mut(&task.id) {
            exempt.times += 1;
            return;
        }
        let Some(policy) = slots::policy(task) else { return };
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

    /// The report, once it is made. It is given to those that await it a moment later, see
    /// [`conclude`](Self::conclude).
    pub(crate) fn report(&self) -> Option<&Report> {
        self.report.get()
    }

    /// Keeps the report; the first that comes.
    pub(super) fn set_report(&self, report: Report) {
        let _ = self.report.set(report);
    }

    /// Gives the report to all that await it.
    pub(super) fn conclude(&self) {
        if self.is_awaited() {
            self.delivered.store(true, Ordering::Release);
        }
        self.concluded.open();
    }

    /// Begins the shutdown if nothing has, and resolves with its report.
    pub(crate) async fn drained(&'static self) -> Report {
        gates().note_asking();
        if let Some(pid) = gates().forked_from() {
            return Report::forked(pid);
        }
        let _awaiting = Awaiting::new(self);
        self.begin(Cause::Reason("drain()".into()));
        self.tell(Command::Look);
        let mut concluded = pin!(self.concluded.opened());
        if clock::is_tokio_paused() {
            tokio::select! {
                () = concluded.as_mut() => {}
                never = hold_paused_clock() => match never {},
            }
        } else {
            concluded.await;
        }
        self.delivered.store(true, Ordering::Release);
        self.report().cloned().unwrap_or_else(Report::empty)
    }
}

/// How long tasks that a gate has woken have to become runnable, in real time.
const WOKEN_WITHIN: Duration = Duration::from_millis(100);

/// Keeps the clock of a runtime of one thread from moving, while the stop waits for no task of the
/// application but goes on by itself, in real time.
///
/// A paused clock moves to the next timer as soon as everything waits. So a timeout around the drain would be
/// over before the coordinator, which has a thread of its own, has notified a task or written the report.
async fn hold_paused_clock() -> Infallible {
    let mut moved = Instant::now();
    loop {
        let none_left = registry().none_left();
        tokio::pin!(none_left);
        none_left.as_mut().enable();
        let gates = gates();
        let waits_for_us = match registry().counted(OnShutdown::Wait) {
            0 => gates.last_turn.is_open() && !registry().is_idle(),
            _ => gates.draining.is_open(),
        };
        if !waits_for_us {
            moved = Instant::now();
        }
        if waits_for_us && WOKEN_WITHIN < moved.elapsed() {
            none_left.await;
        } else {
            tokio::task::yield_now().await;
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

/// Something that awaits the report. If it is polled inside tracked tasks, those are not waited for
/// meanwhile.
struct Awaiting {
    control: &'static Control,
    tasks: Vec<Current>,
}

impl Awaiting {
    fn new(control: &'static Control) -> Self {
        control.awaiting.fetch_add(1, Ordering::AcqRel);
        let tasks = local::current().map(slots::enclosing).unwrap_or_default();
        tasks.iter().for_each(|task| control.exempt(*task));
        Self { control, tasks }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| self.control.end_exemption(*task));
        self.control.awaiting.fetch_sub(1, Ordering::AcqRel);
        self.control.tell(Command::Look);
    }
}

/// What a critical service that has ended for good is followed by.
pub(crate) fn critical_ended(end: &CriticalEnd) {
    control().begin(Cause::Critical(end.clone()));
}

/// Begins the shutdown of this process, as a signal would. `reason` is what log and report say of it.
///
/// Does nothing if a shutdown has begun already, [`Headcount`](crate::Headcount) is not installed, or this
/// process was forked from the one that it was installed in. With `HEADCOUNT=off` it resolves
/// [`draining()`](crate::draining), and nothing is waited for.
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
        gates().forked_from();
        let reason: Cow<'static, str> = reason.into();
        control().begin(Cause::Reason(crate::name::cut(reason, crate::name::MAX_MESSAGE).into()));
    } else {
        off::begin();
    }
}
