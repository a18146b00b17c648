//! The floors of the house: each room imports only rooms of lower floors.
//!
//! A room is a file or a folder below `src`. The tables list the rooms from the lowest floor up.
//! docs/ARCHITECTURE.md describes what each of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// headcount-core.
const CORE: &[&[&str]] = &[
    &["lock", "name"],
    &["sync"],
    &["clock", "named", "text"],
    &["outcome", "terms"],
    &["carry"],
    &["registry"],
    &["lifecycle", "snapshot"],
    &["awaited", "current", "stacks"],
    &["tracked"],
    &["idle", "spawn"],
    &["service"],
    &["testing"],
    &["samples"],
];

/// headcount; everything of the core is below its lowest floor.
const APPLICATION: &[&[&str]] = &[
    &["carry", "error", "forecast", "fresh"],
    &["attention"],
    &["settings"],
    &["observer", "process"],
    &["stacks"],
    &["shutdown"],
    &["console", "layer", "metrics", "systemd"],
    &["admin"],
    &["docs", "install"],
];

#[test]
fn each_floor_imports_only_floors_below() {
    own_process!();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let core = imports(&root.join("core/src"));
    check(CORE, &core);
    let mut application = imports(&root.join("src"));
    let below: BTreeSet<String> = core.into_keys().collect();
    for rooms in application.values_mut() {
        rooms.retain(|room| !below.contains(room));
    }
    check(APPLICATION, &application);
}

/// What the core keeps beside the registry is named there, with the reason.
#[test]
fn statics_of_the_core_are_in_the_architecture() {
    own_process!();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let mut names = BTreeSet::new();
    statics(&root.join("core/src"), &mut names);
    assert!(names.contains("REGISTRY") && names.contains("HOT"), "{names:?}");
    let unknown: Vec<_> = names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "beside the registry, and not in docs/ARCHITECTURE.md: {unknown:?}");
}

fn statics(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| statics(&entry.unwrap().path(), found));
        return;
    }
    if path.file_stem().is_some_and(|stem| stem == "tests" || stem == "model") {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    // What macros write belongs to others.
    for line in without_tests(&text).lines().filter(|line| !line.contains('$')) {
        let line = line.trim_start();
        let item = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
        found.extend(
            item.strip_prefix("static ").and_then(|rest| rest.split_once(':')).map(|(name, _)| name.into()),
        );
    }
}

/// A file up to the module that holds its tests.
fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |at: &usize| {
        let item = lines[*at..].iter().find(|line| !line.starts_with("#["));
        lines[*at].starts_with("#[cfg(")
            && lines[*at].contains("test")
            && item.is_some_and(|item| item.starts_with("mod ") && item.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_test).unwrap_or(lines.len());
    lines[..end].join("\n")
}

#[track_caller]
fn check(floors: &[&[&str]], imports: &BTreeMap<String, BTreeSet<String>>) {
    let floor_of = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
    let mut wrong = Vec::new();
    for (room, imported) in imports {
        let Some(floor) = floor_of(room) else {
            wrong.push(format!("{room} stands on no floor: add it to the table"));
            continue;
        };
        for other in imported {
            if floor_of(other).is_some_and(|other| floor <= other) {
                wrong.push(format!("{room} imports {other}, which is not below it"));
            }
        }
    }
    for room in floors.iter().flat_map(|rooms| rooms.iter()) {
        if !imports.contains_key(*room) {
            wrong.push(format!("{room} is on the table and not in the sources"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// For each room the other rooms that its files name behind `crate::`, tests left out.
fn imports(sources: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports = BTreeMap::new();
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if room == "lib" {
            continue;
        }
        let mut found = BTreeSet::new();
        read(&path, &mut found);
        found.remove(&room);
        imports.insert(room, found);
    }
    let rooms: BTreeSet<String> = imports.keys().cloned().collect();
    // Items that the crate's root re-exports by name belong to no room.
    imports.values_mut().for_each(|found| found.retain(|name| rooms.contains(name) || is_module(name)));
    imports
}

/// Types begin with a capital letter; functions at the root are named in no `use` of a room.
fn is_module(name: &str) -> bool {
    name.starts_with(char::is_lowercase)
}

fn read(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| read(&entry.unwrap().path(), found));
        return;
    }
    let is_test =
        path.file_stem().is_some_and(|stem| stem == "tests" || stem == "model" || stem == "testing");
    if path.extension().is_none_or(|extension| extension != "rs")
        || is_test && path.parent().is_some_and(|it| it.file_name().is_some_and(|name| name != "src"))
    {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    let lines: String =
        without_tests(&text).lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    for rest in lines.split("crate::").skip(1) {
        found.extend(first_names(rest));
    }
}

/// The names directly behind `crate::`: one, or those of a group in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}
