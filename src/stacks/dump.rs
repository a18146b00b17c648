//! A dump of all tasks: which of them it asks, and equal stacks as one.

use std::collections::HashMap;

use super::tree::{Folded, StackBranch, StackResult, TaskStack, children_words};
use crate::registry::local::Current;
use crate::registry::slot::Reading;
use crate::snapshot::Kind;
use headcount_core::internal::snapshot::read;

/// Tasks that one dump asks; of more, some of each group.
pub(crate) const MOST_TASKS: usize = 1_000;
/// Names and ids of a folded stack.
const MOST_NAMED: usize = 10;

/// Stacks that are alike, each once.
#[derive(Default)]
pub(super) struct Folds(HashMap<(StackResult, String, Vec<StackBranch>), Folded>);

impl Folds {
    pub(super) fn add(&mut self, stack: TaskStack) {
        // Tasks with more and with fewer children wait at one place.
        let text =
            stack.text.strip_suffix(&*children_words(stack.children)).unwrap_or(&stack.text).to_owned();
        let key = (stack.result, text.clone(), stack.branches.clone());
        let fold = self.0.entry(key).or_insert_with(|| Folded {
            count: 0,
            result: stack.result,
            text,
            names: Vec::new(),
            ids: Vec::new(),
            branches: stack.branches,
            children: None,
            lost: 0,
            cut: 0,
        });
        fold.lost += stack.lost;
        fold.cut += u64::from(stack.cut);
        if let Some(children) = stack.children {
            *fold.children.get_or_insert(0) += children;
        }
        fold.count += 1;
        if fold.names.len() < MOST_NAMED && !fold.names.contains(&stack.name) {
            fold.names.push(stack.name);
        }
        if fold.ids.len() < MOST_NAMED {
            fold.ids.push(stack.id.get());
        }
    }

    /// Those of most tasks first, each with the sum of its children.
    pub(super) fn most_first(self) -> Vec<Folded> {
        let mut stacks: Vec<Folded> = self.0.into_values().collect();
        stacks.iter_mut().for_each(|folded| folded.text.push_str(&children_words(folded.children)));
        stacks.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.ids.cmp(&other.ids)));
        stacks
    }
}

/// How many tasks live, and which of them are asked: all, or of each group some, the oldest first.
pub(super) fn chosen() -> (u64, Vec<Current>) {
    let mut groups: HashMap<u32, Vec<(u64, Current)>> = HashMap::new();
    let mut tasks = 0;
    read::live().filter(|(_, task)| is_asked(task)).for_each(|(slot, task)| {
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
