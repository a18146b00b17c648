//! The coordinator: drives the [state machine](super::stage) on headcount's own thread.
//!
//! It waits for whatever comes first of: a signal, a command, the end of a watched task, the last task's end, a late task, a
//! hook's return, a moment. It hands that to the machine and performs what comes back, in [`effects`](super::effects). Nothing in
//! it blocks: lines go to the thread of the [log](super::log), tasks to that of the [hook](super::hooks).

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::abandoned::Abandoned;
use super::audience::Audience;
use super::control::{Cause, Command, Control, control};
use super::hooks::{self, Hooks};
use super::log::{BackOff, Logger};
use super::policy::Timers;
use super::signal::{Listener, Meaning, Signal};
use super::stage::{Effect, ExtendError, Input, Limits, Machine, Moment, Pending, Stage, Verdict};
use super::status::{EndedTask, Status};
use super::tally::Tally;
use super::text;
use crate::clock;
use crate::process::Process;
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::wait::Ended;
use crate::settings::{Linger, Settings};
use crate::snapshot::OnShutdown;

/// How often the figures for page and metrics are read anew while it drains.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Coordinator {
    pub(super) process: Arc<Process>,
    pub(super) audience: Vec<Box<dyn Audience>>,
    pub(super) control: &'static Control,
    pub(super) machine: Machine,
    origin: Instant,
    pub(super) log: Logger,
    pub(super) hooks: Hooks,
    /// The run of the hook before the abort.
    pub(super) hook: Option<hooks::Run>,
    /// Tasks whose grace is over, with the hook; then they are aborted.
    pub(super) batches: JoinSet<Vec<Current>>,
    ends: mpsc::UnboundedReceiver<Ended>,
    commands: mpsc::UnboundedReceiver<Command>,
    listener: Option<Listener>,
    /// A signal that came before the start that it forces.
    early: Option<Signal>,
    /// Inputs that an effect brought about.
    pub(super) inputs: VecDeque<Input>,
    pub(super) forced_by: Option<&'static str>,
    pub(super) exit_code: u8,
    pub(super) tally: Tally,
    pub(super) timers: Timers<Current>,
    /// Tasks that have a timer.
    pub(super) timed: HashSet<u64>,
    pub(super) abandoned: Abandoned,
    /// Tasks that a line named and that have not ended.
    pub(super) listed: HashMap<u64, Current>,
    pub(super) back_off: BackOff,
    pub(super) next_lines: Option<Moment>,
    pub(super) next_look: Option<Moment>,
    pub(super) settled: bool,
    pub(super) lingered_from: Option<Moment>,
    pub(super) finishing: Option<Verdict>,
    pub(super) exiting: bool,
}

/// What comes first.
enum Event {
    Signal(Meaning),
    Command(Command),
    Ended(Ended),
    HookReturned,
    GracesHooked(Vec<Current>),
    Arrival,
    /// The time, or the last task's end.
    Woken,
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        announce_delay: settings.announce_delay,
        drain_timeout: settings.drain_timeout,
        hook_timeout: settings.hook_timeout,
        abort_grace: settings.abort_grace,
        exit_after: settings.exit_after,
        linger: settings.linger == Linger::Auto,
    }
}

impl Coordinator {
    /// Sets everything up. Must run inside the runtime that will run it, with the dispatcher that it is to log through.
    pub(super) fn new(
        process: Arc<Process>,
        audience: Vec<Box<dyn Audience>>,
        log: Logger,
    ) -> io::Result<Self> {
        let settings = &process.settings;
        let control = control();
        control.set_serves_late(!settings.announce_delay.is_zero());
        let listener = settings.signals.then(|| Listener::start(&control.ladder)).transpose()?;
        Ok(Self {
            control,
            machine: Machine::new(limits(settings)),
            origin: Instant::now(),
            hooks: Hooks::start(settings.on_abandon.clone(), log.clone())?,
            log,
            hook: None,
            batches: JoinSet::new(),
            ends: registry().watch_ends(),
            commands: control.connect(),
            listener,
            early: None,
            inputs: VecDeque::new(),
            forced_by: None,
            exit_code: 0,
            tally: Tally::default(),
            timers: Timers::new(),
            timed: HashSet::new(),
            abandoned: Abandoned::default(),
            listed: HashMap::new(),
            back_off: BackOff::new(settings.log_interval),
            next_lines: None,
            next_look: None,
            settled: false,
            lingered_from: None,
            finishing: None,
            exiting: false,
            audience,
            process,
        })
    }

    pub(super) fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    /// Runs until the process ends.
    pub(super) async fn run(mut self) {
        loop {
            let event = self.next_event().await;
            self.handle(event);
            if let Some(verdict) = self.finishing.take() {
                self.conclude(verdict).await;
            }
            if self.exiting {
                self.end_process().await;
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let none_left = registry().none_left();
        tokio::pin!(none_left);
        // Enabled before the counts are read: a last task that ends in between is not missed.
        none_left.as_mut().enable();
        self.look();
        if self.finishing.is_some() || self.exiting {
            return Event::Woken;
        }
        let wake_at = self.wake_at();
        let drains = Stage::Draining <= self.machine.stage();
        tokio::select! {
            biased;
            meaning = heard(&mut self.listener) => Event::Signal(meaning),
            Some(command) = self.commands.recv() => Event::Command(command),
            Some(ended) = self.ends.recv() => Event::Ended(ended),
            () = returned(&mut self.hook) => Event::HookReturned,
            Some(Ok(tasks)) = self.batches.join_next(), if !self.batches.is_empty() => Event::GracesHooked(tasks),
            () = registry().admission.arrival(), if drains => Event::Arrival,
            () = none_left => Event::Woken,
            () = sleep_until(self.origin, wake_at) => Event::Woken,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Signal(meaning) => self.signal(meaning),
            Event::Command(command) => self.command(command),
            Event::Ended(ended) => self.ended(&ended),
            Event::HookReturned => {
                self.hook = None;
                self.feed(Input::HookReturned);
            }
            Event::GracesHooked(tasks) => self.abort_after_grace(&tasks),
            Event::Arrival => self.adopt(),
            Event::Woken => self.tick(),
        }
    }

    /// When something is due next.
    fn wake_at(&self) -> Option<Moment> {
        [self.machine.wake_at(), self.timers.next(), self.next_lines, self.next_look]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self) {
        let now = self.now();
        let due = self.timers.take(now);
        self.due(due);
        self.feed(Input::Tick);
        if self.next_lines.is_some_and(|at| at <= now) {
            self.write_lines();
        }
        if self.next_look.is_some_and(|at| at <= now) {
            self.refresh();
        }
    }

    /// Hands in what others changed: who asks, who waits, how many are left.
    fn look(&mut self) {
        if self.machine.stage() == Stage::Running {
            return;
        }
        let asked = self.control.was_asked();
        self.feed(Input::Asked(asked));
        self.feed(Input::Released(self.control.is_awaited() || !asked));
        if self.machine.stage() < Stage::Draining {
            return;
        }
        let mut pending = pending();
        pending.idle = 0 < pending.wait && !self.machine.last_told() && registry().only_idle_wait();
        // The line of a task's end comes before the line that all have ended: it is on its way.
        let on_its_way = |(id, current): (&u64, &Current)| current.slot.id() != *id;
        if pending.total() != 0 || !self.listed.iter().any(on_its_way) {
            self.feed(Input::Pending(pending));
        }
    }

    /// Hands an input to the machine and performs what comes of it.
    pub(super) fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let now = self.now();
            for effect in self.machine.on(now, input) {
                self.perform(effect);
            }
        }
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
            Meaning::LogOnly(signal) => {
                self.log.info(format!(
                    "{signal} came after the shutdown had begun: nothing changes, SIGINT forces"
                ));
            }
            Meaning::Force(signal) if self.machine.stage() == Stage::Running => self.early = Some(signal),
            Meaning::Force(signal) => self.force(signal.as_str(), signal.exit_code()),
            Meaning::Exit(_) | Meaning::Same => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start(cause) => self.start(&cause),
            Command::Force => self.force("API", 1),
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
        self.log.info(format!("Shutting down ({})", crate::name::escape(&cause.to_string())));
        let asked = self.control.was_asked();
        self.feed(Input::Asked(asked));
        self.feed(Input::Released(self.control.is_awaited() || !asked));
        self.feed(Input::Start);
        self.show_times();
        if let Some(signal) = self.early.take() {
            self.force(signal.as_str(), signal.exit_code());
        }
    }

    fn force(&mut self, by: &'static str, exit_code: u8) {
        match self.machine.stage() {
            Stage::Running => return,
            Stage::Announcing | Stage::Draining => {
                self.forced_by = Some(by);
                self.exit_code = exit_code;
                self.change_status(|status| status.forced_by = Some(by));
            }
            Stage::Aborting | Stage::Lingering => self.log.warn(format!("Forced again by {by}")),
            Stage::Done => {
                let within = text::length(limits(&self.process.settings).forced_exit_after());
                self.log.warn(format!("Forced by {by}: the process ends within {within}"));
            }
        }
        self.feed(Input::Force);
        self.show_times();
    }

    fn extend(&mut self, by: Duration) -> Result<(), ExtendError> {
        self.machine.may_extend(by)?;
        self.feed(Input::Extend(by));
        self.show_times();
        let left = self.machine.deadline().map(|at| text::whole_seconds(at.saturating_sub(self.now())));
        self.log.info(format!(
            "Deadline moved by {}: {} left",
            text::setting(Some(by)),
            left.as_deref().unwrap_or("no limit")
        ));
        Ok(())
    }

    /// Takes in the end of a watched task.
    fn ended(&mut self, ended: &Ended) {
        let id = ended.task.id();
        let group = registry().group(ended.task.group());
        let duration = clock::between(ended.task.started, ended.at);
        let was_abandoned = self.abandoned.contains(id);
        self.abandoned.note(ended);
        if self.listed.remove(&id).is_some()
            && !(was_abandoned && ended.outcome == headcount_core::Outcome::Abandoned)
        {
            // Ends that are told later have been counted already.
            let remaining = pending().total() + self.ends.len() as u64;
            self.log.info(format!("  {}", text::ended(&group.name, id, ended.outcome, duration, remaining)));
        }
        let task = EndedTask { id, name: Arc::clone(&group.name), outcome: ended.outcome, duration };
        self.change_status(|status| status.add_ended(task));
    }

    pub(super) fn change_status(&self, change: impl FnOnce(&mut Status)) {
        if let Some(status) = &mut *self.control.status.lock() {
            change(status);
        }
    }

    fn show_times(&self) {
        let since_start = |at: Option<Moment>| at.map(|at| at.saturating_sub(self.machine.began()));
        let (deadline, exit_at) = (since_start(self.machine.deadline()), since_start(self.machine.exit_at()));
        self.change_status(|status| (status.deadline, status.exit_at) = (deadline, exit_at));
    }

    /// When the figures are to be read again.
    pub(super) fn look_again(&mut self) {
        let every = if self.log.has_screen() { LOOK_EVERY / 2 } else { LOOK_EVERY };
        let on = matches!(self.machine.stage(), Stage::Draining | Stage::Aborting);
        self.next_look = on.then(|| self.now() + every);
    }
}

/// How many are waited for now.
pub(crate) fn pending() -> Pending {
    let counted = |policy| registry().counted(policy) as u64;
    Pending { wait: counted(OnShutdown::Wait), last: counted(OnShutdown::Last), idle: false }
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

async fn returned(hook: &mut Option<hooks::Run>) {
    match hook {
        Some(run) => run.returned().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(origin: Instant, at: Option<Moment>) {
    match at.and_then(|at| origin.checked_add(at)) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
