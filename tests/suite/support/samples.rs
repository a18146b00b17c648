//! A strict reader of Prometheus' text.

use std::collections::BTreeMap;

/// Samples of a text, by name and labels.
pub(crate) type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads Prometheus' text strictly: a line it does not understand, a sample without a type and one that is
/// there twice fail the test.
pub(crate) fn samples(text: &str) -> Samples {
    let mut samples = Samples::new();
    let mut types = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            if let Some((name, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            }
            continue;
        }
        let (name, labels, value) = sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(types.contains_key(&name) || family.is_some_and(|it| types.contains_key(it)), "{line}");
        assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
    }
    samples
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some((name.to_owned(), BTreeMap::new(), value.parse().ok()?));
    };
    let mut labels = BTreeMap::new();
    let mut characters = rest.chars();
    loop {
        let key: String = characters.by_ref().take_while(|c| *c != '=').collect();
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{key:?} in {line}");
        assert_eq!(characters.next()?, '"');
        assert!(labels.insert(key, quoted(&mut characters)?).is_none(), "a label twice: {line}");
        match characters.next()? {
            ',' => {}
            '}' => break,
            _ => return None,
        }
    }
    Some((name.to_owned(), labels, characters.as_str().trim().parse().ok()?))
}

fn quoted(characters: &mut std::str::Chars<'_>) -> Option<String> {
    let mut text = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                'n' => text.push('\n'),
                escaped @ ('"' | '\\') => text.push(escaped),
                _ => return None,
            },
            plain => text.push(plain),
        }
    }
}

/// The value of the sample with this name and at least these labels; there must be one.
#[track_caller]
pub(crate) fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let mut found = matching(samples, name, labels);
    let value = found.next().unwrap_or_else(|| panic!("no {name} {labels:?}"));
    assert_eq!(found.count(), 0, "more than one {name} {labels:?}");
    value
}

/// The sum of all samples with this name and at least these labels.
pub(crate) fn sum(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    matching(samples, name, labels).sum()
}

fn matching<'a>(
    samples: &'a Samples,
    name: &'a str,
    labels: &'a [(&str, &str)],
) -> impl Iterator<Item = f64> + 'a {
    let fits = move |own: &BTreeMap<String, String>| {
        labels.iter().all(|(key, value)| own.get(*key).is_some_and(|own| own == value))
    };
    samples.iter().filter(move |((other, own), _)| other == name && fits(own)).map(|(_, value)| *value)
}
