//! The floors of the house: each room imports only rooms of lower floors.
//!
//! A room is a file or a folder below `src`. The tables list the rooms from the lowest floor up.
//! docs/ARCHITECTURE.md describes what each of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// headcount-core.
const CORE: &[&[&str]] = &[
    &["id", "lock", "name"],
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
    &["carry", "error", "forecast"],
    &["attention"],
    &["settings"],
    &["observer", "process"],
    &["stacks"],
    &["shutdown"],
    &["console", "layer", "metrics", "systemd"],
    &["admin"],
    &["docs", "install"],
];

/// Where tasks are walked over: the registry itself, what reads it for all others, the pages that make room
/// for other work meanwhile, and what has wakers stored.
const WALKS: &[&str] = &[
    "core/src/registry",
    "core/src/snapshot/read.rs",
    "core/src/snapshot/page.rs",
    "core/src/stacks/asker.rs",
];

#[test]
fn each_floor_imports_only_floors_below() {
    own_process!();
    let core = Crate::read("core/src");
    core.check(CORE, &BTreeSet::new());
    let below = core.rooms.keys().chain(core.root.keys()).cloned().collect();
    Crate::read("src").check(APPLICATION, &below);
}

#[test]
fn each_room_is_in_the_architecture() {
    own_process!();
    let document = architecture();
    let rooms = CORE.iter().chain(APPLICATION).flat_map(|floor| floor.iter());
    let unknown: Vec<_> = rooms
        .filter(|room| !document.contains(&format!("`{room}`")) && !document.contains(&format!("`{room}/`")))
        .collect();
    assert!(unknown.is_empty(), "not in docs/ARCHITECTURE.md: {unknown:?}");
}

/// What is kept beside the registry is named there, with the reason.
#[test]
fn statics_are_in_the_architecture() {
    own_process!();
    let names: BTreeSet<String> =
        ["core/src", "src", "stack/src", "tick/src"].iter().flat_map(|sources| statics(sources)).collect();
    for known in ["REGISTRY", "HOT", "TIMER", "HERE", "CONTROL", "VTABLE"] {
        assert!(names.contains(known), "{known} is not seen among {names:?}");
    }
    let document = architecture();
    let unknown: Vec<_> = names.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "not in docs/ARCHITECTURE.md: {unknown:?}");
    let (_, kept) = document.split_once("one static (`REGISTRY`)").expect("the tables of statics");
    let (kept, _) = kept.split_once("**Deliberately absent").expect("what is below the tables");
    let words = kept.split('`').skip(1).step_by(2);
    let is_static = |word: &&str| 2 < word.len() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let gone: Vec<_> = words.filter(is_static).filter(|word| !names.contains(*word)).collect();
    assert!(gone.is_empty(), "in docs/ARCHITECTURE.md only: {gone:?}");
}

/// Whatever reads all tasks does it through `snapshot`.
#[test]
fn few_files_walk_over_the_slots() {
    own_process!();
    let mut walks = BTreeSet::new();
    for sources in ["core/src", "src"] {
        for_each_file(&root().join(sources), &mut |path, text| {
            if text.contains(".slots()") {
                walks.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        });
    }
    let wrong: Vec<_> =
        walks.iter().filter(|path| !WALKS.iter().any(|known| path.starts_with(known))).collect();
    assert!(wrong.is_empty(), "use `snapshot::read::live` in {wrong:?}");
    assert!(WALKS.iter().all(|known| walks.iter().any(|path| path.starts_with(known))), "{walks:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn architecture() -> String {
    fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap()
}

/// The rooms of a crate.
struct Crate {
    /// Each with the names that its files have behind `crate::`.
    rooms: BTreeMap<String, BTreeSet<String>>,
    /// What the root re-exports by name, and the room that it is from.
    root: BTreeMap<String, String>,
}

impl Crate {
    fn read(sources: &str) -> Self {
        let sources = root().join(sources);
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let lib = fs::read_to_string(sources.join("lib.rs")).unwrap();
        for_each_file(&sources, &mut |path, text| {
            let room = path.strip_prefix(&sources).unwrap().iter().next().unwrap();
            let room = Path::new(room).file_stem().unwrap().to_str().unwrap();
            if room != "lib" {
                // A room may be a file and a folder.
                let found = rooms.entry(room.to_owned()).or_default();
                text.split("crate::").skip(1).for_each(|rest| found.extend(first_names(rest)));
            }
        });
        Self { rooms, root: re_exports(&lib) }
    }

    #[track_caller]
    fn check(&self, floors: &[&[&str]], below: &BTreeSet<String>) {
        let floor_of = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
        let mut wrong = Vec::new();
        for (room, imported) in &self.rooms {
            let Some(floor) = floor_of(room) else {
                wrong.push(format!("{room} stands on no floor: add it to the table"));
                continue;
            };
            for name in imported {
                let of = if self.rooms.contains_key(name) { Some(name) } else { self.root.get(name) };
                match of {
                    Some(other) if other == room => {}
                    Some(other) if floor_of(other).is_some_and(|other| other < floor) => {}
                    Some(other) => wrong.push(format!("{room} imports {other}, which is not below it")),
                    None if below.contains(name) => {}
                    None => wrong.push(format!("{room} imports {name}, which is of no room")),
                }
            }
        }
        for room in floors.iter().flat_map(|rooms| rooms.iter()) {
            if !self.rooms.contains_key(*room) {
                wrong.push(format!("{room} is on the table and not in the sources"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The items of `pub use crate::room::…;` in a crate's root, each with the room.
fn re_exports(lib: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in lib.split("pub use crate::").skip(1) {
        let (path, _) = statement.split_once(';').unwrap();
        let (room, items) = path.split_once("::").unwrap();
        let items = items.rsplit("::").next().unwrap().trim_matches(['{', '}']);
        let names = items.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "*");
        found.extend(names.map(|name| (name.to_owned(), room.to_owned())));
    }
    found
}

/// Calls a function with each file of the sources, without comments and tests.
fn for_each_file(path: &Path, see: &mut impl FnMut(&Path, &str)) {
    if !path.is_dir() {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let lines = without_tests(&text);
            let code: Vec<_> =
                lines.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
            see(path, &code.join("\n"));
        }
        return;
    }
    let tests = test_modules(path);
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if !tests.contains(path.file_stem().unwrap().to_str().unwrap()) {
            for_each_file(&path, see);
        }
    }
}

/// The modules of a folder that are only there in tests, as the module around them declares.
fn test_modules(folder: &Path) -> BTreeSet<String> {
    let around = ["mod.rs", "lib.rs"].map(|name| folder.join(name));
    let around = around.into_iter().chain([folder.with_extension("rs")]).find(|path| path.exists());
    let text = fs::read_to_string(around.expect("a folder of sources is a module")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let of_tests = |pair: &[&str]| {
        let module = pair[1].rsplit_once("mod ")?.1.strip_suffix(';')?;
        is_for_tests(pair[0]).then(|| module.to_owned())
    };
    lines.windows(2).filter_map(of_tests).collect()
}

/// Whether the attribute leaves out what follows where no test is compiled.
fn is_for_tests(line: &str) -> bool {
    let line = line.trim_start().replace("not(test)", "").replace("not(loom)", "");
    line.starts_with("#[cfg(") && !line.contains("any(") && (line.contains("test") || line.contains("loom"))
}

/// A file up to the module that holds its tests.
fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |at: &usize| {
        let item = lines[*at..].iter().find(|line| !line.starts_with("#["));
        is_for_tests(lines[*at]) && item.is_some_and(|item| item.starts_with("mod ") && item.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_test).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// The names of all statics, also those of threads and in functions. What macros write belongs to others.
fn statics(sources: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for_each_file(&root().join(sources), &mut |_, text| {
        for (at, _) in text.match_indices("static ") {
            let before = text[..at].chars().next_back();
            let (name, rest) = text[at + "static ".len()..].split_once(':').unwrap_or_default();
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            if is_name && before.is_none_or(|c| c.is_whitespace() || c == '(') && !rest.starts_with(" $crate")
            {
                found.insert(name.to_owned());
            }
        }
    });
    found
}

/// The names directly behind `crate::`: one, or those of a group in braces. Macros are of no room.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        let name = name(rest);
        let is_macro = rest[name.len()..].starts_with('!');
        return if is_macro || name.is_empty() { Vec::new() } else { vec![name] };
    };
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
