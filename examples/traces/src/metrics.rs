//! OpenTelemetry's instruments that observe what headcount counts, at each export.

use headcount::Outcome;
use headcount::snapshot::GroupInfo;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// Registers them; they are read for as long as the meter's provider lives.
pub fn register(meter: &Meter) {
    let _ = meter
        .u64_observable_counter("headcount.tasks.spawned")
        .with_description("Tasks spawned.")
        .with_callback(|observer| {
            for group in headcount::snapshot().groups {
                observer.observe(group.spawned, &attributes(&group));
            }
        })
        .build();
    let _ = meter
        .u64_observable_counter("headcount.tasks.finished")
        .with_description("Tasks finished, by how they ended.")
        .with_callback(|observer| {
            for group in headcount::snapshot().groups {
                for outcome in Outcome::ALL.iter().filter(|outcome| 0 < group.finished.get(**outcome)) {
                    let mut attributes = attributes(&group);
                    attributes.push(KeyValue::new("outcome", outcome.as_str()));
                    observer.observe(group.finished.get(*outcome), &attributes);
                }
            }
        })
        .build();
    let _ = meter
        .u64_observable_gauge("headcount.tasks.live")
        .with_description("Tasks alive.")
        .with_callback(|observer| {
            for group in headcount::snapshot().groups {
                observer.observe(group.live, &attributes(&group));
            }
        })
        .build();
}

/// What tells one series from another: names, kinds and labels, never fields.
fn attributes(group: &GroupInfo) -> Vec<KeyValue> {
    let labels = group.labels.iter().map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let name = KeyValue::new("task", group.name.to_string());
    [name, KeyValue::new("kind", group.kind.as_str())].into_iter().chain(labels).collect()
}
