//! The event loop.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::ending::Ending;
use super::hooks::{Handed, Handover, Hooks};
use super::ledger::Ledger;
use super::voice::Voice;
use crate::clock;
use crate::observer::{Heard, Observer, steps};
use crate::process::Process;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::wait::Ended;
use crate::settings::{Linger, Settings, SigHup, SigQuit};
use crate::shutdown::audience::Audience;
use crate::shutdown::census;
use crate::shutdown::control::{Cause, Command, Control, control};
use crate::shutdown::gates::gates;
use crate::shutdown::machine::{Effect, ExtendError, Forcer, Input, Limits, Machine, Moment, Stage, Verdict};
use crate::shutdown::report::Report;
use crate::shutdown::signal::{self, Listener, Meaning, Signal};
use crate::shutdown::status::{EndedTask, Status};
use crate::shutdown::timers::{Round, Timers};
use crate::shutdown::words::{Line, Logger};

pub(super) struct Coordinator {
    pub(super) process: Arc<Process>,
    pub(super) audience: Vec<Box<dyn Audience>>,
    pub(super) control: &'static Control,
    pub(super) machine: Machine,
    origin: Instant,
    ears: Ears,
    pub(super) timers: Timers<Current>,
    pub(super) ledger: Ledger,
    pub(super) voice: Voice,
    pub(super) handover: Handover,
    pub(super) ending: Ending,
    /// Inputs that an effect brought about.
    pub(super) inputs: VecDeque<Input>,
    /// What was abandoned when aborting began, for the hook.
    pub(super) left: Vec<Current>,
    pub(super) lingered_from: Option<Moment>,
    finishing: Option<Verdict>,
    exiting: bool,
}

/// What the coordinator listens to.
struct Ears {
    ends: UnboundedReceiver<Ended>,
    commands: UnboundedReceiver<Command>,
    listener: Option<Listener>,
    /// A signal that came before the start that it forces.
    early: Option<Signal>,
}

/// What comes first.
enum Event {
    Signal(Meaning),
    Command(Command),
    Ended(Ended),
    Handed(Handed),
    Arrival,
    /// The time, the last task's end, or something that asks.
    Woken,
}

/// Starts the coordinator's thread; it ends with the process.
pub(in crate::shutdown) fn start(
    process: Arc<Process>,
    observer: Observer,
    audience: Vec<Box<dyn Audience>>,
    log: Logger,
) -> io::Result<()> {
    let (begun, result) = mpsc::channel();
    let heard = Heard::now();
    // The runtime is built and dropped there: where `install` was called neither may be allowed.
    let run = move || {
        heard.run(|| {
            let last_words = log.clone();
            let run = || {
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(problem) => return drop(begun.send(Err(problem))),
                };
                runtime.block_on(async {
                    match Coordinator::new(process, observer, audience, log) {
                        Ok(coordinator) => {
                            let _ = begun.send(Ok(()));
                            coordinator.run().await;
                        }
                        Err(problem) => drop(begun.send(Err(problem))),
                    }
                });
            };
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                last_resort(&last_words);
            }
        });
    };
    thread::Builder::new().name("headcount-shutdown".to_owned()).spawn(run)?;
    result.recv().map_err(io::Error::other)?
}

/// A coordinator that panicked must not leave a process behind that cannot be stopped: what awaits the report
/// gets one, and tasks that await draining are woken. The third signal works in any case.
fn last_resort(log: &Logger) {
    log.line(Line::error("The coordinator panicked: nothing is waited for"));
    gates().request();
    gates().draining.open();
    gates().last_turn.open();
    let control = control();
    control.set_stage(Stage::Done);
    control.set_report(Report::empty());
    control.conclude();
}

pub(super) fn limits(settings: &Settings) -> Limits {
    Limits {
        announce_delay: settings.announce_delay,
        drain_timeout: settings.drain_timeout,
        hook_timeout: settings.hook_timeout,
        abort_grace: settings.abort_grace,
        exit_after: settings.exit_after,
        linger: settings.linger == Linger::Auto,
    }
}

/// The signals that the coordinator listens to.
fn wanted(settings: &Settings) -> Vec<Signal> {
    let mut wanted = Vec::new();
    if settings.signals {
        wanted.extend([Signal::Interrupt, Signal::Terminate]);
    }
    if settings.sighup == SigHup::Drain {
        wanted.push(Signal::HangUp);
    }
    if settings.sigquit == SigQuit::Stacks {
        wanted.push(Signal::Quit);
    }
    wanted
}

impl Coordinator {
    /// Sets everything up. Must run inside the runtime that will run it.
    fn new(
        process: Arc<Process>,
        observer: Observer,
        audience: Vec<Box<dyn Audience>>,
        log: Logger,
    ) -> io::Result<Self> {
        let settings = &process.settings;
        let control = control();
        let wanted = wanted(settings);
        // What can fail comes first, and signals come last of it: an `install` that fails takes nothing over.
        let hooks = Hooks::start(settings.on_abandon.clone(), log.clone())?;
        for signal in signal::blocked(&wanted) {
            log.line(Line::warn(format!(
                "{signal} is blocked in this process, by what started it: it will not arrive. Have that unblock it, \
                 or stop the service by another signal"
            )));
        }
        if settings.sighup == SigHup::Ignore {
            signal::ignore_hang_up()?;
        }
        let ears = Ears {
            listener: (!wanted.is_empty()).then(|| Listener::start(&wanted)).transpose()?,
            ends: registry().watch_ends(),
            commands: control.connect(!settings.announce_delay.is_zero()),
            early: None,
        };
        Ok(Self {
            audience,
            control,
            machine: Machine::new(limits(settings)),
            origin: Instant::now(),
            ears,
            timers: Timers::new(),
            ledger: Ledger::default(),
            voice: Voice::new(log, settings.log_interval, settings.drain_timeout),
            handover: Handover::new(hooks, settings.hook_timeout),
            ending: Ending::new(Arc::clone(&process), observer),
            inputs: VecDeque::new(),
            left: Vec::new(),
            lingered_from: None,
            finishing: None,
            exiting: false,
            process,
        })
    }

    pub(super) fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    /// Runs until the process ends.
    async fn run(mut self) {
        loop {
            let event = self.next_event().await;
            self.handle(event);
            if let Some(verdict) = self.finishing.take() {
                self.conclude(verdict).await;
            }
            if self.exiting {
                self.exit().await;
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let none_left = registry().none_left();
        tokio::pin!(none_left);
        // Enabled before the counts are read: a last task that ends in between is not missed.
        none_left.as_mut().enable();
        if self.machine.stage() != Stage::Running {
            self.feed(Input::Tick);
        }
        if self.finishing.is_some() || self.exiting {
            return Event::Woken;
        }
        let wake_at = self.wake_at();
        let drains = Stage::Draining <= self.machine.stage();
        tokio::select! {
            biased;
            meaning = heard(&mut self.ears.listener) => Event::Signal(meaning),
            Some(command) = self.ears.commands.recv() => Event::Command(command),
            Some(ended) = self.ears.ends.recv() => Event::Ended(ended),
            handed = self.handover.next() => Event::Handed(handed),
            () = registry().admission.arrival(), if drains => Event::Arrival,
            () = none_left => Event::Woken,
            () = gates().asking() => Event::Woken,
            () = sleep_until(self.origin, wake_at) => Event::Woken,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Signal(meaning) => self.signal(meaning),
            Event::Command(command) => self.command(command),
            Event::Ended(ended) => self.ended(&ended),
            Event::Handed(Handed::All) => self.feed(Input::HookReturned),
            Event::Handed(Handed::Batch(tasks, missed)) => {
                self.voice.hook_missed(missed);
                self.abort_after_grace(&tasks);
            }
            Event::Arrival => self.adopt(),
            Event::Woken => self.tick(),
        }
    }

    /// When something is due next.
    fn wake_at(&self) -> Option<Moment> {
        [self.machine.wake_at(), self.timers.next()].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        let now = self.now();
        let due = self.timers.take(now);
        self.due(due);
        if self.machine.stage() != Stage::Running {
            self.feed(Input::Tick);
        }
        if self.timers.is_due(Round::Lines, now) {
            self.write_lines();
        }
        if self.timers.is_due(Round::Look, now) {
            self.refresh();
        }
    }

    /// All that is known at this moment.
    fn facts(&self) -> Vec<Input> {
        let is_followed = self.control.is_followed();
        let is_released = self.control.is_awaited() || !is_followed;
        let mut facts = vec![Input::Asked(is_followed), Input::Released(is_released)];
        if Stage::Draining <= self.machine.stage() {
            let mut pending = census::pending();
            pending.idle = 0 < pending.wait && !self.machine.last_told() && registry().only_idle_wait();
            // The line of a task's end comes before the line that all have ended: it is on its way.
            if pending.total() != 0 || !self.ledger.awaits_an_end() {
                facts.push(Input::Pending(pending));
            }
        }
        facts
    }

    /// Hands an input to the machine, with all that is known, and performs what comes of it.
    pub(super) fn feed(&mut self, input: Input) {
        self.take_in_last_ends();
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let mut inputs = self.facts();
            inputs.push(input);
            for effect in self.machine.on(self.now(), &inputs) {
                self.perform(effect);
            }
        }
        self.publish();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Enter(stage) => self.enter(stage),
            Effect::TellTasks => self.tell_tasks(),
            Effect::TellLast => self.tell_last(),
            Effect::RunHook => self.run_hook(),
            Effect::Abort => self.abort_all(),
            Effect::Finish(verdict) => self.finishing = Some(verdict),
            Effect::Exit => self.exiting = true,
        }
    }

    fn signal(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Start(signal) => self.start(&Cause::Signal(signal)),
            Meaning::LogOnly(signal) => self.voice.came_after(signal),
            Meaning::Force(signal) if self.machine.stage() == Stage::Running => {
                self.ears.early = Some(signal);
            }
            Meaning::Force(signal) => self.force(signal.forcer()),
            Meaning::Dump => self.voice.dump_stacks(),
            Meaning::Exit(_) | Meaning::Same => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start(cause) => self.start(&cause),
            Command::Force => self.force(Forcer::Api),
            Command::Extend(by, reply) => drop(reply.send(self.extend(by))),
            Command::Scraped => self.feed(Input::Scraped),
            Command::Look => {}
        }
    }

    fn start(&mut self, cause: &Cause) {
        if self.machine.stage() != Stage::Running {
            return;
        }
        *self.control.status.lock() = Some(Status::new(cause.to_string().into()));
        self.voice.started(cause);
        self.feed(Input::Start);
        if let Some(signal) = self.ears.early.take() {
            self.force(signal.forcer());
        }
    }

    fn force(&mut self, by: Forcer) {
        match self.machine.stage() {
            Stage::Running => return,
            Stage::Announcing | Stage::Draining => {}
            Stage::Aborting | Stage::Lingering => self.voice.forced_again(by),
            _ => {
                self.voice.forced_when_done(by, limits(&self.process.settings).forced_exit_after());
            }
        }
        self.feed(Input::Force(by));
    }

    fn extend(&mut self, by: Duration) -> Result<(), ExtendError> {
        self.machine.may_extend(by)?;
        self.feed(Input::Extend(by));
        self.voice.extended(by, self.time_left());
        Ok(())
    }

    /// What is left until the deadline; `None` without one.
    pub(super) fn time_left(&self) -> Option<Duration> {
        Some(self.machine.deadline()?.saturating_sub(self.now()))
    }

    /// Takes in the end of a watched task.
    fn ended(&mut self, ended: &Ended) {
        let group = registry().group(ended.task.group());
        let duration = clock::between(ended.task.started, ended.at);
        if self.ledger.note_end(ended) {
            // Ends that are read later have been counted already.
            let remaining = census::pending().total() + self.ears.ends.len() as u64;
            self.voice.ended(&group.name, ended, duration, remaining);
        }
        let (id, outcome) = (ended.task.id(), ended.outcome);
        let task = EndedTask { id, name: Arc::clone(&group.name), outcome, duration };
        self.change_status(|status| status.add_ended(task));
    }

    /// Takes in all ends that have come, once nothing is waited for: the sums are made next.
    fn take_in_last_ends(&mut self) {
        if Stage::Draining <= self.machine.stage()
            && !self.ledger.is_settled()
            && census::pending().total() == 0
        {
            self.take_in_what_came();
        }
    }

    fn take_in_what_came(&mut self) {
        while let Ok(ended) = self.ears.ends.try_recv() {
            self.ended(&ended);
        }
    }

    /// Takes in the ends of all tasks that have ended; one that is on its way comes in a moment.
    pub(super) async fn take_in_gone(&mut self, at_most: Duration) {
        self.take_in_what_came();
        let all = async {
            while self.ledger.has_gone() {
                let Some(ended) = self.ears.ends.recv().await else { return };
                self.ended(&ended);
                self.take_in_what_came();
            }
        };
        let _ = steps::within(at_most, all).await;
    }

    /// Takes in ends until what was abandoned is gone, for so long at the most.
    pub(super) async fn take_in_ends(&mut self, at_most: Duration) {
        let all = async {
            while self.ledger.has_abandoned_alive() {
                let Some(ended) = self.ears.ends.recv().await else { return };
                self.ended(&ended);
            }
        };
        let _ = steps::within(at_most, all).await;
    }

    pub(super) fn change_status(&self, change: impl FnOnce(&mut Status)) {
        if let Some(status) = &mut *self.control.status.lock() {
            change(status);
        }
    }

    /// Shows other threads what the machine knows.
    fn publish(&self) {
        let since_start = |at: Option<Moment>| at.map(|at| at.saturating_sub(self.machine.began()));
        let (deadline, exit_at) = (since_start(self.machine.deadline()), since_start(self.machine.exit_at()));
        let forced_by = self.machine.forced_by().map(Forcer::as_str);
        self.change_status(|status| {
            (status.deadline, status.exit_at, status.forced_by) = (deadline, exit_at, forced_by);
        });
    }
}

async fn heard(listener: &mut Option<Listener>) -> Meaning {
    match listener {
        Some(listener) => match listener.next().await {
            Ok(meaning) => meaning,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn sleep_until(origin: Instant, at: Option<Moment>) {
    match at.and_then(|at| origin.checked_add(at)) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
