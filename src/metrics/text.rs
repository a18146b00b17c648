//! The text format of Prometheus, and OpenMetrics.
//!
//! Both have the same series: a server that changes from one to the other goes on where it was. OpenMetrics
//! has units and exemplars besides.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::exemplars::{Exemplar, Exemplars};
use super::figures::Figures;
use super::series::SeriesLabels;
use super::table::{Family, TABLE, Values, timestamp};
use crate::snapshot::Bucket;

/// The histogram that has exemplars: they are finished tasks.
const DURATIONS: &str = "headcount_task_duration_seconds";

/// Writes all families as Prometheus' text.
pub(super) fn render(figures: &Figures) -> String {
    write_families(figures, None)
}

/// Writes all families as OpenMetrics, but for the end of the text.
pub(super) fn render_open(figures: &Figures, exemplars: &Exemplars) -> String {
    write_families(figures, Some(exemplars))
}

/// OpenMetrics where there are exemplars, though none may be held.
fn write_families(figures: &Figures, exemplars: Option<&Exemplars>) -> String {
    // About what a series takes, so that the text grows in one piece.
    let mut text = String::with_capacity(4096 + 3072 * figures.series.len());
    let labels: Vec<String> = figures.series.iter().map(|series| label_text(&series.labels)).collect();
    for family in TABLE {
        if exemplars.is_some() {
            write_open_head(&mut text, family);
        } else {
            write_head(&mut text, family);
        }
        write_family(&mut text, family, figures, &labels, exemplars);
        // OpenMetrics has no empty lines.
        if exemplars.is_none() {
            text.push('\n');
        }
    }
    text
}

fn write_head(text: &mut String, family: &Family) {
    let name = family.name;
    let _ = writeln!(text, "# HELP {name} {}", Escaped { text: family.help, quotes: false });
    let _ = writeln!(text, "# TYPE {name} {}", type_name(&family.values));
}

/// A counter's family is named without `_total`, which its samples have.
fn write_open_head(text: &mut String, family: &Family) {
    let of = type_name(&family.values);
    let name = if of == "counter" { family.name.trim_end_matches("_total") } else { family.name };
    let _ = writeln!(text, "# TYPE {name} {of}");
    if name.ends_with("_seconds") {
        let _ = writeln!(text, "# UNIT {name} seconds");
    }
    let _ = writeln!(text, "# HELP {name} {}", Escaped { text: family.help, quotes: true });
}

fn write_family(
    text: &mut String,
    family: &Family,
    figures: &Figures,
    labels: &[String],
    exemplars: Option<&Exemplars>,
) {
    let name = family.name;
    let series = || figures.series.iter().zip(labels);
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
        Values::SomeCounter(value) => {
            for (series, labels) in series() {
                if let Some(value) = value(series) {
                    line(text, name, "", labels, value);
                }
            }
        }
        Values::Labelled(label, counts) => {
            for (series, labels) in series() {
                for (name_of, count) in counts(series) {
                    line(text, name, "", format_args!("{labels},{label}=\"{name_of}\""), count);
                }
            }
        }
        Values::Gauge(value) | Values::SomeGauge(value) => {
            for (series, labels) in series() {
                if let Some(value) = value(series) {
                    line(text, name, "", labels, value);
                }
            }
        }
        Values::Histogram(buckets) => {
            let exemplars = exemplars.filter(|_| family.name == DURATIONS);
            for (series, labels) in series() {
                for (outcome, buckets) in buckets(series) {
                    let exemplars =
                        exemplars.map(|all| all.of(series, *outcome, buckets)).unwrap_or_default();
                    let outcome =
                        outcome.map(|outcome| format!(",outcome=\"{outcome}\"")).unwrap_or_default();
                    write_histogram(text, name, &format!("{labels}{outcome}"), buckets, &exemplars);
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

/// `exemplars` has one for each bucket, or none at all.
fn write_histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    buckets: &[Bucket],
    exemplars: &[Option<&Exemplar>],
) {
    let mut count = 0;
    let mut sum = Duration::ZERO;
    for (place, bucket) in buckets.iter().enumerate() {
        count += bucket.count;
        sum += bucket.sum;
        let bound = Bound(bucket.upper_bound);
        match exemplars.get(place) {
            Some(Some(exemplar)) => {
                let Exemplar { trace_id, seconds, at, .. } = exemplar;
                let (seconds, at) = (Canonical(*seconds), timestamp(*at));
                line(
                    text,
                    name,
                    "_bucket",
                    format_args!("{labels},le=\"{bound}\""),
                    format_args!("{count} # {{trace_id=\"{trace_id}\"}} {seconds} {at:.3}"),
                );
            }
            _ => line(text, name, "_bucket", format_args!("{labels},le=\"{bound}\""), count),
        }
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
        Values::Counter(_)
        | Values::SomeCounter(_)
        | Values::Outcomes(_)
        | Values::Labelled(..)
        | Values::Seconds(_)
        | Values::ProcessCounter(_) => "counter",
        Values::Gauge(_) | Values::SomeGauge(_) | Values::ProcessGauge(_) => "gauge",
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

/// The upper bound of a bucket as OpenMetrics writes it, in both formats, since it is part of a series' name.
struct Bound(f64);

impl Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_finite() { Canonical(self.0).fmt(f) } else { f.write_str("+Inf") }
    }
}

/// A finite number as Go's `%g` writes it, with a fraction always: `0.25`, `1.0`, `1e+06`, `5e-05`.
struct Canonical(f64);

impl Display for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = self.0;
        if number == 0.0 || (1e-4..1e6).contains(&number.abs()) {
            return write!(f, "{number:?}");
        }
        let scientific = format!("{number:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        write!(f, "{mantissa}e{sign}{digits:0>2}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Escaped};

    #[test]
    fn labels_and_help_are_escaped_as_the_format_says() {
        let text = "a \"b\" \\ \\n \n … \\";
        assert_eq!(Escaped { text, quotes: true }.to_string(), r#"a \"b\" \\ \\n \n … \\"#);
        assert_eq!(Escaped { text, quotes: false }.to_string(), r#"a "b" \\ \\n \n … \\"#);
    }

    #[test]
    fn bounds_are_canonical() {
        let bounds = [0.0, 5e-5, 0.0001, 0.005, 0.25, 1.0, 10.0, 2.5e5, 1e6, 1.25e7, 1e21, f64::INFINITY];
        let written = bounds.map(|bound| Bound(bound).to_string());
        let expected = [
            "0.0", "5e-05", "0.0001", "0.005", "0.25", "1.0", "10.0", "250000.0", "1e+06", "1.25e+07",
            "1e+21", "+Inf",
        ];
        assert_eq!(written, expected);
    }
}
