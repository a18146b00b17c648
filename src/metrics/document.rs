//! Writes docs/METRICS.md from the table.

use super::table::{Family, TABLE, Values};

#[test]
fn the_document_of_metrics_is_fresh() {
    let rows: String = TABLE.iter().map(row).collect();
    let text = format!(
        "# Metrics\n\nWhat `/metrics` and `render_metrics()` write, in the text format of Prometheus, and what the `metrics` \
         facade gets. A group is tasks of the same name, kind and labels: each of its families has the labels `task` and \
         `kind`, and those that the code gives with `.label(key, value)`.\n\n\
         For a client that prefers it, `/metrics` is OpenMetrics: the same series, with units and exemplars. \
         [kit/prometheus][PROMETHEUS] has rules and alerts, and says how to get the last counts of a process \
         that stops.\n\nThrough the `metrics` facade headcount publishes once a second, to a recorder that the application has \
         set. There `headcount_task_busy_seconds` is a gauge, and each bucket's new durations arrive as their mean, so use the \
         bounds of `buckets` in that recorder.\n\n\
         The values of `outcome` are {}. With the setting `duration_outcome`, `headcount_task_duration_seconds` has this \
         label as well. The bounds of that family are those of `buckets`, by default 20 and `+Inf`.\n\n\
         | family | type | labels | what it is |\n|---|---|---|---|\n{rows}\n[PROMETHEUS]: ../kit/prometheus/README.md\n",
        outcomes()
    );
    crate::fresh::assert_fresh("docs/METRICS.md", &text);
}

fn outcomes() -> String {
    let names = headcount_core::Outcome::ALL.iter().map(|outcome| format!("`{outcome}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn row(family: &Family) -> String {
    let (of, labels) = match &family.values {
        Values::Counter(_) | Values::Seconds(_) => ("counter", "those of the group"),
        Values::SomeCounter(_) => {
            ("counter", "those of the group (only groups with a service, timer, limit, key or timeout)")
        }
        Values::SomeGauge(_) => {
            ("gauge", "those of the group (only groups with a service, timer, limit, key or timeout)")
        }
        Values::Outcomes(_) => ("counter", "those of the group, `outcome`"),
        Values::Labelled(label, _) => {
            return format!(
                "| `{}` | counter | those of the group, `{label}` | {} |\n",
                family.name, family.help
            );
        }
        Values::Gauge(_) => ("gauge", "those of the group"),
        Values::Histogram(_) => ("histogram", "those of the group, `le`"),
        Values::ProcessCounter(_) => ("counter", ""),
        Values::ProcessGauge(_) => ("gauge", ""),
    };
    format!("| `{}` | {of} | {labels} | {} |\n", family.name, family.help)
}
