//! Names of tasks without one: the path of their code, read from the type of the future or closure.
//!
//! Best effort: [`std::any::type_name`] promises nothing. The forms that it has today:
//!
//! - `app::send::{{closure}}` is the future of `async fn send`, or a block or closure of `fn send`. Its name
//!   is `app::send`.
//! - `app::send::{{closure}}::{{closure}}` is a block within one of those. It has a name of its own,
//!   `app::send::{1}`, numbered by
//!   [`Blocks`](super::Blocks) in the order in which the blocks of a function first spawn.
//! - `app::Reaper<app::Postgres>` is a future written by hand, and `app::copy` a function:
//!   `app::Reaper<Postgres>`, `app::copy`.
//! - `tracing::instrument::Instrumented<F>` adapts a future, and is called as `F` is.
//! - `dyn Future`, pointers to functions, tuples and references have no name.

/// Longest type that is read, in bytes. Stacks of combinators have types of megabytes.
const MAX_TYPE: usize = 4096;
/// Most types within each other that are read.
const MAX_DEPTH: usize = 16;
/// Most generic arguments that a name keeps.
const MAX_ARGUMENTS: usize = 3;

/// Crates whose generic types adapt what they hold.
const ADAPTORS: [&str; 21] = [
    "alloc",
    "async_backtrace",
    "async_stream",
    "await_tree",
    "core",
    "either",
    "futures",
    "futures_core",
    "futures_lite",
    "futures_util",
    "headcount",
    "headcount_core",
    "opentelemetry",
    "pin_project",
    "std",
    "tokio",
    "tokio_metrics",
    "tokio_stream",
    "tokio_util",
    "tower",
    "tracing",
];

/// Futures of those crates that have the type of a value as their argument.
const CARRIERS: [&str; 6] = ["Empty", "JoinHandle", "Pending", "Ready", "Receiver", "Recv"];

/// The name that a type gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeName {
    /// The shortened path.
    pub path: String,
    /// A block or closure within another, of which a function may have several.
    pub block: bool,
}

/// A name, and whether it is that of a function's body.
struct Found {
    name: CodeName,
    code: bool,
}

/// The name of a future or closure of this type, where it has one.
pub fn of_type(type_name: &str) -> Option<CodeName> {
    if MAX_TYPE < type_name.len() {
        return None;
    }
    find(type_name, MAX_DEPTH).map(|found| found.name)
}

fn find(type_name: &str, depth: usize) -> Option<Found> {
    if depth == 0 || !is_path(type_name) {
        return None;
    }
    let parts = split_top(type_name, "::");
    let closures = parts.iter().rev().take_while(|part| **part == CLOSURE).count();
    if closures != 0 {
        let name = CodeName { path: path_of(&parts, depth), block: 1 < closures };
        return Some(Found { name, code: true });
    }
    let last = parts.last()?;
    let arguments = arguments(last);
    let inner =
        |found: fn(&Found) -> bool| arguments.iter().find_map(|inner| find(inner, depth - 1).filter(found));
    let std = is_std(parts[0]);
    if ADAPTORS.contains(&parts[0]) {
        // What has code comes first: of `TaskLocalFuture<Id, F>` that is `F`.
        if let Some(found) = inner(|found| found.code) {
            return Some(found);
        }
        // What is left may hold a future written by hand, unless it holds a value.
        let carries = CARRIERS.contains(&ident(last));
        if let Some(found) = inner(|_| true).filter(|_| !carries) {
            return Some(found);
        }
    } else if let Some(found) =
        arguments.first().and_then(|first| find(first, depth - 1)).filter(|found| found.code)
    {
        return Some(found);
    }
    // A type of the standard library says nothing about a task, and a name without a path is a primitive or
    // a parameter.
    if std || parts.len() < 2 {
        return None;
    }
    Some(Found { name: CodeName { path: path_of(&parts, depth), block: false }, code: false })
}

const CLOSURE: &str = "{{closure}}";

fn is_std(krate: &str) -> bool {
    matches!(krate, "alloc" | "core" | "std")
}

/// Neither a trait object, a function pointer, a reference, a tuple nor a slice.
fn is_path(type_name: &str) -> bool {
    const WORDS: [&str; 6] = ["dyn ", "impl ", "fn(", "unsafe ", "extern ", "for<"];
    let first = type_name.chars().next();
    !WORDS.iter().any(|word| type_name.starts_with(word))
        && first.is_some_and(|first| first.is_alphabetic() || first == '_' || first == '<')
        && (first != Some('<') || type_name.contains(">::"))
}

/// A path without closures, with the generic arguments that have a name; `<A as B>::f` is `A::f`.
fn path_of(parts: &[&str], depth: usize) -> String {
    let mut path: Vec<String> = Vec::new();
    for part in parts {
        match part.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')) {
            Some(inner) => path.extend(implementor(inner, depth)),
            None if *part == CLOSURE => {}
            None => path.push(format!("{}{}", ident(part), named_arguments(part, depth))),
        }
    }
    path.retain(|part| !part.is_empty());
    path.join("::")
}

/// `A` of `A as B`. Of `impl B for A` and `impl A` only the last part, since the module stands before it.
fn implementor(inner: &str, depth: usize) -> Option<String> {
    if depth == 0 {
        return None;
    }
    if let Some(implemented) = inner.strip_prefix("impl ") {
        let ty = split_top(implemented, " for ").pop()?;
        return is_path(ty).then(|| ident(split_top(ty, "::").last().unwrap_or(&ty)).to_owned());
    }
    let ty = *split_top(inner, " as ").first()?;
    is_path(ty).then(|| path_of(&split_top(ty, "::"), depth - 1))
}

/// `<run, Postgres>`: code by its path, types by the last part of theirs.
fn named_arguments(part: &str, depth: usize) -> String {
    let name = |argument: &&str| match find(argument, depth.saturating_sub(1)) {
        Some(found) if found.code => Some(found.name.path),
        _ if is_path(argument) => split_top(argument, "::").last().map(|last| ident(last).to_owned()),
        _ => None,
    };
    let names: Vec<String> = arguments(part).iter().filter_map(name).take(MAX_ARGUMENTS).collect();
    if names.is_empty() { String::new() } else { format!("<{}>", names.join(", ")) }
}

/// A part of a path without its generic arguments.
fn ident(part: &str) -> &str {
    &part[..part.find('<').unwrap_or(part.len())]
}

fn arguments(part: &str) -> Vec<&str> {
    let Some(open) = part.find('<').filter(|open| *open != 0) else { return Vec::new() };
    let Some(close) = matching(part, open) else { return Vec::new() };
    split_top(&part[open + 1..close], ", ")
}

/// Splits at a separator that stands outside all brackets.
fn split_top<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while at < text.len() {
        if depth == 0 && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            at += separator.len();
            start = at;
            continue;
        }
        depth = depth_after(text, at, depth);
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    parts.push(&text[start..]);
    parts
}

/// Where the bracket that opens at `open` closes.
fn matching(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, _) in text.char_indices().skip_while(|(at, _)| *at < open) {
        depth = depth_after(text, at, depth);
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn depth_after(text: &str, at: usize, depth: usize) -> usize {
    match text.as_bytes()[at] {
        b'<' | b'(' | b'[' => depth + 1,
        b'>' if text[..at].ends_with('-') => depth,
        b'>' | b')' | b']' => depth.saturating_sub(1),
        _ => depth,
    }
}

#[cfg(all(test, not(headcount_loom)))]
#[allow(clippy::unused_async, reason = "a test may")]
mod tests {
    use super::*;

    fn name(type_name: &str) -> Option<String> {
        of_type(type_name).map(|name| if name.block { format!("{}::{{}}", name.path) } else { name.path })
    }

    #[test]
    fn paths_come_out_of_type_names() {
        let cases = [
            // Functions and their blocks.
            ("app::send_email::{{closure}}", "app::send_email"),
            ("app::Mailer::send::{{closure}}", "app::Mailer::send"),
            ("<app::Ses as app::Provider>::send::{{closure}}", "app::Ses::send"),
            ("app::handler::{{closure}}::{{closure}}", "app::handler::{}"),
            ("app::handler::{{closure}}::{{closure}}::{{closure}}", "app::handler::{}"),
            ("app::handler::{{closure}}::inner::{{closure}}", "app::handler::inner"),
            ("app::mail::<impl app::Mailer>::send::{{closure}}", "app::mail::Mailer::send"),
            ("app::mail::<impl app::Send for app::Mailer<u8>>::send::{{closure}}", "app::mail::Mailer::send"),
            // Generic arguments.
            ("app::run<alloc::string::String>::{{closure}}", "app::run<String>"),
            (
                "<app::Pool<u8> as app::Provider<alloc::string::String>>::send::{{closure}}",
                "app::Pool<u8>::send",
            ),
            (
                "bb8::inner::PoolInner<bb8_postgres::PgManager>::new::{{closure}}",
                "bb8::inner::PoolInner<PgManager>::new",
            ),
            (
                "russh_util::runtime::spawn<russh::server::run::{{closure}}>::{{closure}}",
                "russh_util::runtime::spawn<russh::server::run>",
            ),
            (
                "app::wrap<tracing::instrument::Instrumented<app::f::{{closure}}>, &str, (), dyn core::any::Any>::{{closure}}",
                "app::wrap<app::f>",
            ),
            ("app::run<a::A, b::B, c::C, d::D>::{{closure}}", "app::run<A, B, C>"),
            ("app::run<app::Deep<app::Deeper<u8>>>::{{closure}}", "app::run<Deep>"),
            // Futures written by hand, and functions.
            ("app::Hand", "app::Hand"),
            ("app::compute", "app::compute"),
            ("app::compute<u32>", "app::compute<u32>"),
            ("bb8::inner::Reaper<bb8_postgres::PgManager>", "bb8::inner::Reaper<PgManager>"),
            ("app::Limited<app::f::{{closure}}>", "app::f"),
            ("app::Serve<app::Listener, app::f::{{closure}}>", "app::Serve<Listener, app::f>"),
            ("tokio::time::sleep::Sleep", "tokio::time::sleep::Sleep"),
            ("tokio::sync::oneshot::Receiver<app::Answer>", "tokio::sync::oneshot::Receiver<Answer>"),
            // Adaptors.
            ("tracing::instrument::Instrumented<app::f::{{closure}}>", "app::f"),
            ("tracing::instrument::Instrumented<app::Hand>", "app::Hand"),
            (
                "tokio::time::timeout::Timeout<tracing::instrument::Instrumented<app::f::{{closure}}>>",
                "app::f",
            ),
            ("futures_util::future::Map<app::f::{{closure}}, app::main::{{closure}}>", "app::f"),
            ("futures_util::future::Map<app::Hand, app::main::{{closure}}::{{closure}}>", "app::main::{}"),
            ("tokio::task::task_local::TaskLocalFuture<u32, app::f::{{closure}}>", "app::f"),
            ("tokio::task::task_local::TaskLocalFuture<app::Id, app::f::{{closure}}>", "app::f"),
            ("core::pin::Pin<alloc::boxed::Box<app::f<fn(u8) -> u8>::{{closure}}>>", "app::f"),
        ];
        for (type_name, expected) in cases {
            assert_eq!(name(type_name).as_deref(), Some(expected), "{type_name}");
        }
    }

    #[test]
    fn types_without_code_of_their_own_have_no_name() {
        let cases = [
            "core::pin::Pin<alloc::boxed::Box<dyn core::future::Future<Output = ()> + Send>>",
            "dyn core::future::Future<Output = app::f::{{closure}}>",
            "fn(u32) -> app::Answer",
            "for<'a> fn(&'a app::Answer)",
            "unsafe extern \"C\" fn()",
            "core::future::ready::Ready<app::Answer>",
            "alloc::string::String",
            "(app::A, app::B)",
            "[app::A; 3]",
            "&app::A",
            "u32",
            "()",
            "<<<",
            "",
        ];
        for type_name in cases {
            assert_eq!(of_type(type_name), None, "{type_name}");
        }
        let stack = format!("{}app::f::{{{{closure}}}}{}", "app::Layer<".repeat(1000), ">".repeat(1000));
        assert_eq!(of_type(&stack), None);
        let deep = format!("{}app::f::{{{{closure}}}}{}", "core::pin::Pin<".repeat(100), ">".repeat(100));
        assert_eq!(of_type(&deep), None);
    }

    #[test]
    fn the_compiler_writes_types_as_expected() {
        struct Hand;
        struct Owner<T>(T);
        impl<T: Copy + 'static> Owner<T> {
            async fn run(self) {}

            fn spawned(self) -> impl Future {
                async move { self.0 }
            }
        }
        async fn body() -> &'static str {
            of(&async {})
        }
        fn of<F>(_: &F) -> &'static str {
            std::any::type_name::<F>()
        }
        let here = "headcount_core::name::code::tests::the_compiler_writes_types_as_expected";
        let named = |type_name: &str| name(type_name).expect("a name").replace(here, "here");
        assert_eq!(named(of(&Hand)), "here::Hand");
        assert_eq!(named(of(&body())), "here::body");
        assert_eq!(named(of(&Box::pin(body()))), "here::body");
        assert_eq!(named(of(&async {})), "here");
        assert_eq!(named(of(&|| of(&()))), "here");
        assert_eq!(named(of(&Owner(1_u8).run())), "here::Owner<u8>::run");
        assert_eq!(named(of(&Owner(Hand2).spawned())), "here::Owner<Hand2>::spawned");
        assert_eq!(named(of(&of::<u8>)), "here::of<u8>");
        let mut waiting = std::pin::pin!(body());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(inner) = waiting.as_mut().poll(&mut context) else {
            panic!("ready at once")
        };
        assert_eq!(named(inner), "here::body::{}");
    }

    #[derive(Clone, Copy)]
    struct Hand2;
}
