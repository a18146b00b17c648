//! The migration: edits for every file, all of them checked before the first is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use crate::cli::Migrate;
use crate::code::Code;
use crate::edit::{self, Edit};
use crate::error::Error;
use crate::forms::Form;
use crate::imports;
use crate::names;
use crate::rewrite::{Context, Rewrite, rewrite};
use crate::scan::Site;
use crate::source::{self, Source};
use crate::write::Prepared;

/// What becomes of a file.
pub(crate) struct Change {
    pub(crate) edits: Vec<Edit>,
    pub(crate) text: String,
}

/// A line of the report about a place in a file.
pub(crate) struct Note {
    pub(crate) at: usize,
    pub(crate) text: String,
}

/// The result for one file.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) change: Option<Change>,
    pub(crate) spawns: usize,
    pub(crate) wrappers: usize,
    pub(crate) notes: Vec<Note>,
}

/// Runs the command: what it prints, and its exit code.
pub(crate) fn run(options: &Migrate) -> Result<(String, u8), Error> {
    let (code, errors) = Code::read(&options.selection)?;
    if !errors.is_empty() {
        for error in &errors {
            eprintln!("error: {error}");
        }
        return Err(Error::new("nothing was changed; --exclude leaves out files that are not to be read"));
    }
    let plans =
        (0..code.sources.len()).map(|file| plan(&code, file, options)).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    if options.dry_run {
        for (source, plan) in code.sources.iter().zip(&plans) {
            if let Some(change) = &plan.change {
                text.push_str(&edit::diff(&source.shown, &source.text, &change.edits));
            }
        }
        eprint!("{}", report(&code, &plans, options));
    } else {
        write(&code.sources, &plans)?;
        text = report(&code, &plans, options);
    }
    Ok((text, 0))
}

/// Writes every changed file: all are beside their targets before the first takes its name.
fn write(sources: &[Source], plans: &[Plan]) -> Result<(), Error> {
    let mut prepared = Vec::new();
    for (source, plan) in sources.iter().zip(plans) {
        if let Some(change) = &plan.change {
            prepared.push((&source.shown, Prepared::new(&source.path, &change.text)?));
        }
    }
    let mut written: Vec<&str> = Vec::new();
    for (shown, file) in prepared {
        file.commit().map_err(|error| {
            let done = if written.is_empty() { "nothing".to_owned() } else { written.join(", ") };
            Error::new(format!("{error}; written before that: {done}"))
        })?;
        written.push(shown);
    }
    Ok(())
}

/// The edits of one file.
pub(crate) fn plan(code: &Code, file: usize, options: &Migrate) -> Result<Plan, Error> {
    let (source, found) = (&code.sources[file], &code.found[file]);
    let mut plan = Plan::default();
    let proposals = names::propose(&found.sites);
    let (mut edits, mut moved): (Vec<Edit>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for (at, site) in found.sites.iter().enumerate() {
        let name = proposals.get(&at).map(String::as_str);
        let given = name.filter(|_| options.name);
        let context =
            Context { options, source, sites: &found.sites, krate: krate(site, options), name: given };
        match rewrite(site, &context) {
            Rewrite::Edits(more) => {
                plan.spawns += 1;
                edits.extend(more);
                moved.extend(
                    site.receiver
                        .iter()
                        .filter(|receiver| !receiver.current && receiver.builder.is_none())
                        .map(|receiver| receiver.range.clone()),
                );
                if let (Some(name), false) = (name, options.name) {
                    let text = format!("{} shares its automatic name: task({name:?})", site.form);
                    plan.notes.push(Note { at: site.at, text });
                }
            }
            Rewrite::Left(why) => {
                plan.notes.push(Note { at: site.at, text: format!("{} is left: {why}", site.form) });
            }
            Rewrite::Fine => {
                if let Form::Unresolved(method) = &site.form {
                    let text = format!(".{method}(…) is left: the type of its receiver is not known");
                    plan.notes.push(Note { at: site.at, text });
                }
            }
        }
    }
    for wrapper in &found.wrappers {
        if let Some(at) = wrapper.insert {
            plan.wrappers += 1;
            edits.push(Edit::open(at, attribute(source, at), at));
        }
    }
    if edits.is_empty() {
        return Ok(plan);
    }
    let replaced: Vec<Range<usize>> = edits.iter().flat_map(|edit| without(&edit.range, &moved)).collect();
    edits.extend(imports::remove(&code.index, source, file, &replaced));
    plan.change = Some(change(source, edits)?);
    Ok(plan)
}

fn change(source: &Source, edits: Vec<Edit>) -> Result<Change, Error> {
    let bug = |what: &str| {
        Error::file(&source.shown, &format!("would become {what}: this is a fault of cargo-headcount"))
    };
    let edits = edit::ordered(edits).ok_or_else(|| bug("two edits of the same bytes"))?;
    let text = edit::apply(&source.text, &edits);
    if let Err((line, column, why)) = source::parse(&text[source.code()..]) {
        return Err(bug(&format!("something that does not parse ({line}:{column}: {why})")));
    }
    Ok(Change { edits, text })
}

/// A range without those that are only moved.
fn without(range: &Range<usize>, moved: &[Range<usize>]) -> Vec<Range<usize>> {
    let inner = moved.iter().find(|inner| range.start <= inner.start && inner.end <= range.end);
    match inner {
        Some(inner) => vec![range.start..inner.start, inner.end..range.end],
        None => vec![range.clone()],
    }
}

/// The crate's path, with `::` where something else of that name would be meant.
fn krate(site: &Site, options: &Migrate) -> String {
    let name = options.target.path();
    if site.taken.contains(&name) { format!("::{name}") } else { name.to_owned() }
}

/// The attribute on a line of its own, indented as the function is.
fn attribute(source: &Source, at: usize) -> String {
    let indent = &source.text[source.line_start(at)..at];
    if !indent.trim().is_empty() {
        return "#[track_caller] ".to_owned();
    }
    let end = if source.text.contains("\r\n") { "\r\n" } else { "\n" };
    format!("#[track_caller]{end}{indent}")
}

fn report(code: &Code, plans: &[Plan], options: &Migrate) -> String {
    let mut text = String::new();
    for (source, plan) in code.sources.iter().zip(plans) {
        for note in &plan.notes {
            let (line, column) = source.position(note.at);
            let _ = writeln!(text, "{}:{line}:{column}: {}", source.shown, note.text);
        }
    }
    let sum = |of: fn(&Plan) -> usize| plans.iter().map(of).sum::<usize>();
    let files = sum(|plan| usize::from(plan.change.is_some()));
    let verb = if options.dry_run { "would change" } else { "changed" };
    let _ = writeln!(
        text,
        "{verb} {} spawns and {} wrappers in {files} of {} files",
        sum(|plan| plan.spawns),
        sum(|plan| plan.wrappers),
        plans.len()
    );
    let mut packages: BTreeMap<_, bool> = BTreeMap::new();
    for (source, plan) in code.sources.iter().zip(plans) {
        *packages.entry(&source.home.package).or_default() |= plan.change.is_some();
    }
    for (package, changed) in packages {
        let manifest = std::fs::read_to_string(package.join("Cargo.toml")).unwrap_or_default();
        if changed && !manifest.is_empty() && !depends(&manifest, options.target.package()) {
            let _ = writeln!(text, "then, in {}: cargo add {}", package.display(), options.target.package());
        }
    }
    text
}

fn depends(manifest: &str, package: &str) -> bool {
    let header = format!("dependencies.{package}]");
    manifest.lines().map(str::trim).any(|line| {
        line.ends_with(&header)
            || line.split(['=', '.']).next().is_some_and(|key| key.trim().trim_matches('"') == package)
    })
}

#[cfg(test)]
mod tests;
