//! The census: every spawn with file and line, and the counts by form.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::Audit;
use crate::code::Code;
use crate::error::Error;
use crate::forms::Form;
use crate::ratchet;
use crate::scan::{Shape, Site};

/// What no census of sources can have.
pub(crate) const NOT_SEEN: [&str; 4] = [
    "spawns inside of dependencies",
    "code that macros and build scripts generate, and arguments of macros that are no Rust",
    "examples in documentation",
    "a receiver whose type is not written in these files: such calls are listed as `?.spawn`",
];

/// Counts of one form.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) plain: usize,
    pub(crate) tracked: usize,
    pub(crate) in_tests: usize,
}

/// The counts of a code base.
pub(crate) struct Census {
    pub(crate) forms: BTreeMap<Form, Count>,
}

impl Census {
    pub(crate) fn of(code: &Code) -> Self {
        let mut forms: BTreeMap<Form, Count> = BTreeMap::new();
        for site in code.found.iter().flat_map(|found| &found.sites) {
            let count = forms.entry(site.form.clone()).or_default();
            *(if site.is_plain() { &mut count.plain } else { &mut count.tracked }) += 1;
            count.in_tests += usize::from(site.test);
        }
        Self { forms }
    }

    fn sum(&self, of: impl Fn(&Form, &Count) -> usize) -> usize {
        self.forms.iter().map(|(form, count)| of(form, count)).sum()
    }

    fn plain(&self) -> usize {
        self.sum(|_, count| count.plain)
    }

    fn tracked(&self) -> usize {
        self.sum(|form, count| if is_call(form) { count.tracked } else { 0 })
    }

    fn unresolved(&self) -> usize {
        self.sum(|form, count| if matches!(form, Form::Unresolved(_)) { count.tracked } else { 0 })
    }

    fn executors(&self) -> usize {
        self.sum(|form, count| if *form == Form::Executor { count.tracked } else { 0 })
    }
}

/// Neither an executor nor a call that may be anything.
fn is_call(form: &Form) -> bool {
    !matches!(form, Form::Unresolved(_) | Form::Executor)
}

impl Site {
    /// Spawned past headcount.
    pub(crate) fn is_plain(&self) -> bool {
        self.form.plain() && !self.tracked
    }

    /// What the task is made of, as far as it can be seen: a block or closure, or the value of some call.
    fn argument(&self) -> &'static str {
        let shapes = || self.args.iter().map(|arg| &arg.shape);
        match () {
            () if shapes().any(|shape| matches!(shape, Shape::Block(_))) => "block",
            () if shapes().any(|shape| matches!(shape, Shape::Closure(_))) => "closure",
            () => "value",
        }
    }

    fn state(&self) -> &'static str {
        match self.form {
            Form::Unresolved(_) => "unresolved",
            Form::Executor => "executor",
            _ if self.is_plain() => "plain",
            _ => "tracked",
        }
    }
}

/// Runs the command: what it prints, and its exit code.
pub(crate) fn run(options: &Audit) -> Result<(String, u8), Error> {
    let (code, errors) = Code::read(&options.selection)?;
    for error in &errors {
        eprintln!("error: {error}");
    }
    let census = Census::of(&code);
    let mut text = if options.json { as_json(&code, &census) } else { as_text(&code, &census) };
    if !errors.is_empty() {
        return Ok((text, 2));
    }
    let Some(path) = &options.ratchet else { return Ok((text, 0)) };
    if options.update {
        ratchet::write(path, &census)?;
        return Ok((text, 0));
    }
    let changes = ratchet::compare(&ratchet::read(path)?, &census);
    if options.json {
        changes.lines.iter().for_each(|line| eprintln!("{line}"));
    } else {
        text.extend(changes.lines.iter().flat_map(|line| [line, "\n"]));
    }
    Ok((text, u8::from(changes.risen)))
}

fn as_text(code: &Code, census: &Census) -> String {
    let mut text = String::new();
    for (source, found) in code.sources.iter().zip(&code.found) {
        for site in &found.sites {
            let (line, column) = source.position(site.at);
            let place = if site.test { ", a test" } else { "" };
            let within =
                site.within_macro.as_ref().map(|name| format!(", within {name}!")).unwrap_or_default();
            let _ = writeln!(
                text,
                "{}:{line}:{column}: {} ({}{place}{within}) in {}",
                source.shown,
                site.form,
                site.state(),
                site.function
            );
        }
    }
    for (source, found) in code.sources.iter().zip(&code.found) {
        for wrapper in &found.wrappers {
            let (line, column) = source.position(wrapper.at);
            let calls = code.calls(&wrapper.key);
            let _ = writeln!(
                text,
                "{}:{line}:{column}: {} spawns what it is given, {calls} calls seen",
                source.shown, wrapper.name
            );
        }
    }
    if !census.forms.is_empty() {
        let _ = writeln!(text, "\n{:<32} {:>6} {:>8} {:>9}", "form", "plain", "tracked", "in tests");
    }
    for (form, count) in &census.forms {
        let tracked = if is_call(form) { count.tracked.to_string() } else { format!("({})", count.tracked) };
        let _ =
            writeln!(text, "{:<32} {:>6} {tracked:>8} {:>9}", form.to_string(), count.plain, count.in_tests);
    }
    let _ = writeln!(
        text,
        "\n{} plain, {} tracked, {} of an unknown receiver, {} executors, in {} files",
        census.plain(),
        census.tracked(),
        census.unresolved(),
        census.executors(),
        code.sources.len()
    );
    let _ = writeln!(text, "Not seen: {}.", NOT_SEEN.join("; "));
    text
}

fn as_json(code: &Code, census: &Census) -> String {
    let (mut sites, mut wrappers) = (Vec::new(), Vec::new());
    for (source, found) in code.sources.iter().zip(&code.found) {
        for site in &found.sites {
            let (line, column) = source.position(site.at);
            sites.push(json!({
                "file": source.shown, "line": line, "column": column, "form": site.form.to_string(), "state": site.state(),
                "function": site.function, "argument": site.argument(), "test": site.test, "macro": site.within_macro,
            }));
        }
        for wrapper in &found.wrappers {
            let (line, column) = source.position(wrapper.at);
            wrappers.push(json!({
                "file": source.shown, "line": line, "column": column, "function": wrapper.name, "calls": code.calls(&wrapper.key),
            }));
        }
    }
    let forms: serde_json::Map<String, Value> = census
        .forms
        .iter()
        .map(|(form, count)| {
            let counts = if is_call(form) {
                json!({ "plain": count.plain, "tracked": count.tracked, "in_tests": count.in_tests })
            } else {
                json!({ "seen": count.tracked, "in_tests": count.in_tests })
            };
            (form.to_string(), counts)
        })
        .collect();
    let document = json!({
        "version": 1,
        "files": code.sources.len(),
        "sites": sites,
        "wrappers": wrappers,
        "totals": {
            "plain": census.plain(), "tracked": census.tracked(), "unresolved": census.unresolved(),
            "executors": census.executors(), "forms": forms,
        },
        "not_seen": NOT_SEEN,
    });
    format!("{document:#}\n")
}
