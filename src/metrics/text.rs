//! The text format of Prometheus.

use std::fmt::{Display, Write};
use std::time::Duration;

use metrics_exporter_prometheus::formatting;

use super::series::{Figures, SeriesLabels};
use super::table::{Family, TABLE, Values};
use crate::snapshot::{Bucket, Outcome};

/// Writes all families.
pub(crate) fn render(figures: &Figures) -> String {
    // About what a series takes, so that the text grows in one piece.
    let mut text = String::with_capacity(4096 + 3072 * figures.series.len());
    let labels: Vec<String> = figures.series.iter().map(|series| label_text(&series.labels)).collect();
    for family in TABLE {
        write_family(&mut text, family, figures, &labels);
        text.push('\n');
    }
    text
}

fn write_family(text: &mut String, family: &Family, figures: &Figures, labels: &[String]) {
    let name = family.name;
    let series = || figures.series.iter().zip(labels);
    formatting::write_help_line(text, name, None, None, family.help);
    formatting::write_type_line(text, name, None, None, type_name(&family.values));
    match &family.values {
        Values::Counter(value) => series().for_each(|(s, labels)| line(text, name, "", labels, value(s))),
        Values::Seconds(value) => {
            series().for_each(|(s, labels)| line(text, name, "", labels, Exact(value(s))));
        }
        Values::Outcomes(counts) => {
            for (series, labels) in series() {
                for outcome in Outcome::ALL {
                    let labels = format_args!("{labels},outcome=\"{outcome}\"");
                    line(text, name, "", labels, counts(series).get(outcome));
                }
            }
        }
        Values::Gauge(value) => {
            for (series, labels) in series() {
                if let Some(value) = value(series) {
                    line(text, name, "", labels, value);
                }
            }
        }
        Values::Histogram(buckets) => {
            series().for_each(|(s, labels)| write_histogram(text, name, labels, buckets(s)));
        }
        Values::ProcessCounter(value) => bare_line(text, name, value(figures)),
        Values::ProcessGauge(value) => {
            if let Some(value) = value(figures) {
                bare_line(text, name, value);
            }
        }
    }
}

fn write_histogram(text: &mut String, name: &str, labels: &str, buckets: &[Bucket]) {
    let mut count = 0;
    let mut sum = Duration::ZERO;
    for bucket in buckets {
        count += bucket.count;
        sum += bucket.sum;
        let labels = format_args!("{labels},le=\"{}\"", Bound(bucket.upper_bound));
        line(text, name, "_bucket", labels, count);
    }
    line(text, name, "_sum", labels, Exact(sum));
    line(text, name, "_count", labels, count);
}

fn line(text: &mut String, name: &str, suffix: &str, labels: impl Display, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name}{suffix}{{{labels}}} {value}");
}

fn bare_line(text: &mut String, name: &str, value: impl Display) {
    let _ = writeln!(text, "{name} {value}");
}

const fn type_name(values: &Values) -> &'static str {
    match values {
        Values::Counter(_) | Values::Outcomes(_) | Values::Seconds(_) | Values::ProcessCounter(_) => {
            "counter"
        }
        Values::Gauge(_) | Values::ProcessGauge(_) => "gauge",
        Values::Histogram(_) => "histogram",
    }
}

fn label_text(labels: &SeriesLabels) -> String {
    let mut text = String::new();
    for (key, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{key}=\"{}\"", escape(value));
    }
    text
}

/// The exporter takes a backslash for the beginning of an escape that is there already, so each is given to it
/// escaped.
fn escape(value: &str) -> String {
    formatting::sanitize_label_value(&value.replace('\\', "\\\\"))
}

/// All nine digits, so that sums are exact.
struct Exact(Duration);

impl Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0.as_secs(), self.0.subsec_nanos())
    }
}

struct Bound(f64);

impl Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_finite() { self.0.fmt(f) } else { f.write_str("+Inf") }
    }
}
