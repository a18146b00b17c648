//! `HEADCOUNT_TIMEOUT`, `HEADCOUNT_LIMIT` and `set_limit`: the operator wins, and says so.

use std::future::pending;
use std::time::Duration;

use headcount::settings::TaskLimit;
use headcount::snapshot::{Outcome, TaskQuery};
use headcount::testing::advance;
use headcount::{Headcount, Limit, OnShutdown};

use super::{HOUR, group, outcome, until};
use crate::support::lines::Lines;

const MINUTE: Duration = Duration::from_secs(60);

fn install() -> Headcount {
    Headcount::builder().admin(None).signals(false).install().unwrap()
}

fn allowed(name: &str) -> Option<Duration> {
    let page = headcount::snapshot::tasks(&TaskQuery::default().name(name)).unwrap();
    page.items[0].timeout.map(|timeout| timeout.allowed)
}

/// An exact name replaces what the code says; a wildcard is a bound that leaves some tasks alone.
#[tokio::test]
async fn timeouts_by_name() {
    own_process!("HEADCOUNT_TIMEOUT" = "exact=2m, free=none, loop=3m, *=1h");
    let (lines, _guard) = Lines::capture();
    let hc = install();
    lines.take();
    let task = |name: &'static str| headcount::task(name);
    let mut tasks = vec![
        task("exact").timeout(MINUTE).spawn(pending::<()>()),
        task("free").timeout(MINUTE).spawn(pending::<()>()),
        task("short").timeout(MINUTE).spawn(pending::<()>()),
        task("long").timeout(5 * HOUR).spawn(pending::<()>()),
        task("plain").spawn(pending::<()>()),
        headcount::task!("site").spawn(pending::<()>()),
        task("last").on_shutdown(OnShutdown::Last).spawn(pending::<()>()),
        task("loop").on_shutdown(OnShutdown::Last).spawn(pending::<()>()),
        task("detached").on_shutdown(OnShutdown::Detach).spawn(pending::<()>()),
        task("socket").connection().spawn(pending::<()>()),
        task("service").ongoing().spawn(pending::<()>()),
    ];
    tasks.push(headcount::spawn(pending::<()>()));
    let found: Vec<_> =
        ["exact", "free", "short", "long", "plain", "site", "last", "loop", "detached", "socket", "service"]
            .map(allowed)
            .into();
    let expected = [
        Some(2 * MINUTE),
        None,
        Some(MINUTE),
        Some(HOUR),
        Some(HOUR),
        Some(HOUR),
        None,
        Some(3 * MINUTE),
        None,
        None,
        None,
    ];
    assert_eq!(found, expected);
    let lines = lines.take();
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(told("exact may run for 2m 0s, not 60s: the operator says so"), 1, "{lines:#?}");
    assert_eq!(told("free has no timeout, not 60s: the operator says so"), 1, "{lines:#?}");
    assert_eq!(told("long may run for 60m 0s, not 5h 0m: the operator says so"), 1, "{lines:#?}");
    advance(2 * HOUR);
    until(|| headcount::snapshot().finished.timeout == 7).await;
    assert_eq!(headcount::snapshot().live, 5);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    drop(hc);
}

/// A task asks for more, and gets no more than the operator allows.
#[tokio::test]
async fn an_extension_stays_within_the_operators_bound() {
    own_process!("HEADCOUNT_TIMEOUT" = "exact=2m,*=1h");
    let hc = install();
    let extended = || async {
        headcount::current().unwrap().extend(10 * HOUR);
        pending::<()>().await;
    };
    let exact = headcount::task("exact").spawn(extended());
    let bounded = headcount::task("bounded").timeout(MINUTE).spawn(extended());
    tokio::task::yield_now().await;
    assert_eq!((allowed("exact"), allowed("bounded")), (Some(2 * MINUTE), Some(HOUR)));
    advance(HOUR);
    assert_eq!(outcome(exact.await), Outcome::Timeout);
    assert_eq!(outcome(bounded.await), Outcome::Timeout);
    drop(hc);
}

/// Tasks that lived before `install` have the timeout from then on.
#[tokio::test]
async fn tasks_that_live_get_a_timeout() {
    own_process!("HEADCOUNT_TIMEOUT" = "early=1h");
    let early = headcount::task("early").spawn(pending::<()>());
    let other = headcount::task("other").spawn(pending::<()>());
    let hc = install();
    advance(HOUR);
    assert_eq!(outcome(early.await), Outcome::Timeout);
    // A thread that knows the group the fast way sees the rule too.
    let later = headcount::task("early").spawn(pending::<()>());
    advance(HOUR);
    assert_eq!(outcome(later.await), Outcome::Timeout);
    assert!(!other.is_finished());
    other.abort();
    drop(hc);
}

#[tokio::test]
async fn limits_by_name_also_for_plain_spawns() {
    own_process!("HEADCOUNT_LIMIT" = "plain=1/1,EMAILS=3,wild-*=1/0");
    static EMAILS: Limit = Limit::new("EMAILS", 1).queue(5);
    static OWN: Limit = Limit::new("own", 2);
    let early = headcount::task("plain").spawn(async {});
    early.await.unwrap();
    let (lines, _guard) = Lines::capture();
    let hc = install();
    let plain = || headcount::task("plain").spawn(pending::<()>());
    let (first, second) = (plain(), plain());
    assert_eq!(outcome(plain().await), Outcome::Rejected);
    assert_eq!(group("plain").terms.unwrap().limited, 1);

    let email = headcount::task("send-email").limit(&EMAILS).spawn(async {});
    assert_eq!((EMAILS.at_once(), EMAILS.queue_length()), (3, 5));
    email.await.unwrap();
    let told = "At most 3 EMAILS at once, not 1: the operator says so";
    assert!(lines.take().iter().any(|line| line.contains(told)));

    // A wildcard is for tasks whose code has no limit, each name by itself.
    let wild = |name: &'static str| headcount::task(name).spawn(pending::<()>());
    let wilds = [wild("wild-a"), wild("wild-b")];
    assert_eq!(outcome(wild("wild-a").await), Outcome::Rejected);
    let own: Vec<_> = (0..2).map(|_| headcount::task("wild-a").limit(&OWN).spawn(pending::<()>())).collect();
    assert_eq!(OWN.running(), 2);

    // More room, while the process runs.
    hc.set_limit("plain", 2).unwrap();
    until(|| group("plain").terms.unwrap().limited == 0).await;
    assert!(hc.set_limit("plain", 0).unwrap_err().is_setting());
    hc.set_limit("EMAILS", 7).unwrap();
    assert_eq!(EMAILS.at_once(), 7);
    let new = headcount::task("new").spawn(pending::<()>());
    hc.set_limit("new", 1).unwrap();
    let counted = headcount::task("new").spawn(pending::<()>());
    let waits = headcount::task("new").spawn(pending::<()>());
    assert_eq!(group("new").terms.unwrap().limited, 1);
    [first, second, new, counted, waits].iter().for_each(tokio::task::JoinHandle::abort);
    own.iter().chain(&wilds).for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn rules_of_the_builder_count_too() {
    own_process!("HEADCOUNT_LIMIT" = "other=2");
    let builder = Headcount::builder().admin(None).signals(false);
    let hc = builder.timeout([("job", HOUR)]).limit([("job", TaskLimit::new(1).queue(0))]).install().unwrap();
    let first = headcount::task("job").spawn(pending::<()>());
    assert_eq!(allowed("job"), Some(HOUR));
    // The variable replaced the list.
    let second = headcount::task("job").spawn(async { 2 });
    assert_eq!(second.await.unwrap(), 2);
    first.abort();
    drop(hc);
}

#[test]
fn what_cannot_be_is_refused_at_install() {
    own_process!();
    let builder = || Headcount::builder().admin(None).signals(false);
    let errors = [
        builder().timeout([("job", Duration::ZERO)]).install().unwrap_err(),
        builder().timeout([("job", Duration::MAX)]).install().unwrap_err(),
        builder().limit([("job", 0)]).install().unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_setting(), "{error}");
        assert!(error.to_string().contains("job="), "{error}");
    }
}

/// Metrics of terms exist for groups that have terms, and for no others.
#[tokio::test]
async fn metrics_of_groups_that_have_terms() {
    own_process!();
    static LIMIT: Limit = Limit::new("job", 1).queue(1);
    let hc = install();
    headcount::task("plain").spawn(async {}).await.unwrap();
    let job = || headcount::task("job").limit(&LIMIT);
    let (first, second) = (job().spawn(pending::<()>()), job().spawn(pending::<()>()));
    job().spawn(async {});
    let text = hc.render_metrics();
    let samples = crate::support::samples::samples(&text);
    let of = |family: &str| {
        let found = samples.iter().filter(|((name, _), _)| name == family);
        found.map(|((_, labels), value)| (labels.clone(), *value)).collect::<Vec<_>>()
    };
    let [(labels, limited)] = &of("headcount_tasks_limited")[..] else { panic!("{text}") };
    assert_eq!((labels["task"].as_str(), *limited), ("job", 1.0));
    let rejected = of("headcount_tasks_rejected_total");
    let rejected: Vec<_> =
        rejected.iter().map(|(labels, count)| (labels["reason"].as_str(), *count)).collect();
    assert_eq!(rejected, [("duplicate", 0.0), ("full", 1.0)]);
    assert_eq!(of("headcount_task_limited_seconds_count").len(), 1);
    assert!(of("headcount_task_limited_seconds_bucket").len() <= 8);
    first.abort();
    until(|| LIMIT.waiting() == 0 && group("job").terms.unwrap().limited == 0).await;
    let text = hc.render_metrics();
    assert!(text.contains("headcount_task_limited_seconds_count{task=\"job\",kind=\"task\"} 1"), "{text}");
    second.abort();
}
