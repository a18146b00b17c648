//! From instruction pointers to the frames that people read.

use std::collections::HashMap;
use std::sync::Arc;

use headcount_stack::{Symbol, module_of};

use super::source;
use super::tree::StackFrame;
use crate::name::source_place;

/// Addresses whose symbols are kept. A program has as many as it has places to wait at, times the depth.
const MOST_ADDRESSES: usize = 65_536;
/// Files whose last part names no module.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "mod.rs"];

/// What `join!` and the like wrap a future in, by package and file: no task waits for it by itself.
const PLUMBING: [(&str, &str); 5] = [
    ("tokio", "/src/future/maybe_done.rs"),
    ("tokio", "/src/future/poll_fn.rs"),
    ("futures-util", "/src/future/maybe_done.rs"),
    ("futures-util", "/src/future/try_maybe_done.rs"),
    ("futures-util", "/src/future/poll_fn.rs"),
];

/// The folders below `library` of the standard library's sources that code runs from.
const OF_RUST: [&str; 9] =
    ["alloc", "backtrace", "core", "panic_abort", "panic_unwind", "proc_macro", "std", "stdarch", "test"];

/// Containers that poll their members by wakers of their own, as their paths and files name them.
const CONTAINERS: [(&str, &str); 4] = [
    ("tokio", "join_set"),
    ("tokio-util", "join_map"),
    ("tokio-util", "task_tracker"),
    ("futures-util", "futures_unordered"),
];

/// Whose code a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Application,
    Library(Arc<str>),
    /// The standard library's, which is plumbing.
    Standard,
    /// Headcount's own.
    Own,
}

/// A function at an address, as far as the address alone says.
#[derive(Debug)]
struct Function {
    /// Its path, if that is known whole, or its last part.
    path: Option<String>,
    /// Whether the path is whole.
    is_whole: bool,
    /// The body of an `async fn` that it was made for, as the generic argument of a `poll`.
    body: Option<String>,
    /// What the source says.
    source: Option<String>,
    origin: Origin,
    file: Option<String>,
    line: Option<u32>,
}

/// Which frames of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// Those that people look for, of a stack that begins at the poll.
    Waits,
    /// The same of a whole thread: from the poll on.
    Polled,
    /// All, those of libraries and plumbing too.
    All,
}

/// Names addresses, and remembers them.
#[derive(Debug, Default)]
pub(super) struct Namer {
    known: HashMap<usize, Arc<[Function]>>,
    /// Directory that the application was compiled in, once it is known.
    root: Option<String>,
}

impl Namer {
    /// Frames of a stack, the outermost first.
    pub(super) fn frames(&mut self, stack: &[usize], spawned_at: &str, which: Frames) -> Vec<StackFrame> {
        let found: Vec<_> = stack.iter().rev().map(|ip| self.functions(*ip)).collect();
        let functions: Vec<&Function> = found.iter().flat_map(|functions| functions.iter().rev()).collect();
        self.learn_root(&functions, spawned_at);
        let first = match which {
            Frames::Polled => {
                functions.iter().position(|function| function.is_the_poll()).map_or(0, |at| at + 1)
            }
            Frames::Waits | Frames::All => 0,
        };
        let named: Vec<(StackFrame, &Origin)> = functions
            .iter()
            .enumerate()
            .skip(first)
            .map(|(at, function)| {
                let outer = at.checked_sub(1).map(|at| functions[at]);
                (self.frame(function, outer), &function.origin)
            })
            .collect();
        if which == Frames::All { named.into_iter().map(|(frame, _)| frame).collect() } else { kept(named) }
    }

    fn functions(&mut self, ip: usize) -> Arc<[Function]> {
        if let Some(known) = self.known.get(&ip) {
            return Arc::clone(known);
        }
        if MOST_ADDRESSES <= self.known.len() {
            self.known.clear();
        }
        let mut functions = Vec::new();
        headcount_stack::resolve(ip, |symbol| functions.push(Function::of(&symbol)));
        // What is not Rust may be of the system, whose debug information names files of its own.
        if functions.iter().any(Function::is_foreign) {
            if let Some(library) = library_at(ip) {
                functions
                    .iter_mut()
                    .for_each(|function| function.origin = Origin::Library(Arc::clone(&library)));
            }
        }
        if functions.is_empty() {
            functions.push(Function::unknown(ip));
        }
        let functions: Arc<[Function]> = functions.into();
        self.known.insert(ip, Arc::clone(&functions));
        functions
    }

    /// The spawn's place is relative to where the program was compiled, and the frames' files are not.
    fn learn_root(&mut self, functions: &[&Function], spawned_at: &str) {
        let Some((relative, _)) = spawned_at.rsplit_once(':').filter(|_| self.root.is_none()) else { return };
        let files = functions.iter().filter(|function| function.origin == Origin::Application);
        let root = files.filter_map(|function| function.file.as_deref()?.strip_suffix(relative));
        self.root = root.filter(|root| root.ends_with('/')).map(str::to_owned).next();
    }

    fn frame(&self, function: &Function, outer: Option<&Function>) -> StackFrame {
        let location = function.file.as_deref().map(|file| {
            let relative = self.root.as_deref().and_then(|root| file.strip_prefix(root));
            let place = match relative.filter(|_| function.origin == Origin::Application) {
                Some(relative) => relative.to_owned(),
                None => source_place(file),
            };
            Arc::from(format!("{place}:{}", function.line.unwrap_or(0)))
        });
        let library = match &function.origin {
            Origin::Application => None,
            Origin::Library(name) => Some(Arc::clone(name)),
            Origin::Standard => Some("std".into()),
            Origin::Own => Some("headcount".into()),
        };
        let is_draining = function.origin == Origin::Own
            && function.file.as_deref().is_some_and(|file| file.ends_with("lifecycle/draining.rs"));
        let name =
            if is_draining { "draining".to_owned() } else { function.name(outer, location.as_deref()) };
        let is_container = function.is_of_a_container();
        StackFrame { function: name.into(), location, library, is_draining, is_container }
    }
}

impl Function {
    fn of(symbol: &Symbol) -> Self {
        let file = symbol.file.as_deref().map(|file| file.to_string_lossy().into_owned());
        let whole = symbol.whole_name.as_deref().and_then(path_of);
        let short = symbol.name.as_deref().and_then(path_of);
        let whole = whole.or_else(|| short.clone().filter(|path| path.contains("::")));
        let origin = match (&file, &whole) {
            // The closure that a library's macro makes within another crate: its caller says where.
            (Some(file), whole) if is_of_a_macro(file, whole.as_deref()) => Origin::Standard,
            (Some(file), _) => match origin_of_file(file) {
                Origin::Library(package) if is_plumbing(&package, file) => Origin::Standard,
                origin => origin,
            },
            (None, Some(path)) => origin_of_path(path),
            (None, None) => Origin::Standard,
        };
        let source = match (&whole, &symbol.file, symbol.line) {
            (None, Some(file), Some(line)) => source::enclosing(file, line),
            _ => None,
        };
        Self {
            is_whole: whole.is_some(),
            path: whole.or(short),
            body: symbol.name.as_deref().and_then(body_of),
            source,
            origin,
            file,
            line: symbol.line,
        }
    }

    fn unknown(ip: usize) -> Self {
        let library = library_at(ip);
        Self {
            is_whole: true,
            body: None,
            source: None,
            origin: library.map_or(Origin::Application, Origin::Library),
            path: Some(module_of(ip).unwrap_or_else(|| format!("{ip:#x}"))),
            file: None,
            line: None,
        }
    }

    /// Whether it was written in another language than Rust.
    fn is_foreign(&self) -> bool {
        self.origin == Origin::Application
            && self.file.as_deref().is_some_and(|file| file.rsplit('.').next() != Some("rs"))
    }

    /// Whether it is headcount's own that polls a task's future or runs its closure.
    fn is_the_poll(&self) -> bool {
        self.origin == Origin::Own && self.file.as_deref().is_some_and(|file| file.ends_with("tracked.rs"))
    }

    /// Whether it is of something whose members are polled by themselves.
    fn is_of_a_container(&self) -> bool {
        let Origin::Library(package) = &self.origin else { return false };
        let package = package.replace('_', "-");
        let holds =
            |text: &Option<String>, part: &str| text.as_deref().is_some_and(|text| text.contains(part));
        CONTAINERS
            .iter()
            .any(|(of, part)| *of == package && (holds(&self.file, part) || holds(&self.path, part)))
    }

    /// The best that is known: the symbol table, what the caller's type says, the source, the file.
    fn name(&self, outer: Option<&Self>, location: Option<&str>) -> String {
        if let Some(path) = self.path.as_ref().filter(|_| self.is_whole) {
            return path.clone();
        }
        let is_body = self.path.is_none();
        if let Some(body) = outer.and_then(|outer| outer.body.as_ref()).filter(|_| is_body) {
            return body.clone();
        }
        let module = self.file.as_deref().and_then(module_of_file);
        let last = self.source.as_deref().or(self.path.as_deref());
        match (module, last) {
            (Some(module), Some(last)) => format!("{module}::{last}"),
            (None, Some(last)) => last.to_owned(),
            (Some(module), None) => module,
            (None, None) => location.unwrap_or("?").to_owned(),
        }
    }
}

/// `libc.so.6`: the shared library at an address. The application is what was started.
fn library_at(ip: usize) -> Option<Arc<str>> {
    let module = module_of(ip)?;
    module.split('+').next().filter(|file| file.contains(".so")).map(Arc::from)
}

/// The frames that people look for: the application's, and of the libraries between and behind them the
/// first.
fn kept(frames: Vec<(StackFrame, &Origin)>) -> Vec<StackFrame> {
    let mut kept: Vec<StackFrame> = Vec::new();
    let mut last_library: Option<Arc<str>> = None;
    for (frame, origin) in frames {
        match origin {
            _ if frame.is_draining => {
                kept.push(frame);
                return kept;
            }
            Origin::Standard | Origin::Own => {}
            Origin::Application => {
                last_library = None;
                match kept.last_mut().filter(|last| last.library.is_none() && last.function == frame.function)
                {
                    // The closure of a macro within the function.
                    Some(last) => *last = frame,
                    None => kept.push(frame),
                }
            }
            Origin::Library(library) => {
                if last_library.as_ref() != Some(library) {
                    last_library = Some(Arc::clone(library));
                    kept.push(without_poll(frame));
                } else if let Some(last) = kept.last_mut().filter(|_| frame.is_container) {
                    // As `buffer_unordered` has one inside.
                    last.is_container = true;
                }
            }
        }
    }
    kept
}

/// A future that is polled is named by its type.
fn without_poll(frame: StackFrame) -> StackFrame {
    match frame.function.strip_suffix("::poll") {
        Some(future) if future.contains("::") => StackFrame { function: future.into(), ..frame },
        _ => frame,
    }
}

fn origin_of_file(file: &str) -> Origin {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let follows = |at: usize, by: usize| parts.get(at + by).copied();
    // `rust` of rustup, `rustc-1.85.0` or the like of a distribution.
    let of_rust =
        |part: &[&str]| part[0].starts_with("rust") && part[1] == "library" && OF_RUST.contains(&part[2]);
    if file.starts_with("/rustc/") || parts.windows(3).any(of_rust) {
        return Origin::Standard;
    }
    if [headcount_stack::SOURCES, headcount_core::internal::stacks::SOURCES, SOURCES]
        .iter()
        .any(|own| file.starts_with(own))
    {
        return Origin::Own;
    }
    for (at, part) in parts.iter().enumerate() {
        // An application has such folders too, but none with versions or hashes in it.
        let package = match *part {
            "registry" if follows(at, 1) == Some("src") => {
                follows(at, 3).filter(|package| without_version(package) != *package).map(without_version)
            }
            "checkouts" => follows(at, 1).and_then(without_hash),
            "vendor" if follows(at, 2) == Some("src") => follows(at, 1).map(without_version),
            _ => None,
        };
        if let Some(package) = package {
            let is_own = matches!(package, "backtrace" | "headcount" | "headcount-core" | "headcount-stack");
            return if is_own { Origin::Own } else { Origin::Library(package.into()) };
        }
    }
    Origin::Application
}

/// Whether a library's macro made the function in the code of another crate.
fn is_of_a_macro(file: &str, whole: Option<&str>) -> bool {
    let Origin::Library(library) = origin_of_file(file) else { return false };
    match whole.and_then(|path| path.split("::").next()) {
        Some(package) => package != library.replace('-', "_"),
        // Of an inlined one the path is not known: `select!` and `join!` of tokio and of futures.
        None => {
            ["/macros/select.rs", "/macros/join.rs", "/macros/try_join.rs", "/join_mod.rs", "/select_mod.rs"]
                .iter()
                .any(|known| file.ends_with(known))
        }
    }
}

/// Sources of this crate.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

fn origin_of_path(path: &str) -> Origin {
    if !path.contains("::") {
        // Of the compiler's or the system's, as `__rust_try`.
        return Origin::Standard;
    }
    match path.split("::").next().unwrap_or(path) {
        "core" | "alloc" | "std" => Origin::Standard,
        "headcount" | "headcount_core" | "headcount_stack" | "backtrace" => Origin::Own,
        library @ ("tokio" | "futures_util" | "futures_channel" | "hyper" | "hyper_util" | "tower"
        | "tracing") => Origin::Library(library.into()),
        _ => Origin::Application,
    }
}

/// `tokio` of `tokio-1.54.1`.
fn without_version(package: &str) -> &str {
    let is_version = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    package
        .match_indices('-')
        .find(|(at, _)| is_version(&package[at + 1..]))
        .map_or(package, |(at, _)| &package[..at])
}

/// `tokio` of `tokio-0123456789abcdef`.
fn without_hash(checkout: &str) -> Option<&str> {
    let (name, hash) = checkout.rsplit_once('-')?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

fn is_plumbing(package: &str, file: &str) -> bool {
    let file = file.replace('\\', "/");
    PLUMBING.iter().any(|(of, path)| *of == package && file.ends_with(path))
}

/// `tokio::net::tcp::listener` of `…/tokio-1.54.1/src/net/tcp/listener.rs`.
fn module_of_file(file: &str) -> Option<String> {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let root = parts.iter().rposition(|part| matches!(*part, "src" | "tests" | "examples" | "benches"))?;
    let package = without_version(parts.get(root.checked_sub(1)?)?).replace('-', "_");
    let inside = &parts[root + 1..];
    let (last, folders) = inside.split_last()?;
    let mut path = vec![package];
    if parts[root] != "src" {
        // A test or example is a crate of its own.
        path.clear();
    }
    path.extend(folders.iter().map(|folder| (*folder).to_owned()));
    if !ROOTS.contains(last) || path.is_empty() {
        path.push(last.trim_end_matches(".rs").to_owned());
    }
    Some(path.join("::"))
}

/// The path in a symbol's name, without closures, implementations and generic arguments: `shop::Mailer::send`
/// of `<shop::Mailer<T>>::send::{{closure}}`. `None` where nothing but closures is left.
fn path_of(name: &str) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    for part in split_top(name) {
        if let Some(inner) = part.strip_prefix('<').and_then(|part| part.strip_suffix('>')) {
            let ty = inner.split(" as ").next().unwrap_or(inner);
            let ty = ty.trim_start_matches(['&', '*']).trim_start_matches("mut ").trim_start_matches("dyn ");
            let outermost = path.is_empty();
            path.extend(path_of(ty).filter(|_| outermost));
            continue;
        }
        if part.starts_with('{') {
            continue;
        }
        let ident = &part[..part.find('<').unwrap_or(part.len())];
        if !ident.is_empty() {
            path.push(ident.to_owned());
        }
    }
    (!path.is_empty()).then(|| path.join("::"))
}

/// The function whose body is the first generic argument that is one: `shop::send` of
/// `poll<shop::send::{async_fn_env#0}>`.
fn body_of(name: &str) -> Option<String> {
    let open = name.find('<').filter(|at| 0 < *at)?;
    let arguments = name[open + 1..].strip_suffix('>')?;
    let is_body = |argument: &&str| {
        ["{async_fn_env#", "{async_block_env#", "{closure_env#", "{async_closure_env#"]
            .iter()
            .any(|body| argument.rsplit("::").next().is_some_and(|last| last.starts_with(body)))
    };
    let argument = split_arguments(arguments).into_iter().map(without_arguments).find(is_body)?;
    path_of(argument)
}

/// Without the generic arguments at its end.
fn without_arguments(argument: &str) -> &str {
    match argument.rsplit_once('}') {
        Some((head, _)) => &argument[..=head.len()],
        None => argument,
    }
}

/// The parts of a path between `::` outside of brackets.
fn split_top(name: &str) -> Vec<&str> {
    split(name, |rest| rest.starts_with("::").then_some(2))
}

fn split_arguments(arguments: &str) -> Vec<&str> {
    split(arguments, |rest| rest.starts_with(", ").then_some(2))
}

fn split(text: &str, separator: impl Fn(&str) -> Option<usize>) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 0, 0);
    while at < text.len() {
        if let Some(length) = separator(&text[at..]).filter(|_| depth == 0) {
            parts.push(&text[start..at]);
            at += length;
            start = at;
            continue;
        }
        let character = text[at..].chars().next().unwrap_or(' ');
        match character {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += character.len_utf8();
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        let table = [
            ("shop::mail::send::{{closure}}", Some("shop::mail::send")),
            ("shop::mail::send::{closure#0}::<u32>", Some("shop::mail::send")),
            (
                "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
                Some("tokio::time::sleep::Sleep::poll"),
            ),
            (
                "tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}",
                Some("tokio::sync::mpsc::bounded::Receiver::recv"),
            ),
            ("<shop::Mailer<alloc::vec::Vec<u8>>>::send", Some("shop::Mailer::send")),
            ("poll<shop::send::{async_fn_env#0}>", Some("poll")),
            ("{async_fn#0}<u32>", None),
        ];
        for (name, path) in table {
            assert_eq!(path_of(name).as_deref(), path, "{name}");
        }
    }

    #[test]
    fn a_poll_names_the_body_it_was_made_for() {
        let table = [
            ("poll<shop::send::{async_fn_env#0}>", Some("shop::send")),
            ("poll<shop::main::{async_block#0}::{async_block_env#1}<u32>>", Some("shop::main")),
            ("poll<u32>", None),
            ("poll", None),
        ];
        for (name, body) in table {
            assert_eq!(body_of(name).as_deref(), body, "{name}");
        }
    }

    #[test]
    fn files_say_whose_they_are() {
        let library = |name: &str| Origin::Library(name.into());
        let table = [
            (
                "/home/a/.cargo/registry/src/index-1949cf8c6b5b557f/tokio-1.54.1/src/net/mod.rs",
                library("tokio"),
            ),
            (
                "/home/a/.cargo/registry/src/index-1949cf8c6b5b557f/headcount-core-0.1.0/src/tracked.rs",
                Origin::Own,
            ),
            ("/home/a/.cargo/git/checkouts/sqlx-0123456789abcdef/89abcde/src/lib.rs", library("sqlx")),
            ("/srv/shop/vendor/redis/src/aio.rs", library("redis")),
            (
                "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/task/poll.rs",
                Origin::Standard,
            ),
            ("/usr/src/rustc-1.85.0/library/core/src/task/poll.rs", Origin::Standard),
            (
                "/home/a/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/panic.rs",
                Origin::Standard,
            ),
            ("/srv/shop/src/mail.rs", Origin::Application),
            // Folders that are called as those of cargo and of Rust are.
            ("/srv/shop/src/future/poll_fn.rs", Origin::Application),
            ("/srv/shop/src/checkouts/pay.rs", Origin::Application),
            ("/srv/registry/src/store/disk.rs", Origin::Application),
            ("/srv/rust-shop/library/src/loans.rs", Origin::Application),
        ];
        for (file, origin) in &table {
            assert_eq!(origin_of_file(file), *origin, "{file}");
        }
        assert_eq!(module_of_file(table[0].0).as_deref(), Some("tokio::net"));
        assert_eq!(module_of_file("/srv/shop/src/mail.rs").as_deref(), Some("shop::mail"));
        assert_eq!(module_of_file("/srv/shop/tests/all.rs").as_deref(), Some("all"));
    }
}
