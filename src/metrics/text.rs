//! The text format of Prometheus.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::figures::Figures;
use super::series::SeriesLabels;
use super::table::{Family, TABLE, Values};
use crate::snapshot::Bucket;

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
    let _ = writeln!(text, "# HELP {name} {}", Escaped { text: family.help, quotes: false });
    let _ = writeln!(text, "# TYPE {name} {}", type_name(&family.values));
    match &family.values {
        Values::Counter(value) => series().for_each(|(s, labels)| line(text, name, "", labels, value(s))),
        Values::Seconds(value) => {
            series().for_each(|(s, labels)| line(text, name, "", labels, Exact(value(s))));
        }
        Values::Outcomes(counts) => {
            for (series, labels) in series() {
                for &outcome in headcount_core::Outcome::ALL {
                    let count = counts(series).get(outcome);
                    line(text, name, "", format_args!("{labels},outcome=\"{outcome}\""), count);
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
            for (series, labels) in series() {
                for (outcome, buckets) in buckets(series) {
                    let outcome =
                        outcome.map(|outcome| format!(",outcome=\"{outcome}\"")).unwrap_or_default();
                    write_histogram(text, name, &format!("{labels}{outcome}"), buckets);
                }
            }
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
        let bound = Bound(bucket.upper_bound);
        line(text, name, "_bucket", format_args!("{labels},le=\"{bound}\""), count);
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
        let _ = write!(text, "{comma}{key}=\"{}\"", Escaped { text: value, quotes: true });
    }
    text
}

/// A label's value or a help text, as the text format escapes them.
struct Escaped<'a> {
    text: &'a str,
    quotes: bool,
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.text;
        while let Some(at) = rest.find(|c| matches!(c, '\\' | '\n') || (self.quotes && c == '"')) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\n' => "\\n",
                b'"' => "\\\"",
                _ => "\\\\",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
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

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn labels_and_help_are_escaped_as_the_format_says() {
        let text = "a \"b\" \\ \\n \n … \\";
        assert_eq!(Escaped { text, quotes: true }.to_string(), r#"a \"b\" \\ \\n \n … \\"#);
        assert_eq!(Escaped { text, quotes: false }.to_string(), r#"a "b" \\ \\n \n … \\"#);
    }
}
