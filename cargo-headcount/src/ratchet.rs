//! The ratchet: a file of counts that may fall and not rise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::audit::Census;
use crate::error::Error;
use crate::forms::Form;
use crate::write;

const HEAD: &str = "\
# Spawns that headcount does not see, by form. `cargo headcount audit --ratchet` with this file fails when a count rises.
# `--update` writes it.
";

pub(crate) struct Changes {
    pub(crate) risen: bool,
    pub(crate) lines: Vec<String>,
}

/// The counts that the ratchet holds: plain spawns, and calls that may be spawns.
fn counts(census: &Census) -> BTreeMap<String, usize> {
    let held = |form: &Form, plain: usize, other: usize| match form {
        Form::Unresolved(_) => other,
        _ => plain,
    };
    let all =
        census.forms.iter().map(|(form, count)| (form.to_string(), held(form, count.plain, count.tracked)));
    all.filter(|(_, count)| *count != 0).collect()
}

pub(crate) fn write(path: &Path, census: &Census) -> Result<(), Error> {
    let mut text = HEAD.to_owned();
    for (form, count) in counts(census) {
        text.push_str(&format!("{form} = {count}\n"));
    }
    write::file(path, &text)
}

pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, usize>, Error> {
    let text = fs::read_to_string(path).map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::NotFound { "; --update writes it" } else { "" };
        Error::new(format!("{} cannot be read: {error}{hint}", path.display()))
    })?;
    let mut counts = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parsed =
            line.split_once('=').and_then(|(form, count)| Some((form.trim(), count.trim().parse().ok()?)));
        let Some((form, count)) = parsed else {
            return Err(Error::new(format!("{}:{}: `{line}` is not `form = count`", path.display(), at + 1)));
        };
        counts.insert(form.to_owned(), count);
    }
    Ok(counts)
}

pub(crate) fn compare(allowed: &BTreeMap<String, usize>, census: &Census) -> Changes {
    let counted = counts(census);
    let mut changes = Changes { risen: false, lines: Vec::new() };
    for form in allowed.keys().chain(counted.keys().filter(|form| !allowed.contains_key(*form))) {
        let (before, now) =
            (allowed.get(form).copied().unwrap_or(0), counted.get(form).copied().unwrap_or(0));
        if before < now {
            changes.risen = true;
            changes.lines.push(format!("ratchet: {form} rose from {before} to {now}"));
        } else if now < before {
            changes
                .lines
                .push(format!("ratchet: {form} fell from {before} to {now}: --update keeps it there"));
        }
    }
    changes
}
