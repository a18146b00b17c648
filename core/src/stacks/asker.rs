//! Asking for stacks, on a thread of headcount's own: it waits.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use headcount_stack::Buffer;

use super::board::{Board, Found, Watched};
use crate::clock;
use crate::lock::Mutex;
use crate::registry::kind::Kind;
use crate::registry::local::Current;
use crate::registry::slot::{ASKED, LIMITED, PLAIN, Reading};
use crate::registry::{registry, wakers};
use crate::snapshot::read::is_blocked;

/// The most tasks that are asked at a time: each has a buffer of 16 kB meanwhile.
pub const MOST_AT_ONCE: usize = 64;

/// How often the asker looks.
const LOOK: Duration = Duration::from_millis(1);

/// How many tasks around a tracked future are woken at the most.
const MOST_PARENTS: usize = 16;

static BOARD: LazyLock<Board<Box<Buffer>>> = LazyLock::new(Board::new);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(super) fn board() -> &'static Board<Box<Buffer>> {
    &BOARD
}

/// A task, and what came of asking it.
#[derive(Debug)]
pub struct Captured {
    pub id: u64,
    /// As it was seen after the capture, or before if it has ended meanwhile; `None` if it had ended before.
    pub task: Option<Reading>,
    pub capture: Capture,
}

/// What came of asking one task.
#[derive(Debug)]
pub enum Capture {
    /// It waits, and this is where.
    Waits(Box<Buffer>),
    /// The poll that was asked for found it ready.
    WentOn,
    /// That poll panicked.
    Panicked,
    /// It has ended before that poll.
    Ended,
    /// It is inside a poll or a closure, in which it cannot be asked.
    Polled,
    /// It has not begun: it waits for its limit, its key or a thread of the pool.
    NotBegun,
    /// Nothing has polled it in time. `is_woken`: though it, or the task around it, was woken.
    NotPolled { is_woken: bool },
}

/// A task that was asked, and whether that woke anything.
#[derive(Clone, Copy)]
struct Asked {
    task: Current,
    /// Before it was asked.
    before: Reading,
    is_woken: bool,
}

/// Has the wakers of tasks stored from now on, which lets them be asked.
pub fn store_wakers() {
    if wakers::are_stored() {
        return;
    }
    wakers::begin_storing();
    let registry = registry();
    registry.groups.all().into_iter().for_each(crate::registry::group::Group::renew_first_bits);
    // Tasks that live already store theirs at the end of their next poll.
    registry.slab.slots().for_each(|slot| {
        let Some(mut task) = slot.lock_any() else { return };
        if task.has(PLAIN) && wakers::is_stored_for(slot.own().kind()) {
            task.clear(PLAIN);
            task.set(ASKED);
        }
    });
}

/// The threads that poll tasks, by their system's ids, and the slot that each polls.
pub fn threads() -> Vec<headcount_stack::Thread> {
    headcount_stack::threads()
}

/// Asks tasks where they wait, [`MOST_AT_ONCE`] at the most, and waits so long for their answers. One call
/// at a time goes on.
pub fn capture(tasks: &[Current], within: Duration) -> Vec<Captured> {
    let _one = ONE_AT_A_TIME.lock();
    let tasks = &tasks[..tasks.len().min(MOST_AT_ONCE)];
    let until = Instant::now() + within;
    let mut waiting: Vec<Asked> = Vec::with_capacity(tasks.len());
    let mut captured = Vec::with_capacity(tasks.len());
    for task in tasks {
        let before = task.slot.read().filter(|reading| reading.id() == task.id);
        if let Some(capture) = known_before(before.as_ref()) {
            captured.push(Captured { id: task.id, task: before, capture });
            continue;
        }
        board().enter(task.id, Box::default());
        if let (Some(is_woken), Some(before)) = (ask(*task), before) {
            waiting.push(Asked { task: *task, before, is_woken });
        } else {
            board().withdraw(task.id);
            captured.push(Captured { id: task.id, task: before, capture: Capture::Ended });
        }
    }
    loop {
        waiting.retain(|asked| match answer(*asked) {
            Some(answer) => {
                captured.push(answer);
                false
            }
            None => true,
        });
        if waiting.is_empty() || until <= Instant::now() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    captured.extend(waiting.into_iter().map(withdraw));
    captured
}

/// What is known of a task that no poll can ask, so that nothing waits for it.
fn known_before(reading: Option<&Reading>) -> Option<Capture> {
    let Some(reading) = reading else { return Some(Capture::Ended) };
    let limit = registry().config.blocked_after_ticks();
    match reading.kind() {
        Kind::Blocking if reading.polling_since().is_some() => Some(Capture::Polled),
        Kind::Blocking => Some(Capture::NotBegun),
        _ if is_blocked(reading, clock::ticks(), limit) => Some(Capture::Polled),
        _ if reading.has(LIMITED) && !reading.is_rejected() => Some(Capture::NotBegun),
        _ => None,
    }
}

/// What has come of an asking; `None` if nothing has yet.
fn answer(Asked { task, before, .. }: Asked) -> Option<Captured> {
    let ended = |capture| Captured { id: task.id, task: Some(before), capture };
    let reading = task.slot.read().filter(|reading| reading.id() == task.id);
    let capture = match board().look(task.id) {
        Found::Done(buffer, Watched::Pending) => Capture::Waits(buffer),
        Found::Done(_, Watched::Ready) => Capture::WentOn,
        Found::Done(_, Watched::Panicked) => Capture::Panicked,
        Found::Asked | Found::Taken if reading.is_none() => {
            // It may have been polled between the two readings.
            return Some(match board().look(task.id) {
                Found::Done(_, Watched::Panicked) => ended(Capture::Panicked),
                Found::Done(..) => ended(Capture::WentOn),
                _ => {
                    board().withdraw(task.id);
                    ended(Capture::Ended)
                }
            });
        }
        Found::Asked | Found::Taken => return None,
    };
    Some(Captured { id: task.id, task: Some(reading.unwrap_or(before)), capture })
}

/// Takes an asking back that nothing answered.
fn withdraw(asked: Asked) -> Captured {
    if let Some(answer) = answer(asked) {
        return answer;
    }
    let Asked { task, before, is_woken } = asked;
    board().withdraw(task.id);
    let Some(mut locked) = task.slot.lock(task.id) else {
        return Captured { id: task.id, task: Some(before), capture: Capture::Ended };
    };
    let reading = task.slot.own();
    if locked.has(ASKED) && is_settled(&reading) {
        locked.clear(ASKED);
        locked.set(PLAIN);
    }
    drop(locked);
    let is_polled = reading.polling_since().is_some();
    let capture = if is_polled { Capture::Polled } else { Capture::NotPolled { is_woken } };
    Captured { id: task.id, task: Some(reading), capture }
}

/// Whether nothing else is left to do for stacks at the task's next poll.
const fn is_settled(task: &Reading) -> bool {
    task.lineage & crate::registry::slot::STORED != 0
}

/// Asks a task that is on the board, and says whether that woke anything; `None` if the task has ended.
fn ask(task: Current) -> Option<bool> {
    let mut locked = task.slot.lock(task.id)?;
    if locked.has(PLAIN) {
        locked.clear(PLAIN);
        locked.set(ASKED);
    }
    let waker = wakers::get(locked.number());
    let reading = task.slot.own();
    drop(locked);
    let is_around = || {
        if wakers::is_stored_for(reading.kind()) {
            // A poll that is to come, or goes on, answers by itself.
            reading.is_queued() || reading.polling_since().is_some()
        } else {
            wake_around(&reading)
        }
    };
    Some(wake(waker) || is_around())
}

fn wake(waker: Option<std::task::Waker>) -> bool {
    let is_there = waker.is_some();
    if let Some(waker) = waker {
        waker.wake();
    }
    is_there
}

/// A future that is polled in place is reached through the task around it.
fn wake_around(task: &Reading) -> bool {
    let mut parent = task.parent();
    for _ in 0..MOST_PARENTS {
        let Some(outer) = parent.and_then(|id| registry().find(id)) else { return false };
        let Some(locked) = outer.slot.lock(outer.id) else { return false };
        let waker = wakers::get(locked.number());
        parent = outer.slot.own().parent();
        drop(locked);
        if wake(waker) {
            return true;
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn each_branch_of_a_select_is_written() {
        store_wakers();
        let (_sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
        let task = crate::task("asker-branches").spawn(async move {
            tokio::select! {
                () = crate::draining() => {}
                _ = receiver.recv() => {}
                () = tokio::time::sleep(Duration::from_secs(3600)) => {}
            }
        });
        let id = loop {
            let page =
                crate::snapshot::tasks(&crate::snapshot::TaskQuery::default().search("asker-branches"));
            match page.unwrap().items.first().filter(|task| task.state == crate::State::Idle) {
                Some(task) => break task.id.get(),
                None => tokio::task::yield_now().await,
            }
        };
        let current = registry().find(id).unwrap();
        let ask = move || capture(&[current], Duration::from_secs(20)).pop().unwrap();
        let captured = tokio::task::spawn_blocking(ask).await.unwrap();
        let Capture::Waits(buffer) = captured.capture else { panic!("{captured:?}") };
        assert_eq!((buffer.stacks().count(), buffer.dropped()), (3, 0), "{buffer:?}");
        task.abort();
    }
}
