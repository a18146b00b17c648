//! What changed in the summary since the event before, for clients that merge.
//!
//! All such clients follow one chain. Each event holds what changed since the event before it in the chain,
//! whichever clients received that one. A client that is new or missed an event receives a whole summary and
//! continues from there.

use std::collections::{HashMap, HashSet, VecDeque};

use axum::body::Bytes;
use serde_json::{Map, Value};

use super::wire::Summary;

/// Groups in one event.
const GROUPS_SIZE: usize = 16 * 1024;

type Object = Map<String, Value>;

/// What the chain has sent.
#[derive(Debug, Default)]
pub(super) struct Chain {
    told: Object,
    groups: HashMap<u64, Object>,
    /// Groups that changed and did not fit, those that have waited longest first. They are sent whole,
    /// whatever has become of the change since.
    waiting: VecDeque<u64>,
}

impl Chain {
    /// Begins with a summary that is sent whole.
    pub(super) fn new(summary: &Summary) -> Self {
        let (told, groups) = taken_apart(summary);
        Self { told, groups: groups.into_iter().collect(), waiting: VecDeque::new() }
    }

    /// The event that follows.
    pub(super) fn next(&mut self, summary: &Summary) -> Bytes {
        let (now, groups) = taken_apart(summary);
        let mut event: Object =
            now.iter().filter(|(key, value)| self.told.get(*key) != Some(*value)).map(owned).collect();
        self.told = now;
        event.insert("delta".to_owned(), true.into());
        event.insert("groups".to_owned(), Value::Array(self.changed(groups)));
        let text = Value::Object(event).to_string();
        format!("event: summary\ndata: {text}\n\n").into()
    }

    /// The groups that changed, as far as there is room.
    fn changed(&mut self, groups: Vec<(u64, Object)>) -> Vec<Value> {
        let mut fresh: HashMap<u64, Object> = groups.into_iter().collect();
        let waits: HashSet<u64> = self.waiting.iter().copied().collect();
        let mut ids: Vec<u64> = self.waiting.drain(..).filter(|id| fresh.contains_key(id)).collect();
        let mut newly: Vec<u64> = fresh.keys().copied().filter(|id| !waits.contains(id)).collect();
        newly.sort_unstable();
        ids.extend(newly);
        let mut room = GROUPS_SIZE;
        let mut changed = Vec::new();
        for id in ids {
            let Some(now) = fresh.remove(&id) else { continue };
            let known = self.groups.get(&id).filter(|_| !waits.contains(&id));
            let Some(difference) = difference(id, known, &now) else { continue };
            let size = difference.to_string().len();
            if room < size {
                self.waiting.push_back(id);
                continue;
            }
            room -= size;
            changed.push(difference);
            self.groups.insert(id, now);
        }
        changed
    }
}

/// The keys of a group that are not as they were; `None` if all are. Ages advance without being sent.
fn difference(id: u64, known: Option<&Object>, now: &Object) -> Option<Value> {
    let Some(known) = known else { return Some(Value::Object(now.clone())) };
    let is_same_task = known.get("oldest_task") == now.get("oldest_task");
    let is_told = |key: &String, value: &Value| {
        known.get(key) == Some(value) || (key == "oldest_age_seconds" && is_same_task)
    };
    let mut difference: Object = now.iter().filter(|(key, value)| !is_told(key, value)).map(owned).collect();
    if difference.is_empty() {
        return None;
    }
    difference.insert("id".to_owned(), id.into());
    Some(Value::Object(difference))
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The summary without its groups, and those.
fn taken_apart(summary: &Summary) -> (Object, Vec<(u64, Object)>) {
    let Ok(Value::Object(mut whole)) = serde_json::to_value(summary) else { return Default::default() };
    let Some(Value::Array(groups)) = whole.remove("groups") else { return (whole, Vec::new()) };
    let group = |group: Value| match group {
        Value::Object(group) => Some((group.get("id")?.as_u64()?, group)),
        _ => None,
    };
    (whole, groups.into_iter().filter_map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixtures;

    fn told(event: &Bytes) -> Value {
        let text = std::str::from_utf8(event).unwrap();
        serde_json::from_str(text.split_once("data: ").unwrap().1.trim()).unwrap()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut summary = fixtures::summary("running", None);
        let mut chain = Chain::new(&summary);
        assert_eq!(told(&chain.next(&summary)), serde_json::json!({ "delta": true, "groups": [] }));
        summary.live += 1;
        summary.groups[0].live += 1;
        summary.groups[0].oldest_age_seconds = Some(42.0);
        let event = told(&chain.next(&summary));
        assert_eq!(
            event,
            serde_json::json!({ "delta": true, "live": 215, "groups": [{ "id": 3, "live": 215 }] })
        );
        summary.groups[0].oldest_task = Some(99);
        let event = told(&chain.next(&summary));
        assert_eq!(event["groups"], serde_json::json!([{ "id": 3, "oldest_task": 99 }]));
    }

    #[test]
    fn groups_without_room_come_next_and_whole() {
        let mut summary = fixtures::summary("running", None);
        summary.groups = (0..100)
            .map(|id| {
                let mut group = fixtures::group();
                group.id = id;
                group
            })
            .collect();
        let mut chain = Chain::new(&fixtures::summary("running", None));
        let mut seen = HashSet::new();
        for _ in 0..20 {
            let event = told(&chain.next(&summary));
            let groups = event["groups"].as_array().unwrap();
            let size: usize = groups.iter().map(|group| group.to_string().len()).sum();
            assert!(size <= GROUPS_SIZE);
            seen.extend(groups.iter().map(|group| group["id"].as_u64().unwrap()));
        }
        assert_eq!(seen.len(), 99, "each was sent in the end, but for the one that was known");
        assert_eq!(told(&chain.next(&summary))["groups"], serde_json::json!([]));
    }
}
