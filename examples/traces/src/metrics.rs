//! OpenTelemetry's instruments that observe what headcount counts, at each export.

use std::collections::BTreeMap;

use headcount::Outcome;
use headcount::snapshot::GroupInfo;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

type Attributes = BTreeMap<String, String>;

/// Registers them; they are read for as long as the meter's provider lives.
pub fn register(meter: &Meter) {
    let _ = meter
        .u64_observable_counter("headcount.tasks.spawned")
        .with_description("Tasks spawned.")
        .with_callback(|observer| {
            observe(observer, groups().map(|group| (attributes(&group), group.spawned)));
        })
        .build();
    let _ = meter
        .u64_observable_counter("headcount.tasks.finished")
        .with_description("Tasks finished, by how they ended.")
        .with_callback(|observer| {
            let finished = groups().flat_map(|group| {
                let ended = Outcome::ALL.iter().filter(|outcome| 0 < group.finished.get(**outcome));
                let counts = ended.map(|outcome| {
                    let mut attributes = attributes(&group);
                    attributes.insert("outcome".to_owned(), outcome.as_str().to_owned());
                    (attributes, group.finished.get(*outcome))
                });
                counts.collect::<Vec<_>>()
            });
            observe(observer, finished);
        })
        .build();
    let _ = meter
        .u64_observable_gauge("headcount.tasks.live")
        .with_description("Tasks alive.")
        .with_callback(|observer| {
            observe(observer, groups().map(|group| (attributes(&group), group.live)));
        })
        .build();
}

/// What tells one series from another: names, kinds and labels, never fields.
fn attributes(group: &GroupInfo) -> Attributes {
    let labels = group.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let own = [("task", group.name.to_string()), ("kind", group.kind.as_str().to_owned())];
    labels.chain(own.map(|(key, value)| (key.to_owned(), value))).collect()
}

/// Adds up what has equal attributes, as groups that differ in their location have: of several observations
/// of one series only the last would count.
fn observe(observer: &dyn AsyncInstrument<u64>, counts: impl Iterator<Item = (Attributes, u64)>) {
    let mut sums: BTreeMap<Attributes, u64> = BTreeMap::new();
    for (attributes, count) in counts {
        *sums.entry(attributes).or_default() += count;
    }
    for (attributes, sum) in sums {
        let attributes: Vec<KeyValue> =
            attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        observer.observe(sum, &attributes);
    }
}

fn groups() -> impl Iterator<Item = GroupInfo> {
    headcount::snapshot().groups.into_iter()
}
