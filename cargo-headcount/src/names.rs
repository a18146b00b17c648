//! Names for tasks that are called alike otherwise: blocks of a function that spawns several, or that is
//! called `new`.

use std::collections::{BTreeMap, BTreeSet};

use crate::scan::{Call, Shape, Site};

/// Variables that say nothing about the task.
const EMPTY: [&str; 14] = [
    "h",
    "handle",
    "hdl",
    "jh",
    "join",
    "join_handle",
    "joined",
    "res",
    "result",
    "ret",
    "spawned",
    "t",
    "task",
    "th",
];

/// Proposed names by the spawn's place in the list.
pub(crate) fn propose(sites: &[Site]) -> BTreeMap<usize, String> {
    let mut by_function: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, site) in sites.iter().enumerate() {
        if is_block(site) && !site.test {
            by_function.entry(&site.function).or_default().push(at);
        }
    }
    let mut names = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (function, sites_of) in by_function {
        let constructor = function.strip_suffix("::new");
        if sites_of.len() < 2 && constructor.is_none() {
            continue;
        }
        for (ordinal, at) in sites_of.into_iter().enumerate() {
            if !sites[at].is_plain() {
                continue;
            }
            let base = constructor.unwrap_or(function);
            let hint = hint(&sites[at]).unwrap_or_else(|| format!("task-{}", ordinal + 1));
            let mut name = format!("{base}::{hint}");
            let mut more = 2;
            while !taken.insert(name.clone()) {
                name = format!("{base}::{hint}-{more}");
                more += 1;
            }
            names.insert(at, name);
        }
    }
    names
}

/// An async block or a closure: what is named after the function around it.
fn is_block(site: &Site) -> bool {
    let named = site.args.iter().any(|arg| arg.shape != Shape::Other);
    named
        && !matches!(site.call, Call::Value(..))
        && site.receiver.as_ref().is_none_or(|receiver| receiver.builder.is_none())
}

fn hint(site: &Site) -> Option<String> {
    let bound = site.bound.as_deref().map(|name| name.trim_start_matches('_'));
    let bound = bound.map(|name| name.trim_end_matches("_handle").trim_end_matches("_task"));
    let called = site.args.iter().find_map(|arg| match &arg.shape {
        Shape::Block(call) | Shape::Closure(call) => call.clone(),
        Shape::Other => None,
    });
    bound.filter(|name| !name.is_empty() && !EMPTY.contains(name)).map(str::to_owned).or(called)
}
