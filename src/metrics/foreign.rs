//! The application's own metrics, from Prometheus' text to OpenMetrics.

use std::fmt::Write;

/// Appends `text`, which is Prometheus' text format, as OpenMetrics. The names of the series stay.
pub(super) fn append_open(open: &mut String, text: &str) {
    // The help of a family comes before its type, on which depends how the family is named.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            write_head(open, name, of, help.take());
        } else if !line.is_empty() && !line.starts_with('#') {
            open.push_str(line);
            open.push('\n');
        }
    }
}

/// Samples of a counter have to end in `_total`; one that does not is a family of unknown type.
fn write_head(open: &mut String, name: &str, of: &str, help: Option<(&str, &str)>) {
    let (family, of) = match of {
        "counter" => name.strip_suffix("_total").map_or((name, "unknown"), |family| (family, "counter")),
        "untyped" => (name, "unknown"),
        other => (name, other),
    };
    let _ = writeln!(open, "# TYPE {family} {of}");
    if let Some((_, help)) = help.filter(|(of, _)| *of == name) {
        let _ = writeln!(open, "# HELP {family} {}", help.replace('"', "\\\""));
    }
}

#[cfg(test)]
mod tests {
    use super::append_open;

    #[test]
    fn families_keep_the_names_of_their_series() {
        let text = "# HELP a_total Says \"a\".\n# TYPE a_total counter\na_total{x=\"1\"} 2\n\n\
                    # TYPE b counter\nb 3\n\n# TYPE c gauge\nc -1\n\n# TYPE d untyped\nd 1\n\n";
        let mut open = String::new();
        append_open(&mut open, text);
        assert_eq!(
            open,
            "# TYPE a counter\n# HELP a Says \\\"a\\\".\na_total{x=\"1\"} 2\n\
             # TYPE b unknown\nb 3\n# TYPE c gauge\nc -1\n# TYPE d unknown\nd 1\n"
        );
    }
}
