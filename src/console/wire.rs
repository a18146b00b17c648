//! The console's own messages, made of what the registry holds.
//!
//! The client derives warnings from these figures. What the registry does not know is therefore filled in so
//! that no warning is false:
//!
//! - **Wakers.** It takes an idle task whose waker was cloned no more often than dropped for lost. The
//!   registry does not see wakers, so a live task has one clone and a finished one has dropped it. `wakes`
//!   are those that led to a poll: one less than the polls. None is a wake of the task by itself.
//! - **Scheduled.** A spawned task counts as woken until its first poll. Later the time from wake to poll is
//!   part of the idle time.
//! - **Busy** time is exact. The begin of the last poll is known while it lasts and where it was the only
//!   one; else it is given as its end.
//! - **Size** is absent, and with it the warnings about large and boxed futures.

use std::borrow::Cow;
use std::time::SystemTime;

use console_api::field::{Name, Value};
use console_api::instrument::Update;
use console_api::register_metadata::NewMetadata;
use console_api::tasks::{Stats, Task, TaskUpdate, task};
use console_api::{Field, Id, Location, MetaId, Metadata, PollStats, RegisterMetadata, metadata};
use prost::Message;
use prost_types::{Duration, Timestamp};

use crate::clock;
use crate::name::{cut, escape};
use crate::registry::details::Details;
use crate::registry::group::Group;
use crate::registry::slot::Reading;
use crate::snapshot::{Kind, OnShutdown};
use headcount_core::Outcome;

/// All tasks share one callsite, since they have none of their own.
const METADATA: MetaId = MetaId { id: 1 };
/// Longest value of a field, in bytes: a terminal shows little more.
const MAX_VALUE: usize = 128;
/// Most bytes in one message; the client takes 4 MiB.
const MAX_MESSAGE: usize = 1 << 20;
/// About what the figures of a task take in a message.
const STATS_SIZE: usize = 128;
/// Fields that have a meaning of their own to the client.
const RESERVED: [&str; 7] =
    ["task.name", "task.id", "kind", "target", "size.bytes", "original_size.bytes", "spawn.location"];

/// What is left out, by the setting `hide`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hidden {
    pub(super) fields: bool,
    pub(super) messages: bool,
}

/// What is sent about a task besides its group and its reading.
#[derive(Debug, Default)]
pub(super) struct Extras<'a> {
    pub(super) details: Option<&'a Details>,
    pub(super) outcome: Option<Outcome>,
    pub(super) message: Option<&'a str>,
}

/// What does not change while a task lives, or seldom does.
pub(super) fn task(group: &Group, reading: &Reading, extras: &Extras<'_>, hidden: Hidden) -> Task {
    let mut fields = vec![
        text("task.name", &group.name),
        number("task.id", reading.id()),
        text("kind", group.kind.as_str()),
    ];
    fields.extend(group.labels.iter().map(|(key, value)| text(&own_key(key), value)));
    fields.extend(reading.parent().map(|parent| number("parent", parent)));
    if reading.policy() != OnShutdown::Wait {
        fields.push(text("on_shutdown", reading.policy().as_str()));
    }
    extra_fields(&mut fields, extras, hidden);
    Task {
        id: Some(Id { id: reading.id() }),
        metadata: Some(METADATA),
        kind: kind_of(group.kind) as i32,
        fields,
        parents: Vec::new(),
        location: location(&group.location),
    }
}

fn extra_fields(fields: &mut Vec<Field>, extras: &Extras<'_>, hidden: Hidden) {
    if let Some(details) = extras.details {
        if !hidden.fields {
            fields.extend(details.fields.iter().map(|(key, value)| text(&own_key(key), value)));
        }
        if let Some(status) = details.status() {
            fields.push(text("status", status));
        }
        if let Some(progress) = details.progress {
            fields.push(text("progress", &format!("{}/{}", progress.done, progress.total)));
        }
    }
    if let Some(outcome) = extras.outcome.filter(|outcome| *outcome != Outcome::Ok) {
        fields.push(text("outcome", outcome.as_str()));
    }
    if let Some(message) = extras.message.filter(|_| !hidden.messages) {
        fields.push(text("message", message));
    }
}

/// The line that stands for live tasks that are not sent. It has the id 0, which no task has.
pub(super) fn more_line(left_out: usize) -> Task {
    let name = format!("{left_out} more live tasks, not shown");
    Task {
        id: Some(Id { id: 0 }),
        metadata: Some(METADATA),
        kind: task::Kind::Spawn as i32,
        fields: vec![text("task.name", &name), text("kind", "headcount")],
        parents: Vec::new(),
        location: None,
    }
}

/// The figures of that line.
pub(super) fn more_stats(since: u64, until: Option<u64>) -> Stats {
    Stats {
        created_at: Some(time(since)),
        dropped_at: until.map(time),
        poll_stats: Some(PollStats { busy_time: Some(Duration::default()), ..PollStats::default() }),
        ..Stats::default()
    }
}

/// The figures of a task, which ended at `end`.
pub(super) fn stats(reading: &Reading, end: Option<u64>) -> Stats {
    let is_scheduled = reading.is_queued() && is_spawned(reading.kind());
    let waits = is_scheduled && end.is_none();
    let unpolled = end.filter(|_| is_scheduled);
    Stats {
        created_at: Some(time(reading.started)),
        dropped_at: end.map(time),
        wakes: reading.polls().saturating_sub(1),
        waker_clones: 1,
        waker_drops: u64::from(end.is_some()),
        last_wake: waits.then(|| time(reading.started)),
        poll_stats: Some(poll_stats(reading, end)),
        self_wakes: 0,
        scheduled_time: Some(span(reading.started, unpolled.unwrap_or(reading.started))),
    }
}

/// The figures that take a live task off the client's list: dropped before it began, and so longer ago than
/// any client keeps.
pub(super) fn withdrawn(reading: &Reading) -> Stats {
    Stats { dropped_at: Some(SystemTime::UNIX_EPOCH.into()), ..stats(reading, None) }
}

fn poll_stats(reading: &Reading, end: Option<u64>) -> PollStats {
    let started = begin_of_last_poll(reading);
    let ended = match (reading.polling_since(), end) {
        (Some(_), end) => end,
        (None, _) => (!reading.is_queued()).then(|| reading.since()),
    };
    let busy = end.map_or(reading.busy, |end| reading.busy_until(end));
    PollStats {
        polls: reading.polls(),
        first_poll: started.filter(|_| reading.polls() == 1).map(time),
        last_poll_started: started.map(time),
        last_poll_ended: ended.map(time),
        busy_time: Some(span(0, busy)),
    }
}

fn begin_of_last_poll(reading: &Reading) -> Option<u64> {
    if reading.is_queued() {
        return None;
    }
    let only = (reading.polls() == 1).then(|| reading.since().saturating_sub(reading.busy));
    Some(reading.polling_since().or(only).unwrap_or_else(|| reading.since()))
}

fn is_spawned(kind: Kind) -> bool {
    matches!(kind, Kind::Task | Kind::Local | Kind::Blocking | Kind::Service | Kind::Timer)
}

fn kind_of(kind: Kind) -> task::Kind {
    if kind == Kind::Blocking { task::Kind::Blocking } else { task::Kind::Spawn }
}

pub(super) fn time(ticks: u64) -> Timestamp {
    clock::steady_wall(ticks).into()
}

fn span(start: u64, end: u64) -> Duration {
    Duration::try_from(clock::between(start, end)).unwrap_or_default()
}

fn location(place: &str) -> Option<Location> {
    let (file, line) = place.rsplit_once(':')?;
    Some(Location { file: Some(file.to_owned()), line: line.parse().ok(), module_path: None, column: None })
}

/// A key of the user's own, distinguished from the keys that the client takes for its own.
fn own_key(key: &str) -> Cow<'_, str> {
    if RESERVED.contains(&key) { Cow::Owned(format!("{key}_")) } else { Cow::Borrowed(key) }
}

fn text(key: &str, value: &str) -> Field {
    let value = cut(escape(value), MAX_VALUE).into_owned();
    field(key, Value::StrVal(value))
}

fn number(key: &str, value: u64) -> Field {
    field(key, Value::U64Val(value))
}

fn field(key: &str, value: Value) -> Field {
    let name = Name::StrName(escape(key).into_owned());
    Field { name: Some(name), value: Some(value), metadata_id: Some(METADATA) }
}

fn new_metadata() -> RegisterMetadata {
    let all = Metadata {
        name: "task".to_owned(),
        target: "headcount".to_owned(),
        kind: metadata::Kind::Span as i32,
        level: metadata::Level::Trace as i32,
        ..Metadata::default()
    };
    RegisterMetadata { metadata: vec![NewMetadata { id: Some(METADATA), metadata: Some(all) }] }
}

/// What changed between two passes.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub(super) tasks: Vec<(Task, Stats)>,
    pub(super) stats: Vec<(u64, Stats)>,
    /// Tasks that began and ended unseen.
    pub(super) missed: u64,
}

impl Delta {
    /// The messages that carry it: one or more, none of them too large for the client. A new client gets the
    /// metadata first.
    pub(super) fn into_updates(self, now: u64, to_new_client: bool) -> Vec<Update> {
        let mut updates = vec![empty_update(now)];
        let mut size = 0;
        if to_new_client {
            updates[0].new_metadata = Some(new_metadata());
        }
        for (task, stats) in self.tasks {
            let update = with_room(&mut updates, &mut size, now, task.encoded_len() + STATS_SIZE);
            update.stats_update.insert(task.id.unwrap_or_default().id, stats);
            update.new_tasks.push(task);
        }
        for (id, stats) in self.stats {
            let update = with_room(&mut updates, &mut size, now, STATS_SIZE);
            update.stats_update.insert(id, stats);
        }
        with_room(&mut updates, &mut size, now, 0).dropped_events = self.missed;
        updates
    }
}

fn empty_update(now: u64) -> Update {
    Update { now: Some(time(now)), task_update: Some(TaskUpdate::default()), ..Update::default() }
}

/// The last message, or a new one if that has no room for so many bytes more.
fn with_room<'a>(
    updates: &'a mut Vec<Update>,
    size: &mut usize,
    now: u64,
    bytes: usize,
) -> &'a mut TaskUpdate {
    if MAX_MESSAGE < *size + bytes {
        updates.push(empty_update(now));
        *size = 0;
    }
    *size += bytes;
    let last = updates.last_mut().expect("there is at least one");
    last.task_update.get_or_insert_default()
}
