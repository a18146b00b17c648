//! Stacks as data: frames, branches, a line of text.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::snapshot::Kind;
use headcount_core::TaskId;

/// Branches that a line of text names.
const MOST_BRANCHES: usize = 3;
/// Frames of libraries behind the last await of the application that a line names all of.
const MOST_BEHIND: usize = 3;

/// Where a task waits, from [`stack`](crate::stack).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskStack {
    /// The task's id.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Which of the spawn functions began it.
    pub kind: Kind,
    /// When it was asked.
    #[serde(serialize_with = "rfc3339")]
    pub captured_at: SystemTime,
    /// What came of it.
    pub result: StackResult,
    /// The same in one line: `waits in shop::mail::send → Semaphore::acquire (src/mail.rs:88)`.
    pub text: String,
    /// From the future that was spawned to the first frame of the library that it waits in. More than one
    /// where its branches have nothing in common.
    pub branches: Vec<StackBranch>,
    /// Where it waits for the members of a `JoinSet`, a `FuturesUnordered` or the like, which it does not
    /// poll itself: how many live tasks and tracked futures are its children.
    pub children: Option<u64>,
    /// What its thread does, where it is [blocked](StackResult::Blocked) and the system says so.
    pub thread: Option<StackThread>,
    /// Places that there was no room for.
    pub lost: u64,
    /// Whether a stack was so deep that its outer frames are missing.
    pub cut: bool,
}

/// What the system says of the thread that a task blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct StackThread {
    /// Its state as `ps` has it: `R` runs, `S` sleeps, `D` sleeps and cannot be interrupted, `T` is stopped.
    pub state_code: Option<char>,
    /// The system call that it is in, by name; `None` for a thread that computes.
    pub call: Option<Arc<str>>,
    /// The file, path or peer of the call, where that is known and not hidden.
    pub object: Option<Arc<str>>,
    /// For a thread that computes, the share of a moment that it was on a processor.
    pub processor_percent: Option<u64>,
}

/// What came of asking a task where it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StackResult {
    /// It waits there.
    Waits,
    /// It was ready at the poll that asked it.
    WentOn,
    /// It panicked in that poll.
    Panicked,
    /// It has ended.
    Ended,
    /// It is inside a poll or a closure, and cannot be asked.
    Blocked,
    /// It waits for its limit, its key or a thread of the pool, before its first poll.
    NotBegun,
    /// Nothing has polled it in time.
    NotCaptured,
}

/// A part of a stack: frames one after the other, and what is inside of the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct StackBranch {
    /// The outermost first.
    pub frames: Vec<StackFrame>,
    /// Whether it waits for [`draining()`](crate::draining), so that it is no cause.
    pub draining: bool,
    /// The branches of a `select!`, `join!` or timeout.
    pub branches: Vec<Self>,
}

/// A function in a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct StackFrame {
    /// Its path: `shop::mail::send`. In a program without symbols the file and the offset: `shop+0x1f2c`.
    pub function: Arc<str>,
    /// `file:line` of the await or call in it, where that is known and not hidden.
    pub location: Option<Arc<str>>,
    /// The package that it is of; `None` for the application's own code.
    pub library: Option<Arc<str>>,
    /// That it waits for the begin of draining.
    #[serde(skip)]
    pub(crate) is_draining: bool,
    /// That it is of a container whose members are polled by themselves.
    #[serde(skip)]
    pub(crate) is_container: bool,
}

impl TaskStack {
    /// Without paths.
    pub(crate) fn hidden(mut self) -> Self {
        hide(&mut self.branches);
        if let Some(thread) = &mut self.thread {
            thread.object = None;
        }
        self
    }
}

/// Whether one of these waits for members that it does not poll itself.
pub(crate) fn holds_container(branches: &[StackBranch]) -> bool {
    branches.iter().any(|branch| {
        branch.frames.iter().any(|frame| frame.is_container) || holds_container(&branch.branches)
    })
}

/// The last line of the application's own code, where that is known and not hidden.
pub(crate) fn last_place(branches: &[StackBranch]) -> Option<Arc<str>> {
    let mut paths = Vec::new();
    collect(branches, &mut Vec::new(), &mut paths);
    let own =
        paths.first()?.iter().rev().find(|frame| frame.library.is_none() && frame.location.is_some())?;
    own.location.clone()
}

/// `, 12 live children`.
pub(crate) fn children_words(children: Option<u64>) -> String {
    match children {
        None | Some(0) => String::new(),
        Some(1) => ", 1 live child".to_owned(),
        Some(children) => format!(", {children} live children"),
    }
}

pub(crate) fn hide(branches: &mut [StackBranch]) {
    for branch in branches {
        branch.frames.iter_mut().for_each(|frame| frame.location = None);
        hide(&mut branch.branches);
    }
}

/// All tasks that were asked, those that wait at one place together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StackDump {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) captured_at: SystemTime,
    pub(crate) took_seconds: f64,
    /// Tasks that live.
    pub(crate) tasks: u64,
    /// Tasks that were asked: of each group some, if there are too many.
    pub(crate) asked: u64,
    /// Places that there was no room for.
    pub(crate) lost: u64,
    /// Tasks of which a stack was so deep that its outer frames are missing.
    pub(crate) cut: u64,
    pub(crate) stacks: Vec<Folded>,
}

/// Tasks that wait at one place.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Folded {
    pub(crate) count: u64,
    pub(crate) result: StackResult,
    pub(crate) text: String,
    /// Their names, each once, ten at the most.
    pub(crate) names: Vec<Arc<str>>,
    /// Ten of them.
    pub(crate) ids: Vec<u64>,
    pub(crate) branches: Vec<StackBranch>,
    /// Children of all of them, where they wait for such.
    pub(crate) children: Option<u64>,
    pub(crate) lost: u64,
    pub(crate) cut: u64,
}

/// Stacks as a tree: what they have in common stands once.
pub(crate) fn merge(stacks: &[Vec<StackFrame>]) -> Vec<StackBranch> {
    let stacks: Vec<&[StackFrame]> =
        stacks.iter().map(Vec::as_slice).filter(|stack| !stack.is_empty()).collect();
    branches_of(&stacks)
}

type Heads<'a> = Vec<(&'a StackFrame, Vec<&'a [StackFrame]>)>;

/// The outermost frames, each with what is inside of it.
fn heads_of<'a>(stacks: &[&'a [StackFrame]]) -> Heads<'a> {
    let mut heads: Heads<'a> = Vec::new();
    for stack in stacks {
        let Some((head, rest)) = stack.split_first() else { continue };
        match heads.iter_mut().find(|(known, _)| *known == head) {
            Some((_, rests)) => rests.push(rest),
            None => heads.push((head, vec![rest])),
        }
    }
    heads
}

fn branches_of(stacks: &[&[StackFrame]]) -> Vec<StackBranch> {
    heads_of(stacks).into_iter().map(|(head, rests)| branch_of(head, rests)).collect()
}

/// It calls itself only where stacks part, which few do: a stack may have thousands of frames.
fn branch_of(head: &StackFrame, mut rests: Vec<&[StackFrame]>) -> StackBranch {
    let mut frames = vec![head.clone()];
    let mut inner = heads_of(&rests);
    while let [(head, further)] = &mut inner[..] {
        // What is inside continues the same line.
        frames.push(head.clone());
        rests = std::mem::take(further);
        inner = heads_of(&rests);
    }
    let branches: Vec<_> = inner.into_iter().map(|(head, rests)| branch_of(head, rests)).collect();
    let of_branches = !branches.is_empty() && branches.iter().all(|branch| branch.draining);
    let draining = frames.iter().any(|frame| frame.is_draining) || of_branches;
    StackBranch { frames, draining, branches }
}

/// `waits in a → b (src/x.rs:88)`. Branches that wait for draining are no cause, and named only if there is
/// no other.
pub(crate) fn words(branches: &[StackBranch]) -> String {
    let mut paths = Vec::new();
    collect(branches, &mut Vec::new(), &mut paths);
    if paths.is_empty() {
        return "waits, and nothing says where".to_owned();
    }
    let causes: Vec<_> = paths.iter().filter(|path| !path.iter().any(|frame| frame.is_draining)).collect();
    if causes.is_empty() {
        return format!("waits for draining() in {}", line(&paths[0]));
    }
    let named: Vec<_> = causes.iter().take(MOST_BRANCHES).map(|path| line(path)).collect();
    let more = match causes.len().saturating_sub(MOST_BRANCHES) {
        0 => String::new(),
        more => format!(" or {more} more"),
    };
    format!("waits in {}{more}", named.join(" or "))
}

/// The paths from each root to each leaf.
fn collect<'a>(
    branches: &'a [StackBranch],
    outer: &mut Vec<&'a StackFrame>,
    paths: &mut Vec<Vec<&'a StackFrame>>,
) {
    for branch in branches {
        let before = outer.len();
        outer.extend(&branch.frames);
        if branch.branches.is_empty() {
            paths.push(outer.clone());
        } else {
            collect(&branch.branches, outer, paths);
        }
        outer.truncate(before);
    }
}

/// `shop::mail::send → Pool::get → Semaphore::acquire (src/mail.rs:88)`: the application's frames, then those
/// of libraries behind them, and the last place of the application's.
fn line(path: &[&StackFrame]) -> String {
    let last_own = path.iter().rposition(|frame| frame.library.is_none());
    let own = path.iter().filter(|frame| frame.library.is_none()).map(|frame| &*frame.function);
    let behind = &path[last_own.map_or(0, |last| last + 1)..];
    let mut behind: Vec<_> = behind.iter().map(|frame| short(&frame.function)).collect();
    if MOST_BEHIND < behind.len() {
        // What was called, and what it waits for in the end: combinators and layers are between.
        behind.splice(1..behind.len() - 1, ["…"]);
    }
    let names: Vec<_> = own.chain(behind).collect();
    let place = last_own.or(path.len().checked_sub(1)).and_then(|at| path[at].location.as_deref());
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    format!("{}{place}", names.join(" → "))
}

/// The last two parts of a path.
fn short(function: &str) -> &str {
    let mut at = function.rmatch_indices("::").map(|(at, _)| at + 2);
    at.nth(1).map_or(function, |at| &function[at..])
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(function: &str, location: &str) -> StackFrame {
        StackFrame {
            function: function.into(),
            location: Some(location.into()),
            library: None,
            is_draining: false,
            is_container: false,
        }
    }

    fn of(library: &str, function: &str) -> StackFrame {
        StackFrame { library: Some(library.into()), ..own(function, "lib.rs:1") }
    }

    fn draining() -> StackFrame {
        StackFrame { is_draining: true, ..of("headcount", "draining") }
    }

    #[test]
    fn a_line_names_the_applications_frames_and_the_first_of_each_library_behind_them() {
        let stack = vec![
            own("shop::mail::send", "src/mail.rs:80"),
            of("tokio", "tokio::time::timeout::Timeout"),
            own("shop::pool::get", "src/pool.rs:88"),
            of("sqlx", "sqlx::pool::Pool::get"),
            of("tokio", "tokio::sync::Semaphore::acquire"),
        ];
        let text = words(&merge(&[stack]));
        assert_eq!(
            text,
            "waits in shop::mail::send → shop::pool::get → Pool::get → Semaphore::acquire (src/pool.rs:88)"
        );
    }

    #[test]
    fn branches_have_their_root_once_and_draining_is_no_cause() {
        let root = || own("shop::run", "src/run.rs:5");
        let stacks = [
            vec![root(), draining()],
            vec![root(), own("shop::next", "src/run.rs:9"), of("tokio", "tokio::Receiver::recv")],
            vec![root(), of("tokio", "tokio::time::Sleep")],
        ];
        let tree = merge(&stacks);
        assert_eq!((tree.len(), tree[0].frames.len(), tree[0].branches.len()), (1, 1, 3));
        assert!(tree[0].branches[0].draining && !tree[0].draining);
        assert_eq!(
            words(&tree),
            "waits in shop::run → shop::next → Receiver::recv (src/run.rs:9) or shop::run → time::Sleep (src/run.rs:5)"
        );
        let only = merge(&stacks[..1]);
        assert!(only[0].draining);
        assert_eq!(words(&only), "waits for draining() in shop::run → draining (src/run.rs:5)");
    }

    #[test]
    fn a_deep_stack_needs_no_deep_stack() {
        let deep: Vec<_> = (0..100_000).map(|at| own("shop::walk", &format!("src/walk.rs:{at}"))).collect();
        let merged = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let tree = merge(&[deep]);
            (tree.len(), tree[0].frames.len(), tree[0].branches.len())
        });
        assert_eq!(merged.unwrap().join().unwrap(), (1, 100_000, 0));
    }

    #[test]
    fn a_long_way_through_libraries_has_its_ends() {
        let functions =
            ["sqlx::Pool::acquire", "tokio::Timeout", "sqlx::Inner::acquire", "tokio::Semaphore::acquire"];
        let libraries = functions.iter().map(|function| of(function.split("::").next().unwrap(), function));
        let stack = std::iter::once(own("shop::pay", "src/pay.rs:3")).chain(libraries).collect();
        let text = words(&merge(&[stack]));
        assert_eq!(text, "waits in shop::pay → Pool::acquire → … → Semaphore::acquire (src/pay.rs:3)");
    }

    #[test]
    fn many_branches_are_counted() {
        let stacks: Vec<_> = (0..9).map(|n| vec![own("a::b", &format!("src/a.rs:{n}"))]).collect();
        assert!(words(&merge(&stacks)).ends_with(" or 6 more"));
        assert_eq!(words(&[]), "waits, and nothing says where");
    }
}
