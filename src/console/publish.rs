//! The clients that watch, and what they are sent: once a second, one pass over the registry serves all
//! clients. While no client watches, nothing runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use console_api::Id;
use console_api::instrument::{State, Temporality, Update};
use console_api::tasks::TaskDetails;
use console_api::tasks::task_details::PollTimesHistogram;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tonic::Status;
use tracing::{info, warn};

use super::follow::Follower;
use super::polls::Watch;
use super::wire::{self, Hidden};
use crate::clock;
use crate::observer::Lines;
use crate::registry::{TaskSlot, registry};

const INTERVAL: Duration = Duration::from_secs(1);
/// Most streams of each sort at a time.
const MAX_STREAMS: usize = 8;
/// Messages that a client may be behind before it is let go.
const MAX_BEHIND: usize = 8;

/// What one stream is sent at a time.
pub(super) type Batch<T> = Arc<[T]>;
pub(super) type Answer<T> = oneshot::Sender<Result<mpsc::Receiver<Batch<T>>, Status>>;

/// A client's end of its connection, which all of its calls share.
pub(super) type Peer = Option<SocketAddr>;

/// What clients ask for.
#[derive(Debug)]
pub(super) enum Command {
    Updates(Peer, Answer<Update>),
    Details(u64, Answer<TaskDetails>),
    State(Answer<State>),
    Pause(Peer),
    Resume,
}

#[derive(Debug)]
pub(super) struct Publisher {
    commands: mpsc::Receiver<Command>,
    hidden: Hidden,
    lines: Lines,
    follower: Option<Follower>,
    updates: Streams<Update>,
    states: Streams<State>,
    details: Vec<Detail>,
    temporality: Temporality,
    /// The client that paused.
    paused_by: Peer,
    /// Clients let go for being slow.
    let_go: u64,
}

/// A task that clients look at in detail.
#[derive(Debug)]
struct Detail {
    id: u64,
    /// `None` once it has ended.
    slot: Option<TaskSlot>,
    watch: Option<Watch>,
    streams: Streams<TaskDetails>,
}

/// Streams that are sent the same.
#[derive(Debug)]
struct Streams<T>(Vec<(Peer, mpsc::Sender<Batch<T>>)>);

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Streams<T> {
    /// A new stream, whose first messages are these.
    fn open(&mut self, peer: Peer, first: Batch<T>) -> mpsc::Receiver<Batch<T>> {
        let (sender, receiver) = mpsc::channel(MAX_BEHIND);
        if sender.try_send(first).is_ok() {
            self.0.push((peer, sender));
        }
        receiver
    }

    /// Sends a batch to all streams and drops those that are too far behind; returns how many those were.
    fn send(&mut self, batch: &Batch<T>) -> u64 {
        let mut slow = 0;
        self.0.retain(|(_, stream)| match stream.try_send(batch.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                slow += 1;
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        slow
    }

    fn forget_closed(&mut self) {
        self.0.retain(|(_, stream)| !stream.is_closed());
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, peer: Peer) -> bool {
        self.0.iter().any(|(own, _)| *own == peer)
    }

    fn is_full(&self) -> bool {
        MAX_STREAMS <= self.0.len()
    }
}

impl Publisher {
    pub(super) fn new(commands: mpsc::Receiver<Command>, hidden: Hidden, lines: Lines) -> Self {
        Self {
            commands,
            hidden,
            lines,
            follower: None,
            updates: Streams::default(),
            states: Streams::default(),
            details: Vec::new(),
            temporality: Temporality::Live,
            paused_by: None,
            let_go: 0,
        }
    }

    /// Ends when the server does.
    pub(super) async fn run(mut self) {
        let mut clock = tokio::time::interval(INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                _ = clock.tick(), if self.is_watched() => self.tick(),
            }
        }
    }

    fn is_watched(&self) -> bool {
        !self.updates.is_empty() || !self.details.is_empty() || !self.states.is_empty()
    }

    /// If no client waits for the answer any more, the answer is dropped, and the stream with it.
    fn obey(&mut self, command: Command) {
        match command {
            Command::Updates(peer, answer) => drop(answer.send(self.open_updates(peer))),
            Command::Details(id, answer) => drop(answer.send(self.open_details(id))),
            Command::State(answer) => drop(answer.send(self.open_states())),
            Command::Pause(peer) => {
                self.paused_by = peer;
                self.turn(Temporality::Paused);
            }
            Command::Resume => self.turn(Temporality::Live),
        }
    }

    fn open_updates(&mut self, peer: Peer) -> Result<mpsc::Receiver<Batch<Update>>, Status> {
        self.forget_closed();
        if self.updates.is_full() {
            return Err(too_many());
        }
        let hidden = self.hidden;
        let follower = self.follower.get_or_insert_with(|| {
            self.lines.write(|| info!(target: "headcount", "A console is attached"));
            let mut follower = Follower::new(hidden);
            follower.pass(|_| false);
            follower
        });
        Ok(self.updates.open(peer, follower.everything().into()))
    }

    fn open_states(&mut self) -> Result<mpsc::Receiver<Batch<State>>, Status> {
        self.states.forget_closed();
        if self.states.is_full() {
            return Err(too_many());
        }
        Ok(self.states.open(None, Arc::new([self.state()])))
    }

    fn open_details(&mut self, id: u64) -> Result<mpsc::Receiver<Batch<TaskDetails>>, Status> {
        self.forget_closed();
        if let Some(detail) = self.details.iter_mut().find(|detail| detail.id == id) {
            if detail.streams.is_full() {
                return Err(too_many());
            }
            let first = Arc::new([detail.message()]);
            return Ok(detail.streams.open(None, first));
        }
        let slot = registry().find(id).map(|current| current.slot);
        let is_known = self.follower.as_ref().is_some_and(|follower| follower.knows(id));
        if slot.is_none() && !is_known {
            return Err(Status::not_found("no such task: it ended a while ago, or never was"));
        }
        let watch = slot.and_then(|_| Watch::begin(id));
        if slot.is_some() && watch.is_none() {
            return Err(too_many());
        }
        let mut detail = Detail { id, slot, watch, streams: Streams::default() };
        let first = Arc::new([detail.message()]);
        let receiver = detail.streams.open(None, first);
        self.details.push(detail);
        Ok(receiver)
    }

    fn state(&self) -> State {
        State { temporality: self.temporality as i32 }
    }

    fn turn(&mut self, temporality: Temporality) {
        self.temporality = temporality;
        let state: Batch<State> = Arc::new([self.state()]);
        self.let_go += self.states.send(&state);
    }

    fn tick(&mut self) {
        self.forget_closed();
        if self.temporality == Temporality::Live {
            self.publish();
        }
    }

    /// Forgets the streams that are closed. A client that paused and has left pauses no other.
    fn forget_closed(&mut self) {
        self.updates.forget_closed();
        self.states.forget_closed();
        self.details.iter_mut().for_each(|detail| detail.streams.forget_closed());
        self.details.retain(|detail| !detail.streams.is_empty());
        if self.temporality != Temporality::Live && !self.updates.has(self.paused_by) {
            self.turn(Temporality::Live);
        }
        if self.updates.is_empty() && self.follower.take().is_some() {
            self.lines.write(|| info!(target: "headcount", "No console is attached any more"));
        }
    }

    fn publish(&mut self) {
        let mut slow = 0;
        if let Some(follower) = &mut self.follower {
            let details = &self.details;
            let updates = follower.pass(|id| details.iter().any(|detail| detail.id == id));
            slow += self.updates.send(&updates.into());
        }
        for detail in &mut self.details {
            let message: Batch<TaskDetails> = Arc::new([detail.message()]);
            slow += detail.streams.send(&message);
        }
        self.details.retain(|detail| detail.slot.is_some());
        if 0 < slow {
            self.let_go += slow;
            let let_go = self.let_go;
            self.lines.write(
                move || warn!(target: "headcount", "Disconnected a console that was too slow ({let_go} since the start)"),
            );
        }
    }
}

impl Detail {
    /// How long its polls took; the last message of a task that has ended.
    fn message(&mut self) -> TaskDetails {
        self.slot = self.slot.filter(|slot| slot.id() == self.id);
        let histogram = self.watch.as_ref().and_then(Watch::histogram);
        TaskDetails {
            task_id: Some(Id { id: self.id }),
            now: Some(wire::time(clock::ticks())),
            poll_times_histogram: histogram.map(PollTimesHistogram::Histogram),
            scheduled_times_histogram: None,
        }
    }
}

fn too_many() -> Status {
    Status::resource_exhausted("too many consoles: detach one")
}
