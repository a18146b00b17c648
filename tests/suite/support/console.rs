//! A client of the console that puts together what it is told, and asserts that it can be: that figures
//! belong to tasks and never go backwards, that times are in order, and that the real client would draw no
//! warning that is not true.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use console_api::field;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{InstrumentRequest, TaskDetailsRequest, Update};
use console_api::tasks::{Stats, Task, TaskDetails};
use headcount::Headcount;
use prost_types::Timestamp;
use tonic::Streaming;
use tonic::transport::Channel;

/// Where the console of this process is: one for all tests.
pub(crate) fn address() -> String {
    static INSTALLED: OnceLock<Headcount> = OnceLock::new();
    let hc = INSTALLED.get_or_init(|| {
        let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        Headcount::builder().console(loopback).admin(None).signals(false).install().unwrap()
    });
    format!("http://{}", hc.console_addr().unwrap())
}

pub(crate) async fn client() -> InstrumentClient<Channel> {
    InstrumentClient::connect(address()).await.unwrap()
}

/// What a client has put together of the updates it was sent.
pub(crate) struct Console {
    pub(crate) client: InstrumentClient<Channel>,
    updates: Streaming<Update>,
    metadata: Vec<u64>,
    pub(crate) tasks: HashMap<u64, Task>,
    pub(crate) stats: HashMap<u64, Stats>,
    /// The time of the last update.
    pub(crate) now: SystemTime,
    /// Tasks that began and ended unseen.
    pub(crate) missed: u64,
}

impl Console {
    pub(crate) async fn attach() -> Self {
        let mut client = client().await;
        let updates = client.watch_updates(InstrumentRequest {}).await.unwrap().into_inner();
        let mut console = Self {
            client,
            updates,
            metadata: Vec::new(),
            tasks: HashMap::new(),
            stats: HashMap::new(),
            now: SystemTime::UNIX_EPOCH,
            missed: 0,
        };
        console.next().await;
        console
    }

    /// Takes in the next update.
    pub(crate) async fn next(&mut self) {
        let update = self.updates.message().await.unwrap().expect("the stream goes on");
        let before = std::mem::replace(&mut self.now, update.now.unwrap().try_into().unwrap());
        assert!(before <= self.now, "time goes on");
        assert!(update.resource_update.is_none() && update.async_op_update.is_none());
        for new in update.new_metadata.into_iter().flat_map(|all| all.metadata) {
            self.metadata.push(new.id.unwrap().id);
        }
        let change = update.task_update.unwrap();
        self.missed += change.dropped_events;
        for task in change.new_tasks {
            let id = task.id.unwrap().id;
            assert!(self.metadata.contains(&task.metadata.unwrap().id), "metadata comes first");
            assert!(change.stats_update.contains_key(&id), "a new task comes with its figures");
            self.tasks.insert(id, task);
        }
        for (id, stats) in change.stats_update {
            let task = self.tasks.get(&id).expect("figures of a task that was never told");
            assert_cries_no_wolf(task, &stats);
            assert_is_in_order(&stats);
            if let Some(before) = self.stats.insert(id, stats) {
                assert_goes_on(&before, &stats);
            }
        }
    }

    /// Takes in updates until figures of a task of this name are as wanted.
    pub(crate) async fn until(&mut self, name: &str, wanted: impl Fn(&Stats) -> bool) -> (Task, Stats) {
        self.until_told(name, |_, stats| wanted(stats)).await
    }

    /// Takes in updates until a task of this name is as wanted.
    pub(crate) async fn until_told(
        &mut self,
        name: &str,
        wanted: impl Fn(&Task, &Stats) -> bool,
    ) -> (Task, Stats) {
        for _ in 0..20 {
            if let Some(found) = self.named(name).into_iter().find(|(task, stats)| wanted(task, stats)) {
                return found;
            }
            self.next().await;
        }
        panic!("no {name} as wanted in 20 updates: {:?}", self.named(name));
    }

    pub(crate) fn named(&self, name: &str) -> Vec<(Task, Stats)> {
        let tasks = self.tasks.values().filter(|task| text(task, "task.name") == name);
        tasks.map(|task| (task.clone(), self.stats[&task.id.unwrap().id])).collect()
    }

    pub(crate) async fn details(&mut self, task: &Task) -> Streaming<TaskDetails> {
        let request = TaskDetailsRequest { id: task.id };
        self.client.watch_task_details(request).await.unwrap().into_inner()
    }
}

/// The value of a field, as the client shows it; empty if there is none.
pub(crate) fn text(task: &Task, name: &str) -> String {
    let is_it = |field: &&console_api::Field| field.name == Some(field::Name::StrName(name.to_owned()));
    task.fields.iter().find(is_it).map(|field| field.value.as_ref().unwrap().to_string()).unwrap_or_default()
}

pub(crate) fn at(time: Option<Timestamp>) -> Option<SystemTime> {
    time.map(|time| SystemTime::try_from(time).unwrap())
}

pub(crate) fn span(time: Option<prost_types::Duration>) -> Duration {
    time.unwrap_or_default().try_into().unwrap()
}

pub(crate) fn polls(stats: &Stats) -> u64 {
    stats.poll_stats.as_ref().unwrap().polls
}

pub(crate) fn is_idle(stats: &Stats) -> bool {
    stats.dropped_at.is_none() && 0 < polls(stats) && !is_running(stats)
}

/// The client's own rule for a task that is being polled.
pub(crate) fn is_running(stats: &Stats) -> bool {
    let polls = stats.poll_stats.as_ref().unwrap();
    at(polls.last_poll_ended) < at(polls.last_poll_started)
}

pub(crate) fn is_dropped(stats: &Stats) -> bool {
    stats.dropped_at.is_some()
}

/// Taken off the list, since other tasks are shown in its place.
pub(crate) fn is_withdrawn(stats: &Stats) -> bool {
    stats.dropped_at.is_some_and(|at| at.seconds == 0)
}

/// By the client's own rules.
fn assert_cries_no_wolf(task: &Task, stats: &Stats) {
    let is_awake =
        polls(stats) == 0 || at(stats.poll_stats.as_ref().unwrap().last_poll_started) < at(stats.last_wake);
    let has_no_waker = stats.waker_clones.saturating_sub(stats.waker_drops) == 0;
    let has_lost_its_waker = !is_dropped(stats) && has_no_waker && !is_running(stats) && !is_awake;
    assert!(!has_lost_its_waker, "no waker of {task:?} is seen: {stats:?}");
    assert!(2 * stats.self_wakes <= stats.wakes, "{stats:?}");
    let sizes = ["size.bytes", "original_size.bytes"];
    assert!(sizes.iter().all(|size| text(task, size).is_empty()), "{task:?}");
}

fn assert_is_in_order(stats: &Stats) {
    let created = at(stats.created_at);
    let polls = stats.poll_stats.as_ref().unwrap();
    for later in [stats.last_wake, polls.first_poll, polls.last_poll_started, polls.last_poll_ended] {
        assert!(later.is_none() || created <= at(later), "{stats:?}");
    }
    if is_dropped(stats) && !is_withdrawn(stats) {
        let dropped = at(stats.dropped_at);
        assert!(created.max(at(polls.last_poll_ended)) <= dropped, "{stats:?}");
        let lived = dropped.unwrap().duration_since(created.unwrap()).unwrap();
        // Each is rounded for itself.
        let parts = span(polls.busy_time) + span(stats.scheduled_time);
        assert!(parts <= lived + Duration::from_nanos(2), "{stats:?}");
    }
}

fn assert_goes_on(before: &Stats, stats: &Stats) {
    let busy = |stats: &Stats| span(stats.poll_stats.as_ref().unwrap().busy_time);
    assert_eq!(before.created_at, stats.created_at);
    assert!(polls(before) <= polls(stats) && before.wakes <= stats.wakes, "{before:?}, then {stats:?}");
    assert!(busy(before) <= busy(stats), "{before:?}, then {stats:?}");
    // One that was withdrawn may be shown again as it ends.
    let is_over = is_dropped(before) && !is_withdrawn(before) && !is_withdrawn(stats);
    assert!(!is_over || before.dropped_at == stats.dropped_at, "{before:?}, then {stats:?}");
}
