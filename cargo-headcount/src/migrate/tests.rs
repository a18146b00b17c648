//! Snippets, before and after.

use super::plan;
use crate::audit::Census;
use crate::cli::{Migrate, Target};
use crate::code::testing::code;

/// The text after the migration, and the notes of the report.
fn migrate(text: &str, options: &Migrate) -> (String, Vec<String>) {
    let plan = plan(&code(text), 0, options).unwrap_or_else(|error| panic!("{error}: {text}"));
    let notes = plan.notes.into_iter().map(|note| note.text).collect();
    (plan.change.map_or(text.to_owned(), |change| change.text), notes)
}

/// The text after the migration, which a second one leaves alone.
fn after(text: &str, options: &Migrate) -> String {
    let (changed, _) = migrate(text, options);
    assert_eq!(migrate(&changed, options).0, changed, "a second run");
    changed
}

/// Checks statements of an async function.
fn check(cases: &[(&str, &str, &str)], options: &Migrate) {
    for (imports, before, expected) in cases {
        let text = format!("{imports}\nasync fn f() {{ {before} }}\n");
        let changed = after(&text, options);
        let body = changed.split_once("async fn f() { ").expect("the function").1;
        assert_eq!(body, format!("{expected} }}\n"), "{before}");
    }
}

#[test]
fn functions_are_found_however_they_are_imported() {
    check(
        &[
            ("", "tokio::spawn(g());", "headcount::spawn(g());"),
            ("", "::tokio::task::spawn(g());", "headcount::spawn(g());"),
            ("", "tokio::spawn::<G>(g());", "headcount::spawn::<G>(g());"),
            ("", "(tokio::spawn)(g());", "(headcount::spawn)(g());"),
            ("use tokio::task as t;", "t::spawn_blocking(h);", "headcount::spawn_blocking(h);"),
            (
                "use tokio::{task::{self, *}};",
                "spawn_local(g()); task::spawn(g());",
                "headcount::spawn_local(g()); headcount::spawn(g());",
            ),
            ("extern crate tokio as t;", "t::spawn(g());", "headcount::spawn(g());"),
            ("", "use tokio::task; task::spawn(g());", " headcount::spawn(g());"),
            ("use r#tokio::r#spawn;", "spawn(g());", "headcount::spawn(g());"),
            ("use actix_web::rt;", "rt::spawn(g());", "headcount::spawn_local(g());"),
            ("mod headcount {}", "tokio::spawn(g());", "::headcount::spawn(g());"),
            ("", "tokio :: spawn /* here */ (g());", "headcount::spawn /* here */ (g());"),
        ],
        &Migrate::default(),
    );
}

#[test]
fn what_only_looks_like_it_is_left() {
    let cases = [
        ("fn spawn(_: u8) {}", "spawn(1);"),
        ("use tokio::spawn;", "let spawn = |_| (); spawn(1);"),
        ("use tokio::spawn;", "fn spawn(_: u8) {} spawn(1);"),
        ("use std::thread;", "thread::spawn(|| ()); thread::Builder::new().spawn(|| ()).unwrap();"),
        ("use std::process::Command;", "Command::new(\"ls\").spawn().unwrap();"),
        ("use tokio::process::Command;", "Command::new(\"ls\").kill_on_drop(true).spawn().unwrap();"),
        ("use rayon::ThreadPool;", "let pool: ThreadPool = p(); pool.spawn(|| ());"),
        ("", "let text = \"tokio::spawn(g())\"; /* tokio::spawn(g()) */"),
        ("", "quote! { tokio::spawn(#future) };"),
        ("", "tokio::task::block_in_place(|| ());"),
        ("struct S; impl S { fn spawn(&self, _: u8) {} }", "let s = S; s.spawn(1);"),
        ("mod tokio { pub fn spawn(_: u8) {} }", "tokio::spawn(1);"),
    ];
    let same: Vec<(&str, &str, &str)> =
        cases.iter().map(|(imports, body)| (*imports, *body, *body)).collect();
    check(&same, &Migrate::default());
}

#[test]
fn receivers_become_arguments() {
    let imports = "use tokio::runtime::{Builder, Handle, Runtime};";
    let cases = [
        (
            "let h = Handle::current(); h.spawn(g());",
            "let h = Handle::current(); headcount::spawn_on(g(), &h);",
        ),
        (
            "let h = &Handle::current(); h.spawn(g());",
            "let h = &Handle::current(); headcount::spawn_on(g(), h);",
        ),
        ("Handle::current().spawn(g());", "headcount::spawn(g());"),
        ("Handle::current().spawn_blocking(h);", "headcount::spawn_blocking(h);"),
        (
            "Handle::try_current().unwrap().spawn(g());",
            "headcount::spawn_on(g(), &Handle::try_current().unwrap());",
        ),
        (
            "let r = Runtime::new()?; r.spawn(g());",
            "let r = Runtime::new()?; headcount::spawn_on(g(), r.handle());",
        ),
        (
            "let r = Builder::new_multi_thread().enable_all().build()?; r.spawn(g(),);",
            "let r = Builder::new_multi_thread().enable_all().build()?; headcount::spawn_on(g(), r.handle(),);",
        ),
        ("for h in &handles() { h.spawn(g()); }", "for h in &handles() { headcount::spawn_on(g(), h); }"),
        ("(|h: Handle| h.spawn(g()))(x);", "(|h: Handle| headcount::spawn_on(g(), &h))(x);"),
        ("RT.spawn(g());", "headcount::spawn_on(g(), RT.handle());"),
    ];
    let imports = format!(
        "{imports} static RT: std::sync::LazyLock<Runtime> = x(); fn handles() -> Vec<Handle> {{ vec![] }}"
    );
    let cases: Vec<_> = cases.iter().map(|(before, after)| (imports.as_str(), *before, *after)).collect();
    check(&cases, &Migrate::default());
}

#[test]
fn a_receiver_that_the_future_takes_is_left() {
    let text = "async fn f(h: tokio::runtime::Handle) { h.clone().spawn(async move { h.enter(); }); }\n";
    let (changed, notes) = migrate(text, &Migrate::default());
    assert_eq!(changed, text);
    assert_eq!(notes, ["Handle::spawn is left: its receiver is computed from what the future takes"]);
}

#[test]
fn names_that_depend_on_cfg_are_left_in_any_order() {
    let tokio = "#[cfg(not(wasm))]\nuse tokio::task::spawn_local;\n";
    let others = [
        "#[cfg(wasm)]\nuse wasm_bindgen_futures::spawn_local;\n",
        "#[cfg(wasm)]\nuse crate::made_by_a_macro::spawn_local;\n",
        "#[cfg(wasm)]\nfn spawn_local(_: u8) {}\n",
        "#[cfg(wasm)]\nmod w { pub fn spawn_local(_: u8) {} }\n#[cfg(wasm)]\nuse w::spawn_local;\n",
    ];
    for other in others {
        let call = "fn f() { spawn_local(g()); }\n";
        let within = format!(
            "mod inner {{ use super::*;\n{call}}}\nmod other {{ fn f() {{ super::spawn_local(g()); }} }}\n"
        );
        for text in [format!("{tokio}{other}{call}{within}"), format!("{other}{tokio}{call}{within}")] {
            let (changed, notes) = migrate(&text, &Migrate::default());
            assert_eq!(changed, text);
            assert_eq!(notes, ["spawn_local is left: its name depends on cfg"; 3], "{text}");
        }
    }
}

#[test]
fn modules_types_and_imports_of_blocks_may_depend_on_cfg_too() {
    let left = "tokio::spawn is left: its name depends on cfg";
    let unknown = ".spawn(…) is left: the type of its receiver is not known";
    let cases = [
        ("#[cfg(a)] use tokio as rt; #[cfg(not(a))] use other as rt; fn f() { rt::spawn(g()); }", left),
        (
            "#[cfg(a)] mod rt { pub use tokio::spawn; } #[cfg(not(a))] mod rt { pub fn spawn(_: u8) {} } \
             fn f() { rt::spawn(1); }",
            left,
        ),
        ("fn f() { #[cfg(a)] use tokio::spawn; #[cfg(not(a))] use other::spawn; spawn(g()); }", left),
        ("fn f() { #[cfg(a)] use other::spawn; #[cfg(not(a))] use tokio::spawn; spawn(g()); }", left),
        (
            "#[cfg(a)] use tokio::task::JoinSet; #[cfg(not(a))] use other::JoinSet; \
             fn f(s: &mut JoinSet<()>) { s.spawn(g()); }",
            unknown,
        ),
        (
            "#[cfg(a)] type H = tokio::runtime::Handle; #[cfg(not(a))] type H = other::Handle; \
             fn f(h: H) { h.spawn(g()); }",
            unknown,
        ),
        (
            "use tokio::runtime::Handle; struct S { #[cfg(a)] h: Handle, #[cfg(not(a))] h: Other } \
             impl S { fn f(&self) { self.h.spawn(g()); } }",
            unknown,
        ),
        (
            "use tokio::runtime::Handle; struct S; impl S { #[cfg(a)] fn h(&self) -> Handle { x() } \
             #[cfg(not(a))] fn h(&self) -> Other { y() } fn f(&self) { self.h().spawn(g()); } }",
            unknown,
        ),
    ];
    for (text, note) in cases {
        assert_eq!(migrate(text, &Migrate::default()), (text.to_owned(), vec![note.to_owned()]), "{text}");
    }
}

#[test]
fn names_that_mean_the_same_under_every_cfg_are_migrated() {
    let cases = [
        "#[cfg(a)] use tokio::spawn; #[cfg(not(a))] use tokio::task::spawn; fn f() { spawn(g()); }",
        "#[cfg(a)] use tokio::spawn; mod spawn {} fn f() { spawn(g()); }",
        "#[cfg(a)] use tokio::task; fn task() {} fn f() { task::spawn(g()); }",
        "use tokio::task; #[cfg(a)] mod tests { use super::task; fn f() { task::spawn(g()); } }",
    ];
    for text in cases {
        assert!(after(text, &Migrate::default()).contains("headcount::spawn(g())"), "{text}");
    }
}

#[test]
fn futures_in_sets_are_wrapped_once() {
    let imports = "use tokio::task::{JoinSet, LocalSet}; use tokio_util::task::{JoinMap, TaskTracker};";
    let cases = [
        (
            "let mut s = JoinSet::new(); s.spawn(g());",
            "let mut s = JoinSet::new(); s.spawn(headcount::track(g()));",
        ),
        (
            "let s = LocalSet::new(); s.spawn_local(g());",
            "let s = LocalSet::new(); s.spawn_local(headcount::track(g()));",
        ),
        (
            "let mut m = JoinMap::new(); m.spawn(1, g());",
            "let mut m = JoinMap::new(); m.spawn(1, headcount::track(g()));",
        ),
        (
            "let t = TaskTracker::new(); t.spawn_on(g(), &h);",
            "let t = TaskTracker::new(); t.spawn_on(headcount::track(g()), &h);",
        ),
        (
            "let mut s = JoinSet::new(); JoinSet::spawn(&mut s, g());",
            "let mut s = JoinSet::new(); JoinSet::spawn(&mut s, headcount::track(g()));",
        ),
        (
            "let mut s = JoinSet::new(); s.spawn(headcount::task(\"x\").track(g()).instrument(z));",
            "let mut s = JoinSet::new(); s.spawn(headcount::task(\"x\").track(g()).instrument(z));",
        ),
    ];
    let cases: Vec<_> = cases.iter().map(|(before, after)| (imports, *before, *after)).collect();
    check(&cases, &Migrate::default());
}

#[test]
fn sets_are_handed_over_where_there_is_a_function_for_it() {
    let options =
        Migrate { spawn_in: true, spawn_blocking_on: true, target: Target::Core, ..Migrate::default() };
    let text = "use tokio::{runtime::Runtime, task::JoinSet};\nfn f(s: &mut JoinSet<()>, r: Runtime) { s.spawn(g()); let mut own = JoinSet::new(); \
        own.spawn(g()); r.spawn_blocking(h); }\n";
    assert_eq!(
        after(text, &options),
        "use tokio::{runtime::Runtime, task::JoinSet};\nfn f(s: &mut JoinSet<()>, r: Runtime) { headcount_core::spawn_in(s, g()); \
         let mut own = JoinSet::new(); headcount_core::spawn_in(&mut own, g()); headcount_core::spawn_blocking_on(h, r.handle()); }\n"
    );
}

#[test]
fn fields_taken_out_of_self_are_references_only_behind_one() {
    let options = Migrate { spawn_in: true, ..Migrate::default() };
    let cases = [
        ("self", "&handle", "&mut set"),
        ("mut self", "&handle", "&mut set"),
        ("self: Self", "&handle", "&mut set"),
        ("&mut self", "handle", "set"),
        ("self: &mut Self", "handle", "set"),
    ];
    for (receiver, handle, set) in cases {
        let text = |of_struct: &str, of_tuple: &str| {
            format!(
                "use tokio::{{runtime::Handle, task::JoinSet}};\nstruct S {{ handle: Handle, set: JoinSet<()> }}\n\
                 impl S {{ fn run({receiver}) {{ let Self {{ handle, set }} = self; {of_struct} }} }}\n\
                 struct T(Handle, JoinSet<()>);\n\
                 impl T {{ fn run({receiver}) {{ let Self(handle, set) = self; {of_tuple} }} }}\n"
            )
        };
        let before = "handle.spawn(g()); set.spawn(h());";
        let moved = format!("headcount::spawn_on(g(), {handle}); headcount::spawn_in({set}, h());");
        assert_eq!(after(&text(before, before), &options), text(&moved, &moved), "{receiver}");
    }
}

#[test]
fn a_set_is_not_handed_over_beside_what_the_future_reads_of_it() {
    let options = Migrate { spawn_in: true, ..Migrate::default() };
    let imports = "use tokio::task::JoinSet; struct S { set: JoinSet<()> } \
        impl S { fn run(&mut self) { self.set.spawn(self.job()); } }";
    let cases = [
        (
            "let mut s = JoinSet::new(); s.spawn(g(s.len()));",
            "let mut s = JoinSet::new(); s.spawn(headcount::track(g(s.len())));",
        ),
        (
            "let mut s = S { set: n() }; s.set.spawn(async move { x(s.id) });",
            "let mut s = S { set: n() }; s.set.spawn(headcount::track(async move { x(s.id) }));",
        ),
    ];
    for (before, expected) in cases {
        let changed = after(&format!("{imports} async fn f() {{ {before} }}\n"), &options);
        assert!(changed.contains("self.set.spawn(headcount::track(self.job()))"), "{changed}");
        assert!(changed.ends_with(&format!("async fn f() {{ {expected} }}\n")), "{changed}");
    }
}

#[test]
fn the_crate_is_named_by_what_its_name_means_at_each_spawn() {
    let cases = [
        (
            "fn f() { tokio::spawn(g()); }\nmod inner { mod headcount {} fn f() { tokio::spawn(g()); } }\n",
            ["{ headcount::spawn(g())", "{ ::headcount::spawn(g())"],
        ),
        (
            "mod headcount {}\nfn f() { tokio::spawn(g()); }\nmod inner { fn f() { tokio::spawn(g()); } }\n",
            ["{ ::headcount::spawn(g())", "{ headcount::spawn(g())"],
        ),
        (
            "fn f() { tokio::spawn(g()); }\nfn h() { use other as headcount; tokio::spawn(g()); }\n",
            ["{ headcount::spawn(g())", "headcount; ::headcount::spawn(g())"],
        ),
    ];
    for (text, expected) in cases {
        let changed = after(text, &Migrate::default());
        let lines: Vec<&str> = changed.lines().filter(|line| line.contains("spawn")).collect();
        assert_eq!(lines.len(), 2, "{changed}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{line}");
        }
    }
}

#[test]
fn builders_become_named_tasks() {
    check(
        &[
            (
                "use tokio::task;",
                "let h = task::Builder::new().name(\"a\").spawn(g()).unwrap();",
                "let h = headcount::task(\"a\").spawn(g());",
            ),
            (
                "",
                "tokio::task::Builder::new()\n.name(NAME)\n.spawn(g())?;",
                "headcount::task(NAME)\n.spawn(g());",
            ),
            (
                "",
                "tokio::task::Builder::new().name(&format!(\"{x}\")).spawn(g());",
                "headcount::task(format!(\"{x}\")).spawn(g());",
            ),
            (
                "",
                "let r = tokio::task::Builder::new().name(name).spawn_blocking(h);",
                "let r = Ok::<_, std::io::Error>(headcount::task((name).to_string()).spawn_blocking(h));",
            ),
            ("", "tokio::task::Builder::new().spawn_on(g(), &h)?;", "headcount::spawn_on(g(), &h);"),
            (
                "",
                "tokio::task::Builder::new().name(\"a\").spawn(async { tokio::spawn(g()) }).expect(\"x\");",
                "headcount::task(\"a\").spawn(async { headcount::spawn(g()) });",
            ),
        ],
        &Migrate::default(),
    );
}

#[test]
fn imports_without_a_use_are_removed() {
    let cases = [
        ("use tokio::spawn;\n", ""),
        ("#[cfg(unix)]\nuse tokio::spawn; // gone\n", " // gone\n"),
        ("use tokio::{spawn, task};\n", "use tokio::task;\n"),
        ("use tokio::{net, spawn, task};\n", "use tokio::{net, task};\n"),
        ("use tokio::{net, task, spawn};\n", "use tokio::{net, task};\n"),
        ("use tokio::{net, spawn, time,};\n", "use tokio::{net, time,};\n"),
        (
            "use tokio::{\n    net,\n    task::spawn,\n    time,\n};\n",
            "use tokio::{\n    net,\n    time,\n};\n",
        ),
        ("use tokio::{task::{spawn, spawn_local}, time};\n", "use tokio::{task::spawn_local, time};\n"),
        ("use tokio::{task::{self, spawn}};\n", "use tokio::task::{self};\n"),
        ("pub use tokio::spawn;\n", "pub use tokio::spawn;\n"),
        ("use tokio::{spawn as go, spawn};\n", "use tokio::spawn as go;\n"),
    ];
    for (before, expected) in cases {
        let text = format!(
            "{before}fn f() {{ spawn(g()); }}\nstruct S {{ task: u8 }}\nimpl S {{ fn spawn(&self) {{ self.spawn() }} }}\n"
        );
        let changed = after(&text, &Migrate::default());
        assert_eq!(changed.split("fn f()").next(), Some(expected), "{before}");
    }
    let used = "use tokio::task;\nfn f() { task::spawn(g()); task::yield_now(); }\n";
    assert!(after(used, &Migrate::default()).starts_with("use tokio::task;"));
}

#[test]
fn wrappers_pass_their_caller_on() {
    let wraps = [
        "pub fn w<F: Future>(f: F) { tokio::spawn(f); }",
        "pub(crate) fn w(f: impl Future + Send) -> H { tokio::spawn(async move { f.await }) }",
        "fn w<F>(f: F) -> H where F: FnOnce() { tokio::task::spawn_blocking(f) }",
        "fn w(f: BoxFuture<'static, ()>) { tokio::spawn(f.instrument(span())); }",
        "fn w(f: Pin<Box<dyn Future<Output = ()> + Send>>) { tokio::spawn(f); }",
        "fn w(f: impl Future) { other(f) }\n#[track_caller] fn other(f: impl Future) { tokio::spawn(f); }",
    ];
    for text in wraps {
        let changed = after(text, &Migrate::default());
        assert!(changed.starts_with("#[track_caller]\n"), "{changed}");
        assert_eq!(changed.matches("#[track_caller]").count(), text.matches("fn ").count(), "{changed}");
    }
    let others = [
        "async fn w<F: Future>(f: F) { tokio::spawn(f); }",
        "fn w(f: u8) { tokio::spawn(g(f)); }",
        "fn w<F: Fn() -> u8>(f: F) { tokio::spawn(async move { f() }); }",
        "fn w<F: Future>(f: F) { tokio::spawn(g()); }",
        "extern \"C\" fn w(f: impl Future) { tokio::spawn(f); }",
    ];
    for text in others {
        assert!(!after(text, &Migrate::default()).contains("track_caller"), "{text}");
    }
    let method = "impl S {\n    #[inline]\n    pub fn w(f: impl Future) { tokio::spawn(f); }\n}";
    let expected = "impl S {\n    #[inline]\n    #[track_caller]\n    pub fn w(f: impl Future) { headcount::spawn(f); }\n}";
    assert_eq!(after(method, &Migrate::default()), expected);
}

#[test]
fn names_are_proposed_where_blocks_would_share_one() {
    let text = "fn f() { let reader = tokio::spawn(async { a().await }); tokio::spawn(async { write().await });\n\
        tokio::spawn(async { b().await; c().await }); tokio::spawn(d()); }\nfn g() { tokio::spawn(async {}); }\n";
    let named = Migrate { name: true, ..Migrate::default() };
    assert_eq!(
        after(text, &named),
        "fn f() { let reader = headcount::task(\"crate::f::reader\").spawn(async { a().await }); \
         headcount::task(\"crate::f::write\").spawn(async { write().await });\n\
         headcount::task(\"crate::f::task-3\").spawn(async { b().await; c().await }); headcount::spawn(d()); }\n\
         fn g() { headcount::spawn(async {}); }\n"
    );
    let (_, notes) = migrate(text, &Migrate::default());
    assert_eq!(notes[0], "tokio::spawn shares its automatic name: task(\"crate::f::reader\")");
    let constructor = "impl Pool { fn new() { tokio::spawn(async { refill().await }); } }";
    assert!(after(constructor, &named).contains("task(\"crate::Pool::refill\")"));
}

#[test]
fn macros_are_read_as_far_as_they_are_rust() {
    check(
        &[
            ("", "vec![tokio::spawn(g()), 1];", "vec![headcount::spawn(g()), 1];"),
            (
                "",
                "let _ = format!(\"{x}\", x = tokio::spawn(g()));",
                "let _ = format!(\"{x}\", x = headcount::spawn(g()));",
            ),
            (
                "",
                "select! { Some(ref x) = tokio::spawn(g()), if c => { tokio::spawn(g()) } else => tokio::spawn(g()), }",
                "select! { Some(ref x) = headcount::spawn(g()), if c => { headcount::spawn(g()) } else => headcount::spawn(g()), }",
            ),
            ("", "stream! { yield tokio::spawn(g()); }", "stream! { yield headcount::spawn(g()); }"),
            ("macro_rules! m { ($($f:expr),*) => { $(tokio::spawn($f);)* } }", "m!(g());", "m!(g());"),
        ],
        &Migrate::default(),
    );
    let rules = "macro_rules! m { ($f:expr) => { tokio::spawn($f) } }";
    assert_eq!(after(rules, &Migrate::default()), "macro_rules! m { ($f:expr) => { headcount::spawn($f) } }");
    let exported = format!("#[macro_export]\n{rules}");
    let (changed, notes) = migrate(&exported, &Migrate::default());
    assert_eq!(
        (changed, notes),
        (exported, vec!["tokio::spawn is left: code that another crate compiles".to_owned()])
    );
}

/// An expression of random depth that spawns.
fn random(depth: usize, random: &mut fastrand::Rng) -> String {
    if depth == 0 {
        return ["g()", "async {}", "async move { x }", "Box::pin(g())"][random.usize(..4)].to_owned();
    }
    let inner = self::random(depth - 1, random);
    let more = self::random(random.usize(..depth), random);
    match random.usize(..12) {
        0 => format!("tokio::spawn({inner})"),
        1 => format!("s({inner},)"),
        2 => format!("async {{ let x = {inner}; {more} }}"),
        3 => format!("set.spawn({inner})"),
        4 => format!("set.spawn_on({inner}, &handle)"),
        5 => format!("handle.spawn({inner})"),
        6 => format!("runtime\n    .spawn(/* ü */ {inner})"),
        7 => format!("tokio::select! {{ x = {inner} => {{ {more} }}, y = {more} => y }}"),
        8 => format!("task::Builder::new().name(\"é\").spawn({inner}).unwrap()"),
        9 => format!("dbg!({inner}, {more})"),
        10 => format!("if let Some(set) = &mut set {{ set.spawn({inner}) }} else {{ {more} }}"),
        _ => format!("(|| task::spawn_blocking(|| {inner}))()"),
    }
}

#[test]
fn any_nesting_is_migrated_in_one_run() {
    for seed in 0..150 {
        let mut source = fastrand::Rng::with_seed(seed);
        let depth = source.usize(1..7);
        let body = random(depth, &mut source);
        let text = format!(
            "use tokio::{{runtime::{{Handle, Runtime}}, task::{{self, spawn as s, JoinSet}}}};\n\
             fn f(mut set: JoinSet<()>, handle: Handle, runtime: Runtime) {{ {body}; }}\n"
        );
        for options in [Migrate::default(), Migrate { name: true, spawn_in: true, ..Migrate::default() }] {
            let changed = after(&text, &options);
            let census = Census::of(&code(&changed));
            let plain: usize = census.forms.values().map(|count| count.plain).sum();
            assert_eq!(plain, 0, "seed {seed}:\n{text}\n{changed}");
        }
    }
}
