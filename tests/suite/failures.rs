//! A panic or an error is told once, with everything one needs, inside its span, and never as a flood. One
//! process, for the count of lines held back.

use std::fmt;

use crate::support::lines::{Lines, matches};
use headcount::snapshot::{FinishedQuery, Outcome};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

#[tokio::test]
async fn one_line_with_name_id_age_text_and_place() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let id = || headcount::current().unwrap().id();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let place = format!("{}:{}", file!(), line!() + 1);
    let panics = headcount::task("told-panic").spawn(async move {
        sender.send(id()).unwrap();
        panic!("no \x1b[31mpaper");
    });
    panics.await.unwrap_err();
    let panicked = receiver.recv().await.unwrap();
    let expected = format!(
        "ERROR headcount::task: told-panic #{panicked} panicked after ~s: no \\u{{1b}}[31mpaper ({place})"
    );
    assert_one_line(&lines, &expected);

    let place = format!("{}:{}", file!(), line!() + 1);
    let fails = headcount::task("told-error").spawn_fallible(async move { Err::<(), _>(Told(id().get())) });
    let Told(failed) = fails.await.unwrap().unwrap_err();
    let expected = format!(
        "ERROR headcount::task: told-error #{failed} failed after ~s: order {failed} is gone ({place})"
    );
    assert_one_line(&lines, &expected);
}

#[track_caller]
fn assert_one_line(lines: &Lines, expected: &str) {
    let lines = lines.take();
    assert!(matches!(&lines[..], [line] if matches(expected, line)), "{lines:#?} instead of {expected}");
}

#[derive(Debug)]
struct Told(u64);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} is gone", self.0)
    }
}

#[tokio::test]
async fn other_ends_are_silent() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    headcount::task("silent").spawn(async {}).await.unwrap();
    headcount::task("silent").spawn_fallible(async { Ok::<_, &str>(1) }).await.unwrap().unwrap();
    let aborted = headcount::task("silent").spawn(std::future::pending::<()>());
    aborted.abort();
    aborted.await.unwrap_err();
    assert_eq!(lines.take(), [""; 0]);
}

#[tokio::test]
async fn the_span_is_inherited_only_where_asked_for() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let span = tracing::info_span!("order", number = 7);
    let (inside, outside) = span.in_scope(|| {
        let work = || async {
            tracing::info!("working");
            Err::<(), _>("gone")
        };
        let inside = headcount::task("spanned").in_current_span().spawn_fallible(work());
        (inside, headcount::task("unspanned").spawn_fallible(work()))
    });
    inside.await.unwrap().unwrap_err();
    outside.await.unwrap().unwrap_err();
    let logged = lines.take();
    let in_span: Vec<_> = logged.iter().map(|line| line.contains(" order{number=7}: ")).collect();
    assert_eq!(in_span, [true, true, false, false], "{logged:#?}");
    assert!(logged[1].contains(" spanned #") && logged[3].contains(" unspanned #"), "{logged:#?}");
}

#[tokio::test]
async fn ten_lines_a_group_and_minute() {
    own_process!();
    let (lines, _guard) = Lines::capture();
    let before = headcount::snapshot().log_lines_suppressed;
    for number in 0..25 {
        let fails = headcount::task("storm").spawn_fallible(async move { Err::<(), _>(number) });
        fails.await.unwrap().unwrap_err();
    }
    assert_eq!(lines.take().len(), 10);
    let snapshot = headcount::snapshot();
    assert_eq!(snapshot.log_lines_suppressed - before, 15);
    let group = snapshot.groups.iter().find(|group| &*group.name == "storm").unwrap();
    assert_eq!(group.finished.error, 25);
    assert_eq!(group.last_failure.as_ref().unwrap().message.as_deref(), Some("24"));
    // Another group has a limit of its own.
    headcount::task("calm").spawn_fallible(async { Err::<(), _>("once") }).await.unwrap().unwrap_err();
    assert_eq!(lines.take().len(), 1);
}

/// A subscriber that itself spawns a failing task for each failure it sees.
struct Spawning;

impl Layer<Registry> for Spawning {
    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, Registry>) {
        headcount::task("spawned-by-the-log").spawn_fallible(async { Err::<(), _>("and again") });
    }
}

#[tokio::test]
async fn a_log_that_spawns_ends() {
    own_process!();
    let _guard = tracing::subscriber::set_default(Registry::default().with(Spawning));
    headcount::task("logged").spawn_fallible(async { Err::<(), _>("first") }).await.unwrap().unwrap_err();
    let group =
        || headcount::snapshot().groups.into_iter().find(|it| &*it.name == "spawned-by-the-log").unwrap();
    while 0 < group().live {
        tokio::task::yield_now().await;
    }
    // One for the first line, and one for each of its own ten.
    assert_eq!(group().finished.error, 11);
}

struct Panicking;

impl Layer<Registry> for Panicking {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, Registry>) {
        assert!(event.metadata().target() != "headcount::task", "in the log");
    }
}

#[tokio::test]
async fn a_log_that_panics_takes_nothing_from_the_task() {
    own_process!();
    let _guard = tracing::subscriber::set_default(Registry::default().with(Panicking));
    let fails = headcount::task("unloggable").spawn_fallible(async { Err::<(), _>("kept") });
    assert_eq!(fails.await.unwrap(), Err("kept"));
    let panics = headcount::task("unloggable").spawn(async { panic!("kept too") });
    let panic = panics.await.unwrap_err();
    assert!(panic.to_string().contains("kept too"), "{panic}");
    headcount::idle().await;
}

struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("cannot be printed")
    }
}

#[tokio::test]
async fn an_error_that_cannot_be_printed_is_passed_on_as_it_is() {
    own_process!();
    let fails = headcount::task("unprintable").spawn_fallible(async { Err::<(), _>(Unprintable) });
    assert!(matches!(fails.await, Ok(Err(Unprintable))));
    assert_eq!(last("unprintable"), (Outcome::Error, Some("[no text: Display panicked]".to_owned())));
}

struct PanicsWhenDropped(&'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[tokio::test]
async fn a_payload_that_is_no_text_is_passed_on() {
    own_process!();
    let panics = headcount::task("payload").spawn(async { std::panic::panic_any(42_u8) });
    let payload = panics.await.unwrap_err().into_panic();
    assert_eq!(*payload.downcast::<u8>().unwrap(), 42);
    assert_eq!(last("payload"), (Outcome::Panic, None));
}

#[tokio::test]
async fn a_payload_that_panics_when_dropped_is_the_handles_alone() {
    own_process!();
    let panics =
        headcount::task("bad-payload").spawn(async { std::panic::panic_any(PanicsWhenDropped("twice")) });
    let payload = panics.await.unwrap_err().into_panic();
    assert_eq!(last("bad-payload"), (Outcome::Panic, None));
    std::mem::forget(payload);
}

#[tokio::test]
async fn huge_messages_are_cut() {
    own_process!();
    let fails = headcount::task("huge").spawn_fallible(async { Err::<(), _>("ä".repeat(1 << 20)) });
    fails.await.unwrap().unwrap_err();
    let message = last("huge").1.unwrap();
    assert!(message.len() <= 4096 && message.ends_with('…'), "{} bytes", message.len());
}

fn last(name: &str) -> (Outcome, Option<String>) {
    let query = FinishedQuery::default().name(name);
    let page = headcount::snapshot::finished(&query).unwrap();
    (page.items[0].outcome, page.items[0].message.as_deref().map(str::to_owned))
}

#[tokio::test]
async fn installed_it_says_where_a_task_panicked() {
    own_process!();
    let _hc = headcount::Headcount::builder().signals(false).install().unwrap();
    let place = |line| format!("tests/suite/failures.rs:{line}");
    let boom = place(line!() + 1);
    headcount::task("plain").spawn(async { panic!("boom") }).await.unwrap_err();
    assert_eq!(last("plain"), (Outcome::Panic, Some(format!("boom, at {boom}"))));

    let inside = place(line!() + 2);
    let closure = headcount::task("closure").spawn_blocking(|| {
        let _ = std::panic::catch_unwind(|| panic!("caught"));
        let _: i32 = std::hint::black_box([1, 2].as_slice())[std::hint::black_box(7)];
    });
    closure.await.unwrap_err();
    let (_, message) = last("closure");
    let indexed = format!("index out of bounds: the len is 2 but the index is 7, at {}", place(line!() - 4));
    assert_eq!(message, Some(indexed), "not where it was caught: {inside}");

    // Another task's panic, which this one only passes on: its place is not known here.
    let passes = headcount::task("passes").spawn(async {
        let of_another = tokio::spawn(async { panic!("elsewhere") }).await.unwrap_err();
        std::panic::resume_unwind(of_another.into_panic());
    });
    passes.await.unwrap_err();
    assert_eq!(last("passes"), (Outcome::Panic, Some("elsewhere".to_owned())));

    headcount::task("textless").spawn(async { std::panic::panic_any(7) }).await.unwrap_err();
    assert_eq!(last("textless"), (Outcome::Panic, Some(format!("at {}", place(line!() - 1)))));
}
