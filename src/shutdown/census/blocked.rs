//! Watches for tasks that do not yield: each is reported once.

use std::collections::HashSet;
use std::time::Duration;

use super::{NAMED, Seen, counted, slots};
use crate::clock;
use crate::name::place;
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
        told = look(&told, &log);
    }
}

/// Reports polls that were not reported before; gives all that block now.
fn look(told: &HashSet<(u64, u64)>, log: &Logger) -> HashSet<(u64, u64)> {
    let (now, limit) = (clock::ticks(), registry().config.blocked_after_ticks());
    let blocked = slots::all(|task| is_blocked(task, now, limit));
    let is_new = |(_, task): &&Seen| !told.contains(&(task.id(), task.polls()));
    let new: Vec<_> = blocked.iter().filter(is_new).copied().collect();
    let (named, rest) = new.split_at(new.len().min(NAMED));
    let mut describer = Describer::new();
    let held = stacks::held_by(&named.iter().map(|(current, _)| *current).collect::<Vec<_>>());
    for ((_, task), held) in named.iter().zip(held) {
        let task = describer.live(task);
        let (name, length) = (text::named(&task.name, task.id), text::length(task.state_for));
        let place = place(&task.location);
        let held = held.map_or_else(String::new, |held| format!(" {held}"));
        let text = format!("{name} has not yielded for {length}: it blocks its thread{held} ({place})");
        log.blocked(Line::warn(text).with(Data::task(&task)));
    }
    if let Some(rest) = text::rest(&counted(rest)) {
        log.blocked(Line::warn(rest));
    }
    blocked.iter().map(|(_, task)| (task.id(), task.polls())).collect()
}
