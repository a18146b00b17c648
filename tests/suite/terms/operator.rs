//! `HEADCOUNT_TIMEOUT`, `HEADCOUNT_LIMIT` and `set_limit`: the operator wins, and says so.

use std::future::pending;
use std::time::Duration;

use headcount::settings::TaskLimit;
use headcount::snapshot::{Outcome, TaskQuery};
use headcount::testing::advance;
use headcount::{Headcount, Limit, OnShutdown, SetBy};

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
    ];
    tasks.push(headcount::spawn(pending::<()>()));
    let found: Vec<_> =
        ["exact", "free", "short", "long", "plain", "site", "last", "loop", "detached", "socket"]
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
    ];
    assert_eq!(found, expected);
    let lines = lines.take();
    let told = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(told("exact may run for 2m 0s, not 60s: HEADCOUNT_TIMEOUT says so"), 1, "{lines:#?}");
    assert_eq!(told("free has no timeout, not 60s: HEADCOUNT_TIMEOUT says so"), 1, "{lines:#?}");
    assert_eq!(told("long may run for 60m 0s, not 5h 0m: HEADCOUNT_TIMEOUT says so"), 1, "{lines:#?}");
    advance(2 * HOUR);
    until(|| headcount::snapshot().finished.timeout == 7).await;
    assert_eq!(headcount::snapshot().live, 4);
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
    let told = "At most 3 EMAILS at once, not 1: HEADCOUNT_LIMIT says so";
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

/// Names that come from outside cannot grow the rules for ever.
#[tokio::test]
async fn the_number_of_names_with_limits_is_bounded() {
    own_process!("HEADCOUNT_LIMIT" = "first=2");
    let hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    for n in 1..1000 {
        hc.set_limit(format!("tenant-{n}"), 5).unwrap();
    }
    let error = hc.set_limit("tenant-1000", 5).unwrap_err();
    assert!(error.is_setting(), "{error}");
    assert_eq!(error.to_string(), "limit of tenant-1000=5: expected at most 1000 names with limits");
    // Those that there are change as before.
    hc.set_limit("first", 1).unwrap();
    hc.set_limit("tenant-7", 1).unwrap();
    let holds = headcount::task("tenant-7").spawn(pending::<()>());
    let waits = headcount::task("tenant-7").spawn(pending::<()>());
    assert_eq!(group("tenant-7").terms.unwrap().limited, 1);
    [holds, waits].iter().for_each(tokio::task::JoinHandle::abort);
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

/// A list that cannot be read is an error that names the setting and the value, and nothing begins.
#[test]
fn malformed_lists_are_refused_at_install() {
    own_process!();
    let lists = [
        ("HEADCOUNT_LIMIT", "x"),
        ("HEADCOUNT_LIMIT", "job=0"),
        ("HEADCOUNT_LIMIT", "job=4/x"),
        ("HEADCOUNT_LIMIT", "job=4/"),
        ("HEADCOUNT_LIMIT", "job=/4"),
        ("HEADCOUNT_LIMIT", "job=-1"),
        ("HEADCOUNT_LIMIT", "job="),
        ("HEADCOUNT_LIMIT", "=4"),
        ("HEADCOUNT_LIMIT", "job=99999999999999999999999"),
        ("HEADCOUNT_LIMIT", "good=1,job=4/5/6"),
        ("HEADCOUNT_TIMEOUT", "x"),
        ("HEADCOUNT_TIMEOUT", "job=0"),
        ("HEADCOUNT_TIMEOUT", "job=0s"),
        ("HEADCOUNT_TIMEOUT", "job=soon"),
        ("HEADCOUNT_TIMEOUT", "job=-1s"),
        ("HEADCOUNT_TIMEOUT", "job="),
        ("HEADCOUNT_TIMEOUT", "=1s"),
        ("HEADCOUNT_TIMEOUT", "good=1s,job=501years"),
    ];
    for (variable, list) in lists {
        // In processes of their own, so that the environment of this one stays as it is.
        let (name, list) = ("terms::operator::child_that_installs", [(variable, list)]);
        let said = crate::support::alone::run_alone(name, &list, Duration::from_secs(60)).unwrap();
        let said = said
            .lines()
            .find(|line| line.starts_with("refused: "))
            .unwrap_or_else(|| panic!("{list:?}: {said}"));
        let about = format!("{variable}={}: expected ", list[0].1);
        assert!(said.contains(&about), "{said}");
    }
    // Empty parts and spaces are no entries.
    let sound = [("HEADCOUNT_LIMIT", " , job = 4 / 5 ,, "), ("HEADCOUNT_TIMEOUT", ",job=1h,")];
    let said = crate::support::alone::run_alone(
        "terms::operator::child_that_installs",
        &sound,
        Duration::from_secs(60),
    );
    let said = said.unwrap();
    assert!(said.contains("limit 4/5, timeout 3600s"), "{said}");
}

#[tokio::test]
async fn child_that_installs() {
    if std::env::var_os("HEADCOUNT_LIMIT").or(std::env::var_os("HEADCOUNT_TIMEOUT")).is_none() {
        return;
    }
    let installed = Headcount::builder().admin(None).signals(false).install();
    let Err(error) = installed else {
        let job = headcount::task("job").spawn(pending::<()>());
        let terms = group("job").terms.unwrap();
        let (limit, queue, timeout) = (terms.limit.unwrap(), terms.queue.unwrap(), terms.timeout.unwrap());
        println!("limit {limit}/{queue}, timeout {}s", timeout.as_secs());
        job.abort();
        return;
    };
    assert!(error.is_setting(), "{error}");
    println!("refused: {error}");
    // What was refused holds for nothing.
    assert!(headcount::task("job").spawn(async {}).await.is_ok());
}

/// A limit of the code that a rule for the task's own name replaces is named.
#[tokio::test]
async fn a_replaced_limit_is_logged_once() {
    own_process!("HEADCOUNT_LIMIT" = "send-email=1/0,free=none");
    static EMAILS: Limit = Limit::new("EMAILS", 5);
    let (lines, _guard) = Lines::capture();
    let hc = install();
    lines.take();
    let spawn = |name: &'static str| headcount::task(name).limit(&EMAILS).spawn(pending::<()>());
    let mut tasks = vec![spawn("send-email"), spawn("free"), spawn("other")];
    assert_eq!(outcome(spawn("send-email").await), Outcome::Rejected);
    tasks.push(spawn("free"));
    assert_eq!(EMAILS.running(), 1, "that of the task without a rule");
    let lines = lines.take();
    let told = |text: &str| lines.iter().filter(|line| line.ends_with(text)).count();
    let replaced = "send-email has a limit of 1 at once, not the limit EMAILS of 5: HEADCOUNT_LIMIT says so";
    assert_eq!(told(replaced), 1, "{lines:#?}");
    assert_eq!(
        told("free has no limit, not the limit EMAILS of 5: HEADCOUNT_LIMIT says so"),
        1,
        "{lines:#?}"
    );
    assert_eq!(told("says so"), 2, "{lines:#?}");
    // And once more when it changes.
    hc.set_limit("send-email", 2).unwrap();
    tasks.push(spawn("send-email"));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A name that nothing has may be misspelt.
#[tokio::test]
async fn a_limit_for_an_unknown_name_is_warned_of() {
    own_process!("HEADCOUNT_LIMIT" = "ruled=3");
    static OWN: Limit = Limit::new("own", 5);
    let hc = install();
    headcount::task("job").limit(&OWN).spawn(async {}).await.unwrap();
    let (lines, _guard) = Lines::capture();
    for name in ["job", "own", "ruled", "jo*"] {
        hc.set_limit(name, 2).unwrap();
    }
    let unknown =
        |lines: Vec<String>| lines.into_iter().filter(|line| line.contains("WARN")).collect::<Vec<_>>();
    assert_eq!(unknown(lines.take()), [""; 0]);
    hc.set_limit("jbo", 2).unwrap();
    let said = "WARN headcount: set_limit: no task and no limit is named jbo so far; at most 2 of those to come run at once";
    assert_eq!(unknown(lines.take()), [said]);
    // It holds, and is known from now on.
    hc.set_limit("jbo", 1).unwrap();
    assert_eq!(unknown(lines.take()), [""; 0]);
    let first = headcount::task("jbo").try_spawn(pending::<()>()).unwrap();
    assert!(headcount::task("jbo").try_spawn(async {}).unwrap_err().is_full());
    first.abort();
}

/// Where a timeout and a limit come from is as it was set.
#[tokio::test]
async fn what_set_them_is_known() {
    own_process!("HEADCOUNT_LIMIT" = "by-variable=3");
    static OWN: Limit = Limit::new("own", 5);
    let builder = Headcount::builder().admin(None).signals(false);
    let hc = builder.timeout([("by-builder", HOUR), ("*", 2 * HOUR)]).install().unwrap();
    let builder = |name: &'static str| headcount::task(name);
    let tasks = [
        builder("by-builder").spawn(pending::<()>()),
        builder("by-variable").timeout(HOUR).spawn(pending::<()>()),
        builder("by-code").timeout(3 * HOUR).limit(&OWN).spawn(pending::<()>()),
    ];
    let of = |name: &str| {
        let terms = group(name).terms.unwrap();
        (terms.timeout, terms.timeout_set_by, terms.limit, terms.limit_set_by)
    };
    let (code, builder) = (Some(SetBy::Code), Some(SetBy::Builder));
    assert_eq!(of("by-builder"), (Some(HOUR), builder, None, None));
    assert_eq!(of("by-variable"), (Some(HOUR), code, Some(3), Some(SetBy::Variable)));
    assert_eq!(of("by-code"), (Some(2 * HOUR), builder, Some(5), code));
    hc.set_limit("own", 7).unwrap();
    assert_eq!(of("by-code").2, Some(7));
    assert_eq!(of("by-code").3, Some(SetBy::Call));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
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
