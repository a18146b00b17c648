//! Where tasks wait.

use std::sync::Arc;

use serde::Serialize;

use super::time;
#[cfg(test)]
use crate::admin::openapi::schema;
use crate::snapshot::Kind;
use crate::stacks::{Folded, StackBranch, StackDump, StackFrame, StackResult, StackThread, TaskStack};

/// Where a task waits.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Stack {
    pub(in crate::admin) id: u64,
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) name: Arc<str>,
    #[cfg_attr(test, schema(schema_with = schema::kinds))]
    pub(in crate::admin) kind: Kind,
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) captured_at: String,
    /// What came of asking it.
    #[cfg_attr(test, schema(schema_with = schema::stack_results))]
    pub(in crate::admin) result: StackResult,
    /// The same in one line.
    pub(in crate::admin) text: String,
    pub(in crate::admin) branches: Vec<Branch>,
    /// Live children, where it waits for the members of a `JoinSet`, a `FuturesUnordered` or the like; else
    /// null.
    pub(in crate::admin) children: Option<u64>,
    /// What its thread does, where the result is `blocked` and the system says so.
    pub(in crate::admin) thread: Option<HeldThread>,
    /// Places that there was no room for.
    pub(in crate::admin) lost: u64,
    /// Whether outer frames are missing.
    pub(in crate::admin) cut: bool,
}

/// The thread that a task blocks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct HeldThread {
    /// Its state as `ps` has it: `R` runs, `S` sleeps, `D` sleeps and cannot be interrupted, `T` is stopped.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) state_code: Option<char>,
    /// The system call that it is in; null for a thread that computes.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) call: Option<Arc<str>>,
    /// The file, path or peer of the call; null if not known, or hidden.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) object: Option<Arc<str>>,
    /// Of a thread that computes, the share of a moment that it was on a processor.
    pub(in crate::admin) processor_percent: Option<u64>,
}

/// Frames, and the branches inside of the last.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Branch {
    /// The outermost first.
    pub(in crate::admin) frames: Vec<Frame>,
    /// Whether it waits for draining to begin, so that it is no cause.
    pub(in crate::admin) draining: bool,
    /// Those of a `select!`, `join!` or timeout.
    #[cfg_attr(test, schema(no_recursion))]
    pub(in crate::admin) branches: Vec<Branch>,
}

/// A function.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct Frame {
    #[cfg_attr(test, schema(value_type = String))]
    pub(in crate::admin) function: Arc<str>,
    /// `file:line` of the await in it; null if not known, or hidden.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) location: Option<Arc<str>>,
    /// The package that it is of; null for the application's own code.
    #[cfg_attr(test, schema(value_type = Option<String>))]
    pub(in crate::admin) library: Option<Arc<str>>,
}

/// Where all tasks wait.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct StackList {
    #[cfg_attr(test, schema(schema_with = schema::date_time))]
    pub(in crate::admin) captured_at: String,
    pub(in crate::admin) took_seconds: f64,
    /// Tasks that lived.
    pub(in crate::admin) tasks: u64,
    /// Tasks that were asked: of each group some, if there were too many.
    pub(in crate::admin) asked: u64,
    /// Captures that were refused since the start: too many a second, or too many at a time.
    pub(in crate::admin) refused: u64,
    /// Places that there was no room for.
    pub(in crate::admin) lost: u64,
    /// Tasks of which outer frames are missing.
    pub(in crate::admin) cut: u64,
    /// Most tasks first.
    pub(in crate::admin) stacks: Vec<FoldedStack>,
}

/// Tasks that wait at one place.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(in crate::admin) struct FoldedStack {
    pub(in crate::admin) count: u64,
    #[cfg_attr(test, schema(schema_with = schema::stack_results))]
    pub(in crate::admin) result: StackResult,
    pub(in crate::admin) text: String,
    /// Ten of their names.
    #[cfg_attr(test, schema(value_type = Vec<String>))]
    pub(in crate::admin) names: Vec<Arc<str>>,
    /// Ten of their ids.
    pub(in crate::admin) ids: Vec<u64>,
    pub(in crate::admin) branches: Vec<Branch>,
    /// Live children of all of them, where they wait for such; else null.
    pub(in crate::admin) children: Option<u64>,
    /// Places that there was no room for.
    pub(in crate::admin) lost: u64,
    /// Tasks of which outer frames are missing.
    pub(in crate::admin) cut: u64,
}

impl From<TaskStack> for Stack {
    fn from(stack: TaskStack) -> Self {
        Self {
            id: stack.id.get(),
            name: stack.name,
            kind: stack.kind,
            captured_at: time(stack.captured_at),
            result: stack.result,
            text: stack.text,
            branches: branches(&stack.branches),
            children: stack.children,
            thread: stack.thread.map(thread),
            lost: stack.lost,
            cut: stack.cut,
        }
    }
}

impl StackList {
    pub(in crate::admin) fn new(dump: &StackDump, refused: u64) -> Self {
        Self {
            captured_at: time(dump.captured_at),
            took_seconds: dump.took_seconds,
            tasks: dump.tasks,
            asked: dump.asked,
            refused,
            lost: dump.lost,
            cut: dump.cut,
            stacks: dump.stacks.iter().map(folded).collect(),
        }
    }
}

fn folded(folded: &Folded) -> FoldedStack {
    FoldedStack {
        count: folded.count,
        result: folded.result,
        text: folded.text.clone(),
        names: folded.names.clone(),
        ids: folded.ids.clone(),
        branches: branches(&folded.branches),
        children: folded.children,
        lost: folded.lost,
        cut: folded.cut,
    }
}

fn thread(thread: StackThread) -> HeldThread {
    let StackThread { state_code, call, object, processor_percent } = thread;
    HeldThread { state_code, call, object, processor_percent }
}

fn branches(of: &[StackBranch]) -> Vec<Branch> {
    let frame = |frame: &StackFrame| Frame {
        function: Arc::clone(&frame.function),
        location: frame.location.clone(),
        library: frame.library.clone(),
    };
    let branch = |branch: &StackBranch| Branch {
        frames: branch.frames.iter().map(frame).collect(),
        draining: branch.draining,
        branches: branches(&branch.branches),
    };
    of.iter().map(branch).collect()
}
