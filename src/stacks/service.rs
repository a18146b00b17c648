//! The thread that asks tasks where they wait, names what comes, and keeps it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::LastWords;
use super::frames::Namer;
use super::kernel;
use super::tree::{Folded, StackDump, StackResult, TaskStack, merge, words};
use crate::error::Error;
use crate::observer::reader::{Reader, Unread};
use crate::registry::local::Current;
use crate::registry::registry;
use crate::registry::slot::Reading;
use crate::settings::{Hide, Settings, SigQuit, Stacks};
use crate::snapshot::Kind;
use headcount_core::TaskId;
use headcount_core::internal::stacks::{Capture, Captured, MOST_AT_ONCE, capture, store_wakers};

/// Tasks that one dump asks; of more, some of each group.
pub(crate) const MOST_TASKS: usize = 1_000;
/// Captures of single tasks that are kept.
const MOST_KEPT: usize = 512;
/// Captures a second.
const MOST_A_SECOND: u32 = 250;
/// How long a task has to be polled.
const WITHIN: Duration = Duration::from_secs(1);
/// How long the asking of a dump may take until no more tasks are asked; naming is no part of it.
const DUMP_WITHIN: Duration = Duration::from_secs(5);
/// How long a capture says what a task waits for.
const FRESH: Duration = Duration::from_secs(30);
/// Callers that may wait for the thread.
const MOST_WAITING: usize = 16;
/// Names and ids of a folded stack.
const MOST_NAMED: usize = 10;

static SERVICE: OnceLock<Service> = OnceLock::new();

/// What asks for stacks; once a process.
pub(crate) struct Service {
    reader: Reader,
    state: Arc<Mutex<State>>,
    hides: bool,
    /// Whether clients may ask, and not the drain and SIGQUIT alone.
    permits: bool,
}

/// What the thread keeps.
#[derive(Default)]
struct State {
    /// Taken by the thread while it works.
    namer: Namer,
    kept: HashMap<u64, Kept>,
    order: VecDeque<u64>,
    dump: Option<Arc<StackDump>>,
    second: Option<(Instant, u32)>,
    refused: u64,
}

/// A capture, and its addresses, from which all frames come on demand.
#[derive(Clone)]
struct Kept {
    stack: TaskStack,
    addresses: Vec<Vec<usize>>,
    spawned_at: Arc<str>,
}

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The setting does not permit it.
    Off,
    /// No such task.
    Unknown,
    /// Too many captures a second, or too many callers.
    Busy,
}

/// Why [`stack`] has no stack.
#[derive(Clone, Debug)]
pub struct StackError(Refused);

impl StackError {
    /// Headcount is not installed, or the setting `stacks` is `Off`.
    pub fn is_off(&self) -> bool {
        self.0 == Refused::Off
    }

    /// There is no such task, or it has ended.
    pub fn is_unknown(&self) -> bool {
        self.0 == Refused::Unknown
    }

    /// Too many captures a second.
    pub fn is_busy(&self) -> bool {
        self.0 == Refused::Busy
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Refused::Off => "stacks are not permitted: set `stacks` to `request` (HEADCOUNT_STACKS=request)",
            Refused::Unknown => "there is no such task, or it has ended",
            Refused::Busy => "too many captures at once",
        })
    }
}

impl std::error::Error for StackError {}

/// Asks a task where it waits.
///
/// The task is polled once more, with a waker that writes down where it is cloned. Frames are named on a
/// thread of headcount's own. Resolves within about a second: a runtime that does not poll the task is an
/// answer too.
///
/// The setting `stacks` permits it. A task that waits costs one poll and some microseconds.
///
/// # Errors
///
/// Stacks are off, there is no such task, or too many were asked for within a second.
///
/// # Examples
///
/// ```no_run
/// # async fn f(id: headcount::TaskId) -> Result<(), headcount::StackError> {
/// println!("{}", headcount::stack(id).await?.text);
/// # Ok(()) }
/// ```
pub async fn stack(id: impl Into<TaskId>) -> Result<TaskStack, StackError> {
    let id = id.into().get();
    match SERVICE.get().filter(|service| service.permits) {
        Some(service) => service.one(id, false).await.map_err(StackError),
        None => Err(StackError(Refused::Off)),
    }
}

pub(crate) fn service() -> Option<&'static Service> {
    SERVICE.get()
}

/// Starts the thread, where the settings permit stacks. From then on, tasks have their wakers stored.
pub(crate) fn start(settings: &Settings) -> Result<Option<Service>, Error> {
    if settings.stacks == Stacks::Off && settings.sigquit != SigQuit::Stacks {
        return Ok(None);
    }
    Ok(Some(Service {
        reader: Reader::start("headcount-stacks", MOST_WAITING)?,
        state: Arc::default(),
        hides: settings.hide.contains(&Hide::Stacks),
        permits: settings.stacks == Stacks::Request,
    }))
}

/// Has the process ask it from now on.
pub(crate) fn keep(service: Option<Service>) {
    if service.is_some_and(|service| SERVICE.set(service).is_ok()) {
        store_wakers();
    }
}

impl Service {
    /// Whether paths, peers and descriptors are left out.
    pub(crate) fn hides(&self) -> bool {
        self.hides
    }

    /// Whether clients may ask.
    pub(crate) fn permits(&self) -> bool {
        self.permits
    }

    /// Captures refused so far.
    pub(crate) fn refused(&self) -> u64 {
        self.state.lock().refused
    }

    /// The last capture of a task.
    pub(crate) fn last(&self, id: u64) -> Option<TaskStack> {
        self.state.lock().kept.get(&id).map(|kept| kept.stack.clone())
    }

    /// What the last capture of a task said, if it is not old.
    pub(crate) fn last_words(&self, id: u64) -> Option<LastWords> {
        let stack = self.last(id)?;
        let age = SystemTime::now().duration_since(stack.captured_at).unwrap_or_default();
        match stack.result {
            _ if FRESH < age => None,
            StackResult::Waits => Some(LastWords::Waits(stack.text)),
            StackResult::Blocked => Some(LastWords::Held(stack.text.strip_prefix("blocked ")?.to_owned())),
            _ => None,
        }
    }

    /// Asks all tasks some time soon.
    pub(crate) fn dump_soon(&self, then: impl FnOnce(&StackDump) + Send + 'static) {
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.reader.start_read(move || then(&dump(&state, hides)));
    }

    /// The last dump.
    pub(crate) fn last_dump(&self) -> Option<Arc<StackDump>> {
        self.state.lock().dump.clone()
    }

    /// The last capture of a task, with all frames that there are.
    pub(crate) async fn last_whole(&self, id: u64) -> Result<Option<TaskStack>, Refused> {
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.run(move || whole(&state, id, hides)).await
    }

    /// Asks one task; with all frames, if `whole`.
    pub(crate) async fn one(&self, id: u64, whole: bool) -> Result<TaskStack, Refused> {
        if !self.may(1) {
            return Err(Refused::Busy);
        }
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        let ask = move || {
            let task = registry().find(id)?;
            let stack = ask(&state, &[task], hides, WITHIN).0.pop()?;
            if whole { self::whole(&state, id, hides) } else { Some(stack) }
        };
        self.run(ask).await?.ok_or(Refused::Unknown)
    }

    /// Asks all tasks, or some of each group.
    pub(crate) async fn all(&self) -> Result<Arc<StackDump>, Refused> {
        if !self.may(1) {
            return Err(Refused::Busy);
        }
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.run(move || dump(&state, hides)).await
    }

    /// Asks tasks some time soon, for [`last`](Self::last). Does nothing if the thread is busy.
    pub(crate) fn prepare(&self, tasks: Vec<Current>) {
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.reader.start_read(move || {
            for tasks in tasks.chunks(MOST_AT_ONCE) {
                ask(&state, tasks, hides, WITHIN);
            }
        });
    }

    async fn run<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        match self.reader.read(run).await {
            Ok(result) => Ok(result),
            Err(Unread::Busy) => {
                self.state.lock().refused += 1;
                Err(Refused::Busy)
            }
            Err(Unread::Panicked) => Err(Refused::Unknown),
        }
    }

    /// Whether so many more may be asked for in this second.
    fn may(&self, more: u32) -> bool {
        let mut state = self.state.lock();
        let now = Instant::now();
        let (since, count) =
            state.second.filter(|(since, _)| now < *since + Duration::from_secs(1)).unwrap_or((now, 0));
        let may = count + more <= MOST_A_SECOND;
        state.second = Some((since, if may { count + more } else { count }));
        state.refused += u64::from(!may);
        may
    }
}

/// Asks these tasks, and keeps what comes; and how long the asking took, without the naming.
fn ask(state: &Mutex<State>, tasks: &[Current], hides: bool, within: Duration) -> (Vec<TaskStack>, Duration) {
    let began = Instant::now();
    let captured = capture(tasks, within);
    let took = began.elapsed();
    let blocked: Vec<Current> = tasks
        .iter()
        .filter(|task| captured.iter().any(|one| one.id == task.id && matches!(one.capture, Capture::Polled)))
        .copied()
        .collect();
    let held: HashMap<u64, String> = kernel::look(&blocked)
        .into_iter()
        .zip(&blocked)
        .filter_map(|(held, task)| Some((task.id, held?.text(hides))))
        .collect();
    // Naming may take a second the first time. Nothing but this thread waits for it.
    let mut namer = std::mem::take(&mut state.lock().namer);
    let kept: Vec<Kept> = captured.iter().map(|one| describe(&mut namer, one, &held, hides)).collect();
    let mut state = state.lock();
    state.namer = namer;
    for one in &kept {
        state.keep(one);
    }
    (kept.into_iter().map(|kept| kept.stack).collect(), took)
}

impl State {
    fn keep(&mut self, kept: &Kept) {
        let id = kept.stack.id.get();
        if self.kept.insert(id, kept.clone()).is_none() {
            self.order.push_back(id);
        }
        if MOST_KEPT < self.order.len() {
            if let Some(oldest) = self.order.pop_front() {
                self.kept.remove(&oldest);
            }
        }
    }
}

fn describe(namer: &mut Namer, one: &Captured, held: &HashMap<u64, String>, hides: bool) -> Kept {
    let group = one.task.map(|task| registry().group(task.group()));
    let spawned_at: Arc<str> = group.map_or_else(|| "".into(), |group| Arc::clone(&group.location));
    let (addresses, lost, cut): (Vec<Vec<usize>>, u64, bool) = match &one.capture {
        Capture::Waits(buffer) => (buffer.stacks().collect(), buffer.dropped(), 0 < buffer.cut()),
        _ => (Vec::new(), 0, false),
    };
    let frames: Vec<_> = addresses.iter().map(|stack| namer.frames(stack, &spawned_at, false)).collect();
    let branches = merge(&frames);
    let (result, text) = match &one.capture {
        Capture::Waits(_) => (StackResult::Waits, None),
        Capture::WentOn => (StackResult::WentOn, Some("went on meanwhile".to_owned())),
        Capture::Panicked => (StackResult::Panicked, Some("panicked meanwhile".to_owned())),
        Capture::Ended => (StackResult::Ended, Some("has ended".to_owned())),
        Capture::Polled => {
            let held = held.get(&one.id).map_or_else(String::new, |held| format!(" {held}"));
            (StackResult::Blocked, Some(format!("blocked{held}")))
        }
        Capture::NotPolled => {
            let text = "not captured: its runtime did not poll it within 1 s";
            (StackResult::NotCaptured, Some(text.to_owned()))
        }
    };
    let mut stack = TaskStack {
        id: one.id.into(),
        name: group.map_or_else(|| "".into(), |group| Arc::clone(&group.name)),
        kind: one.task.map_or(Kind::Task, |task| task.kind()),
        captured_at: SystemTime::now(),
        result,
        text: String::new(),
        branches,
        lost,
        cut,
    };
    if hides {
        stack = stack.hidden();
    }
    stack.text = text.unwrap_or_else(|| words(&stack.branches));
    Kept { stack, addresses, spawned_at }
}

/// A kept capture with all its frames.
fn whole(state: &Mutex<State>, id: u64, hides: bool) -> Option<TaskStack> {
    let mut locked = state.lock();
    let Kept { mut stack, addresses, spawned_at } = locked.kept.get(&id).cloned()?;
    let mut namer = std::mem::take(&mut locked.namer);
    drop(locked);
    let frames: Vec<_> = addresses.iter().map(|stack| namer.frames(stack, &spawned_at, true)).collect();
    state.lock().namer = namer;
    stack.branches = merge(&frames);
    Some(if hides { stack.hidden() } else { stack })
}

fn dump(state: &Mutex<State>, hides: bool) -> Arc<StackDump> {
    let (tasks, chosen) = chosen();
    let began = Instant::now();
    let mut folds: HashMap<(StackResult, String, Vec<super::StackBranch>), Folded> = HashMap::new();
    let (mut asked, mut asking) = (0, Duration::ZERO);
    for some in chosen.chunks(MOST_AT_ONCE) {
        if DUMP_WITHIN <= asking {
            break;
        }
        asked += some.len() as u64;
        let (stacks, took) = ask(state, some, hides, WITHIN);
        asking += took;
        stacks.into_iter().for_each(|stack| fold(&mut folds, stack));
    }
    let mut stacks: Vec<Folded> = folds.into_values().collect();
    stacks.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.ids.cmp(&other.ids)));
    let dump = Arc::new(StackDump {
        captured_at: SystemTime::now(),
        took_seconds: began.elapsed().as_secs_f64(),
        tasks,
        asked,
        stacks,
    });
    state.lock().dump = Some(Arc::clone(&dump));
    dump
}

fn fold(folds: &mut HashMap<(StackResult, String, Vec<super::StackBranch>), Folded>, stack: TaskStack) {
    let key = (stack.result, stack.text.clone(), stack.branches.clone());
    let fold = folds.entry(key).or_insert_with(|| Folded {
        count: 0,
        result: stack.result,
        text: stack.text,
        names: Vec::new(),
        ids: Vec::new(),
        branches: stack.branches,
    });
    fold.count += 1;
    if fold.names.len() < MOST_NAMED && !fold.names.contains(&stack.name) {
        fold.names.push(stack.name);
    }
    if fold.ids.len() < MOST_NAMED {
        fold.ids.push(stack.id.get());
    }
}

/// How many tasks live, and which of them are asked: all, or of each group some, the oldest first.
fn chosen() -> (u64, Vec<Current>) {
    let mut groups: HashMap<u32, Vec<(u64, Current)>> = HashMap::new();
    let mut tasks = 0;
    registry().slab.slots().for_each(|slot| {
        let Some(task) = slot.read().filter(is_asked) else { return };
        tasks += 1;
        let group = groups.entry(task.group()).or_default();
        group.push((task.started, Current { slot, id: task.id() }));
        // The oldest of each group are enough: a pass over a million tasks must not keep them all.
        if 2 * MOST_TASKS <= group.len() {
            keep_oldest(group, MOST_TASKS);
        }
    });
    let mut left: Vec<Vec<(u64, Current)>> = groups.into_values().collect();
    left.iter_mut().for_each(|group| group.sort_unstable_by_key(|(started, task)| (*started, task.id)));
    // One of each group in turn, so that small groups are asked first and whole.
    let mut chosen: Vec<Current> = Vec::new();
    for turn in 0..MOST_TASKS {
        let before = chosen.len();
        chosen.extend(left.iter().filter_map(|group| group.get(turn)).map(|(_, task)| *task));
        if chosen.len() == before || MOST_TASKS <= chosen.len() {
            break;
        }
    }
    chosen.truncate(MOST_TASKS);
    (tasks, chosen)
}

/// Futures that are polled in place are in the stack of the task around them.
fn is_asked(task: &Reading) -> bool {
    !matches!(task.kind(), Kind::Future | Kind::Request)
}

fn keep_oldest(tasks: &mut Vec<(u64, Current)>, count: usize) {
    tasks.select_nth_unstable_by_key(count - 1, |(started, task)| (*started, task.id));
    tasks.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draining, a channel and a timer: three branches of one root, of which the first is no cause.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_branches_of_a_select_are_a_tree() {
        store_wakers();
        let (_sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
        let task = crate::task("a-tree").spawn(async move {
            tokio::select! {
                () = crate::draining() => {}
                _ = receiver.recv() => {}
                () = tokio::time::sleep(Duration::from_secs(3600)) => {}
            }
        });
        let id = loop {
            let page =
                crate::snapshot::tasks(&crate::snapshot::TaskQuery::default().search("a-tree")).unwrap();
            match page.items.first().filter(|task| task.state == crate::State::Idle) {
                Some(task) => break task.id.get(),
                None => tokio::task::yield_now().await,
            }
        };
        let current = registry().find(id).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let ask = move || ask(&state, &[current], false, Duration::from_secs(20)).0.pop().unwrap();
        let stack = tokio::task::spawn_blocking(ask).await.unwrap();
        // What is between is of this crate, and left out.
        let branches = &stack.branches;
        assert_eq!(branches.len(), 3, "{stack:#?}");
        assert_eq!(branches.iter().filter(|branch| branch.draining).count(), 1, "{stack:#?}");
        assert!(stack.text.contains("Receiver::recv") && stack.text.contains("Sleep"), "{}", stack.text);
        assert!(!stack.text.contains("→ draining"), "{}", stack.text);
        task.abort();
    }
}
