//! Watches for tasks that do not yield: each is reported once.

use std::collections::HashSet;
use std::time::Duration;

use super::{NAMED, Seen, counted, slots};
use crate::clock;
use crate::registry::registry;
use crate::shutdown::words::{Data, Line, Logger, text};
use crate::stacks;
use headcount_core::internal::snapshot::read::{Describer, is_blocked};

/// How often it looks: a pass over a million tasks takes milliseconds, and nothing of it falls on them.
const EVERY: Duration = Duration::from_millis(500);

/// Runs until the process ends.
pub(crate) async fn watch(log: Logger) {
    let mut told: HashSet<(u64, u64)> = HashSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        told = look(&told, &log).await;
    }
}

/// Reports polls that were not reported before; gives all that block now.
async fn look(told: &HashSet<(u64, u64)>, log: &Logger) -> HashSet<(u64, u64)> {
    let (now, limit) = (clock::ticks(), registry().config.blocked_after_ticks());
    let blocked = slots::all(|task| is_blocked(task, now, limit));
    let is_new = |(_, task): &&Seen| !told.contains(&(task.id(), task.polls()));
    let new: Vec<_> = blocked.iter().filter(is_new).copied().collect();
    let all = || blocked.iter().map(|(_, task)| (task.id(), task.polls())).collect();
    if new.is_empty() {
        return all();
    }
    let (named, rest) = new.split_at(new.len().min(NAMED));
    // Described before it is known what holds them, which may take a while.
    let mut describer = Describer::new();
    let tasks: Vec<_> = named.iter().map(|(_, task)| describer.live(task)).collect();
    let held = stacks::held_by(&named.iter().map(|(current, _)| *current).collect::<Vec<_>>()).await;
    for (task, held) in tasks.into_iter().zip(held) {
        let (name, length) = (text::named(&task.name, task.id), text::length(task.state_for));
        let (held, place) = text::held(&task, held.as_ref());
        let text = format!("{name} has not yielded for {length}: it blocks its thread{held} ({place})");
        log.blocked(Line::warn(text).with(Data::task(&task)));
    }
    if let Some(rest) = text::rest(&counted(rest)) {
        log.blocked(Line::warn(rest));
    }
    all()
}
