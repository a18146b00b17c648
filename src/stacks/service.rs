//! The thread that asks tasks where they wait, names what comes, and keeps it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::dump::{Folds, chosen};
use super::frames::{Frames, Namer};
use super::kernel::{self, Held};
use super::tree::{
    Folded, StackBranch, StackDump, StackResult, TaskStack, children_words, hide, holds_container,
    last_place, merge, words,
};
use super::{HeldWords, LastWords};
use crate::error::Error;
use crate::observer::reader::{Reader, Unread};
use crate::registry::local::Current;
use crate::registry::registry;
use crate::settings::{Hide, Settings, SigQuit, Stacks};
use crate::snapshot::Kind;
use headcount_core::TaskId;
use headcount_core::internal::snapshot::read;
use headcount_core::internal::stacks::{Capture, Captured, MOST_AT_ONCE, capture, store_wakers};

/// Captures of single tasks that are kept.
const MOST_KEPT: usize = 512;
/// Questions of clients a second, of one task or of all.
const MOST_A_SECOND: u32 = 250;
/// Tasks that are asked in a second, whatever asks. More wait for the next second.
const MOST_TASKS_A_SECOND: u32 = 5_000;
const SECOND: Duration = Duration::from_secs(1);
/// How long a task has to be polled.
const WITHIN: Duration = Duration::from_secs(1);
/// How long the asking of a dump may take until no more tasks are asked; naming is no part of it.
const DUMP_WITHIN: Duration = Duration::from_secs(5);
/// How long the log of a task that blocks waits for the line that it blocks in.
const PLACE_WITHIN: Duration = Duration::from_secs(5);
/// How long a capture says what a task waits for.
const FRESH: Duration = Duration::from_secs(30);
/// Callers that may wait for the thread.
const MOST_WAITING: usize = 16;

static SERVICE: OnceLock<Service> = OnceLock::new();

/// What asks for stacks; once a process.
pub(crate) struct Service {
    reader: Reader,
    /// What holds threads, while the other is busy.
    looker: Reader,
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
    questions: Rate,
    tasks: Rate,
    refused: u64,
}

/// How many there were in the second that began then.
#[derive(Debug, Default)]
struct Rate {
    second: Option<(Instant, u32)>,
}

impl Rate {
    /// Counts so many more; or says how long the second goes on, if that were more than `most`.
    fn take(&mut self, more: u32, most: u32, now: Instant) -> Result<(), Duration> {
        let (since, count) = self.second.filter(|(since, _)| now < *since + SECOND).unwrap_or((now, 0));
        if most < count + more {
            return Err((since + SECOND).saturating_duration_since(now));
        }
        self.second = Some((since, count + more));
        Ok(())
    }
}

/// A capture, and its addresses, from which all frames come on demand.
#[derive(Clone)]
struct Kept {
    stack: TaskStack,
    addresses: Vec<Vec<usize>>,
    spawned_at: Arc<str>,
    /// What it said, or one before if nothing has answered since.
    words: Option<(Instant, LastWords)>,
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

    /// More than 250 questions in a second, or 16 are waiting.
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
/// The task is polled once more, with a waker that writes down where it is cloned. The task has 1 s to be
/// polled; a runtime that does not poll it is an answer too. Naming the frames follows, on a thread of
/// headcount's own. The first answer of a process may take seconds in a debug build.
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
        looker: Reader::start("headcount-held", 1)?,
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

    /// What was known last of where a task waits, if that is not old.
    pub(crate) fn last_words(&self, id: u64) -> Option<LastWords> {
        let state = self.state.lock();
        let (at, words) = state.kept.get(&id)?.words.as_ref()?;
        (at.elapsed() < FRESH).then(|| words.clone())
    }

    /// Asks all tasks some time soon; false, and no dump, where too many questions wait.
    pub(crate) fn dump_soon(&self, then: impl FnOnce(&StackDump) + Send + 'static) -> bool {
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.start(move || then(&dump(&state, hides)))
    }

    fn start(&self, read: impl FnOnce() + Send + 'static) -> bool {
        let is_taken = self.reader.start_read(read);
        self.state.lock().refused += u64::from(!is_taken);
        is_taken
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
        if !self.may() {
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
        if !self.may() {
            return Err(Refused::Busy);
        }
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.run(move || dump(&state, hides)).await
    }

    /// What holds these tasks, and in which lines if the thread has time to name them.
    pub(crate) async fn held_by(&self, tasks: &[Current]) -> Vec<Option<HeldWords>> {
        let (state, hides, theirs) = (Arc::clone(&self.state), self.hides, tasks.to_vec());
        let named = self.reader.read(move || {
            let held = kernel::look(&theirs, true);
            let mut namer = std::mem::take(&mut state.lock().namer);
            let words = |(held, task): (Option<Held>, &Current)| {
                let held = held?;
                let spawned_at =
                    task.slot.read().map(|task| Arc::clone(&registry().group(task.group()).location));
                let branches = branches_of_held(&mut namer, &held, &spawned_at.unwrap_or_default(), hides);
                Some(HeldWords { what: held.text(hides)?, place: last_place(&branches) })
            };
            let words: Vec<_> = held.into_iter().zip(&theirs).map(words).collect();
            state.lock().namer = namer;
            words
        });
        if let Ok(Ok(words)) = tokio::time::timeout(PLACE_WITHIN, named).await {
            return words;
        }
        // On another thread: the system may take its time too, and the stop does not wait for it.
        let theirs = tasks.to_vec();
        let looked = self.looker.read(move || kernel::look(&theirs, false));
        let Ok(Ok(held)) = tokio::time::timeout(WITHIN, looked).await else {
            return vec![None; tasks.len()];
        };
        let words = |held: Option<Held>| Some(HeldWords { what: held?.text(hides)?, place: None });
        held.into_iter().map(words).collect()
    }

    /// Asks tasks some time soon, for [`last`](Self::last). Does nothing if the thread is busy.
    pub(crate) fn prepare(&self, tasks: Vec<Current>) {
        let (state, hides) = (Arc::clone(&self.state), self.hides);
        self.start(move || {
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

    /// Whether one more question may be asked in this second.
    fn may(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.questions.take(1, MOST_A_SECOND, Instant::now()).is_ok();
        state.refused += u64::from(!may);
        may
    }
}

/// Waits until so many tasks may be asked.
fn pace(state: &Mutex<State>, tasks: usize) {
    let tasks = u32::try_from(tasks).unwrap_or(MOST_TASKS_A_SECOND).min(MOST_TASKS_A_SECOND);
    loop {
        let taken = state.lock().tasks.take(tasks, MOST_TASKS_A_SECOND, Instant::now());
        match taken {
            Ok(()) => return,
            Err(left) => std::thread::sleep(left),
        }
    }
}

/// Asks these tasks, and keeps what comes; and how long the asking took, without the naming.
fn ask(state: &Mutex<State>, tasks: &[Current], hides: bool, within: Duration) -> (Vec<TaskStack>, Duration) {
    pace(state, tasks.len());
    let began = Instant::now();
    let captured = capture(tasks, within);
    let took = began.elapsed();
    let blocked: Vec<Current> = tasks
        .iter()
        .filter(|task| captured.iter().any(|one| one.id == task.id && matches!(one.capture, Capture::Polled)))
        .copied()
        .collect();
    let held: HashMap<u64, Held> = kernel::look(&blocked, true)
        .into_iter()
        .zip(&blocked)
        .filter_map(|(held, task)| Some((task.id, held?)))
        .collect();
    // Naming may take a second the first time. Nothing but this thread waits for it.
    let mut namer = std::mem::take(&mut state.lock().namer);
    let mut kept: Vec<Kept> =
        captured.iter().map(|one| describe(&mut namer, one, held.get(&one.id), hides)).collect();
    count_children(&mut kept);
    let mut state = state.lock();
    state.namer = namer;
    for one in &kept {
        state.keep(one);
    }
    (kept.into_iter().map(|kept| kept.stack).collect(), took)
}

/// Says of tasks that wait for members of a container how many children of theirs live.
fn count_children(kept: &mut [Kept]) {
    let waits = |kept: &&mut Kept| holds_container(&kept.stack.branches);
    let mut children: HashMap<u64, u64> =
        kept.iter_mut().filter(waits).map(|kept| (kept.stack.id.get(), 0)).collect();
    if children.is_empty() {
        return;
    }
    read::live().for_each(|(_, task)| {
        if let Some(count) = task.parent().and_then(|parent| children.get_mut(&parent)) {
            *count += 1;
        }
    });
    for Kept { stack, words, .. } in kept {
        stack.children = children.get(&stack.id.get()).copied();
        stack.text.push_str(&children_words(stack.children));
        if let Some((_, words)) = words {
            *words = words_of(stack).unwrap_or_else(|| words.clone());
        }
    }
}

impl State {
    fn keep(&mut self, kept: &Kept) {
        let id = kept.stack.id.get();
        let mut kept = kept.clone();
        let former = self.kept.remove(&id);
        if former.is_some() {
            self.order.retain(|known| *known != id);
        }
        // A task that did not answer, or was aborted meanwhile, waited where it did.
        if matches!(kept.stack.result, StackResult::NotCaptured | StackResult::Ended) {
            kept.words = former.and_then(|former| former.words);
        }
        self.kept.insert(id, kept);
        self.order.push_back(id);
        if MOST_KEPT < self.order.len() {
            if let Some(oldest) = self.order.pop_front() {
                self.kept.remove(&oldest);
            }
        }
    }
}

fn describe(namer: &mut Namer, one: &Captured, held: Option<&Held>, hides: bool) -> Kept {
    let group = one.task.map(|task| registry().group(task.group()));
    let spawned_at: Arc<str> = group.map_or_else(|| "".into(), |group| Arc::clone(&group.location));
    let (addresses, lost, cut): (Vec<Vec<usize>>, u64, bool) = match (&one.capture, held) {
        (Capture::Waits(buffer), _) => (buffer.stacks().collect(), buffer.dropped(), 0 < buffer.cut()),
        (Capture::Polled, Some(held)) => (vec![held.addresses.clone()], 0, false),
        _ => (Vec::new(), 0, false),
    };
    let branches = match (&one.capture, held) {
        (Capture::Polled, Some(held)) => branches_of_held(namer, held, &spawned_at, hides),
        _ => merge(
            &addresses
                .iter()
                .map(|stack| namer.frames(stack, &spawned_at, Frames::Waits))
                .collect::<Vec<_>>(),
        ),
    };
    let kind = one.task.map_or(Kind::Task, |task| task.kind());
    let (result, text) = match &one.capture {
        Capture::Waits(_) => (StackResult::Waits, None),
        Capture::WentOn => (StackResult::WentOn, Some("went on meanwhile".to_owned())),
        Capture::Panicked => (StackResult::Panicked, Some("panicked meanwhile".to_owned())),
        Capture::Ended => (StackResult::Ended, Some("has ended".to_owned())),
        Capture::Polled => {
            let held =
                held.and_then(|held| held.text(hides)).map_or_else(String::new, |held| format!(" {held}"));
            let place = in_brackets(last_place(&branches).as_deref());
            (StackResult::Blocked, Some(format!("blocked{held}{place}")))
        }
        Capture::NotBegun => (StackResult::NotBegun, Some(not_begun(kind).to_owned())),
        Capture::NotPolled { is_woken } => {
            (StackResult::NotCaptured, Some(format!("not captured: {}", not_polled(kind, *is_woken))))
        }
    };
    let mut stack = TaskStack {
        id: one.id.into(),
        name: group.map_or_else(|| "".into(), |group| Arc::clone(&group.name)),
        kind,
        captured_at: SystemTime::now(),
        result,
        text: String::new(),
        branches,
        children: None,
        thread: held.map(Held::thread),
        lost,
        cut,
    };
    if hides {
        stack = stack.hidden();
    }
    stack.text = text.unwrap_or_else(|| words(&stack.branches));
    let words = words_of(&stack).map(|words| (Instant::now(), words));
    Kept { stack, addresses, spawned_at, words }
}

fn words_of(stack: &TaskStack) -> Option<LastWords> {
    match stack.result {
        StackResult::Waits => Some(LastWords::Waits(stack.text.clone())),
        StackResult::Blocked => {
            let place = last_place(&stack.branches);
            let what = stack.text.strip_prefix("blocked ")?;
            let what = what.strip_suffix(&*in_brackets(place.as_deref())).unwrap_or(what).to_owned();
            Some(LastWords::Held(HeldWords { what, place }))
        }
        _ => None,
    }
}

/// The frames of a thread that a task blocks, from the poll on.
fn branches_of_held(namer: &mut Namer, held: &Held, spawned_at: &str, hides: bool) -> Vec<StackBranch> {
    let mut branches = merge(&[namer.frames(&held.addresses, spawned_at, Frames::Polled)]);
    if hides {
        hide(&mut branches);
    }
    branches
}

/// ` (src/report.rs:12)`.
fn in_brackets(place: Option<&str>) -> String {
    place.map_or_else(String::new, |place| format!(" ({place})"))
}

const fn not_begun(kind: Kind) -> &'static str {
    match kind {
        Kind::Blocking => "has not begun: it waits for a thread of the pool",
        _ => "has not begun: it waits for its limit or its key",
    }
}

/// Why nothing has polled a task that was asked.
const fn not_polled(kind: Kind, is_woken: bool) -> &'static str {
    match (kind, is_woken) {
        (Kind::Future | Kind::Request, true) => "the task around it did not poll it within 1 s",
        (Kind::Future | Kind::Request, false) => {
            "nothing polled it within 1 s, and the task around it is not known to headcount"
        }
        (_, true) => "its runtime did not poll it within 1 s",
        (_, false) => "nothing polled it within 1 s, and it has waited since before stacks were on",
    }
}

/// A kept capture with all its frames.
fn whole(state: &Mutex<State>, id: u64, hides: bool) -> Option<TaskStack> {
    let mut locked = state.lock();
    let Kept { mut stack, addresses, spawned_at, .. } = locked.kept.get(&id).cloned()?;
    let mut namer = std::mem::take(&mut locked.namer);
    drop(locked);
    let frames: Vec<_> =
        addresses.iter().map(|stack| namer.frames(stack, &spawned_at, Frames::All)).collect();
    state.lock().namer = namer;
    stack.branches = merge(&frames);
    Some(if hides { stack.hidden() } else { stack })
}

fn dump(state: &Mutex<State>, hides: bool) -> Arc<StackDump> {
    let (tasks, chosen) = chosen();
    let began = Instant::now();
    let mut folds = Folds::default();
    let (mut asked, mut asking) = (0, Duration::ZERO);
    for some in chosen.chunks(MOST_AT_ONCE) {
        if DUMP_WITHIN <= asking {
            break;
        }
        asked += some.len() as u64;
        let (stacks, took) = ask(state, some, hides, WITHIN);
        asking += took;
        stacks.into_iter().for_each(|stack| folds.add(stack));
    }
    let stacks = folds.most_first();
    let sum = |of: fn(&Folded) -> u64| stacks.iter().map(of).sum();
    let (lost, cut) = (sum(|folded| folded.lost), sum(|folded| folded.cut));
    let dump = Arc::new(StackDump {
        captured_at: SystemTime::now(),
        took_seconds: began.elapsed().as_secs_f64(),
        tasks,
        asked,
        lost,
        cut,
        stacks,
    });
    state.lock().dump = Some(Arc::clone(&dump));
    dump
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: u64, result: StackResult, text: &str) -> Kept {
        let stack = TaskStack {
            id: id.into(),
            name: "".into(),
            kind: Kind::Task,
            captured_at: SystemTime::now(),
            result,
            text: text.to_owned(),
            branches: Vec::new(),
            children: None,
            thread: None,
            lost: 0,
            cut: false,
        };
        let words = words_of(&stack).map(|words| (Instant::now(), words));
        Kept { stack, addresses: Vec::new(), spawned_at: "".into(), words }
    }

    #[test]
    fn so_many_are_taken_in_a_second_and_no_more() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        assert_eq!(rate.take(3, 5, now), Ok(()));
        let later = now + Duration::from_millis(400);
        assert_eq!(rate.take(3, 5, later), Err(Duration::from_millis(600)));
        assert_eq!(rate.take(2, 5, later), Ok(()));
        assert_eq!(rate.take(1, 5, later), Err(Duration::from_millis(600)));
        assert_eq!(rate.take(5, 5, now + SECOND), Ok(()));
    }

    #[test]
    fn tasks_beyond_those_of_a_second_wait_for_the_next() {
        let (state, began) = (Mutex::<State>::default(), Instant::now());
        for _ in 0..MOST_TASKS_A_SECOND as usize / MOST_AT_ONCE {
            pace(&state, MOST_AT_ONCE);
        }
        assert!(began.elapsed() < SECOND / 2, "{:?}", began.elapsed());
        pace(&state, MOST_AT_ONCE);
        assert!(SECOND <= began.elapsed());
    }

    /// A task that was aborted while it was asked waited where it had waited.
    #[test]
    fn what_was_known_stays_where_nothing_answers() {
        let mut state = State::default();
        let mut keep = |result, text: &str| {
            state.keep(&sample(7, result, text));
            state.kept[&7].words.clone().map(|(_, words)| words)
        };
        let waits = Some(LastWords::Waits("waits in a".to_owned()));
        assert_eq!(keep(StackResult::Waits, "waits in a"), waits);
        assert_eq!(keep(StackResult::NotCaptured, "not captured"), waits);
        assert_eq!(keep(StackResult::Ended, "has ended"), waits);
        assert_eq!(keep(StackResult::WentOn, "went on meanwhile"), None);
        assert_eq!(keep(StackResult::Ended, "has ended"), None);
    }

    #[test]
    fn the_oldest_captures_go_first() {
        let mut state = State::default();
        let kept = |id| sample(id, StackResult::Waits, "waits in a");
        state.keep(&kept(0));
        for id in 1..2_000 {
            state.keep(&kept(id));
            // Asked again and again, as by an open page.
            state.keep(&kept(0));
        }
        assert_eq!((state.kept.len(), state.order.len()), (MOST_KEPT, MOST_KEPT));
        assert!(
            state.kept.contains_key(&0) && state.kept.contains_key(&1_999) && !state.kept.contains_key(&1)
        );
    }

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
