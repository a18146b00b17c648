//! Answers as the page gets them, written to `dashboard/fixtures/` for its own tests: one file a shape, each
//! with every key once empty and once not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;

use super::problem::Problem;
use super::wire::{
    Attention, AttentionLink, AttentionList, Branch, Ended, Failure, FailureGroup, FailureList, Finished,
    FinishedPage, FoldedStack, Forecast, Frame, Group, GroupLifetime, GroupTrend, Hello, LastRun, Lifetime,
    NameCount, OutcomeCounts, Progress, Rates, Rejected, RequestLimit, Runtime, Service, ServiceList,
    Shutdown, Stack, StackList, StateCounts, StatusEntry, StopList, Summary, Task, TaskDetail, TaskPage,
    TaskRef, Terms, Trends, Usual, Warning, WarningCode, time,
};
use headcount_core::ServiceState;

use crate::attention::Severity;
use crate::fresh::assert_fresh;
use crate::snapshot::{self, Kind, OnShutdown, Outcome, State};
use crate::stacks::StackResult;

fn write(name: &str, value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    assert_fresh(&format!("dashboard/fixtures/{name}.json"), &text);
}

/// So many seconds into a day that was.
fn at(seconds: u64) -> String {
    time(moment(seconds))
}

fn moment(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn outcomes(ok: u64, error: u64, panic: u64) -> snapshot::OutcomeCounts {
    let mut counts = snapshot::OutcomeCounts::default();
    counts.add(Outcome::Ok, ok);
    counts.add(Outcome::Error, error);
    counts.add(Outcome::Panic, panic);
    counts
}

fn counts(ok: u64, error: u64, panic: u64) -> OutcomeCounts {
    outcomes(ok, error, panic).into()
}

const USUAL: Usual =
    Usual { count: 4_812, p50_seconds: 0.41, p95_seconds: 1.2, p99_seconds: 3.4, at_most: false };

/// All that a task can have.
pub(super) fn full_task() -> Task {
    Task {
        id: 17,
        name: "send-email".into(),
        kind: Kind::Task,
        labels: map(&[("provider", "ses")]),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        fields: map(&[("order_id", "42"), ("hostile", "<script>alert(1)</script>\n\u{202e}")]),
        state: State::Idle,
        state_seconds: 1.1,
        cancellable: true,
        age_seconds: 3.2,
        started_at: at(100),
        busy_seconds: 0.004_1,
        polls: 12,
        status: Some("batch 3/10".into()),
        progress: Some(Progress { done: 3, total: 10 }),
        location: "src/main.rs:41".into(),
        parent: Some(4),
        on_shutdown: OnShutdown::Wait,
        grace_seconds: Some(5.0),
        timeout_seconds: Some(30.0),
        timeout_elapsed_seconds: Some(3.1),
        overdue: false,
        waits_for: Some("grace 5 s".to_owned()),
        eta_seconds: Some(0.8),
        eta_bound: Some("about"),
        usual: Some(USUAL),
        children_total: 1,
    }
}

/// As little as a task can have.
fn bare_task() -> Task {
    Task {
        id: 9,
        name: "index-rebuild".into(),
        kind: Kind::Blocking,
        labels: BTreeMap::new(),
        fields: BTreeMap::new(),
        trace_id: None,
        state: State::Running,
        state_seconds: 61.0,
        cancellable: false,
        age_seconds: 61.0,
        started_at: at(42),
        busy_seconds: 61.0,
        polls: 1,
        status: None,
        progress: None,
        location: "src/index.rs:88".into(),
        parent: None,
        on_shutdown: OnShutdown::Last,
        grace_seconds: None,
        timeout_seconds: None,
        timeout_elapsed_seconds: None,
        overdue: false,
        waits_for: None,
        eta_seconds: None,
        eta_bound: None,
        usual: None,
        children_total: 0,
    }
}

fn finished(outcome: Outcome, message: Option<&str>) -> Finished {
    Finished {
        task: full_task(),
        outcome,
        duration_seconds: 3.2,
        finished_at: at(103),
        message: message.map(Into::into),
    }
}

fn detail(outcome: Option<Outcome>) -> TaskDetail {
    let ended = outcome.is_some();
    TaskDetail {
        task: Task { children_total: usize::from(!ended), ..full_task() },
        outcome,
        duration_seconds: ended.then_some(3.2),
        finished_at: ended.then(|| at(103)),
        message: ended.then(|| "451 mailbox busy, try again later".into()),
        ancestors: vec![
            TaskRef { id: 4, name: Some("import".into()), state: Some(State::Idle), outcome: None },
            TaskRef { id: 2, name: Some("nightly".into()), state: None, outcome: Some(Outcome::Ok) },
            TaskRef { id: 1, name: None, state: None, outcome: None },
        ],
        children: if ended { Vec::new() } else { vec![bare_task()] },
        status_history: vec![
            StatusEntry { at: at(100), status: "connecting".into() },
            StatusEntry { at: at(102), status: "batch 3/10".into() },
        ],
    }
}

pub(super) fn group() -> Group {
    Group {
        id: 3,
        name: "send-email".into(),
        kind: Kind::Task,
        labels: map(&[("provider", "ses")]),
        location: "src/main.rs:41".into(),
        live: 214,
        blocked: 1,
        spawned: 5_034,
        finished: counts(4_812, 5, 3),
        polls: 60_112,
        slow_polls: 31,
        busy_seconds: 18.4,
        usual: Some(USUAL),
        oldest_age_seconds: Some(41.0),
        oldest_task: Some(17),
        last_failure: Some(Failure {
            at: at(90),
            task: 12,
            outcome: Outcome::Error,
            message: Some("451 mailbox busy, try again later".into()),
        }),
        terms: Some(Terms {
            timeout_seconds: Some(30.0),
            timeout_by_operator: true,
            limit: Some(64),
            queue: Some(1_000),
            limited: 12,
            rejected: Rejected { full: 7, duplicate: 1 },
            lifetime: LIFETIME.to_owned(),
        }),
        rates: rates(),
        warnings: warnings(),
    }
}

const LIFETIME: &str = "may live at most 30 s once admitted (64 at once, 1000 may wait), since HEADCOUNT_TIMEOUT \
    says so; at a shutdown at most 25 s more";

fn new_group() -> Group {
    Group {
        id: 4,
        name: "index-rebuild".into(),
        kind: Kind::Blocking,
        labels: BTreeMap::new(),
        location: "src/index.rs:88".into(),
        live: 0,
        blocked: 0,
        spawned: 0,
        finished: counts(0, 0, 0),
        polls: 0,
        slow_polls: 0,
        busy_seconds: 0.0,
        usual: None,
        oldest_age_seconds: None,
        oldest_task: None,
        last_failure: None,
        terms: None,
        rates: Rates::default(),
        warnings: Vec::new(),
    }
}

fn rates() -> Rates {
    Rates {
        spawned_per_second: Some(31.2),
        finished_per_second: Some(29.8),
        busy_share: Some(0.02),
        failed_share: Some(0.001),
    }
}

/// One of each.
fn warnings() -> Vec<Warning> {
    let all = [
        (WarningCode::Blocked, "1 task has not yielded for more than 1s"),
        (WarningCode::Failing, "12% of what finished in the last minute failed (31 of 258)"),
        (WarningCode::Stuck, "the oldest (#17) has run 12× longer than this group's p99 (41s against 3.4s)"),
        (WarningCode::Growing, "live grew from 12 to 214 in a minute"),
        (WarningCode::SlowPolls, "6% of polls in the last minute took more than 10ms"),
        (WarningCode::Overflow, "groups beyond the limit are counted together here"),
    ];
    let severity = |code| match code {
        WarningCode::Blocked | WarningCode::Failing => Severity::Critical,
        WarningCode::Stuck | WarningCode::Growing => Severity::Warning,
        WarningCode::SlowPolls | WarningCode::Overflow => Severity::Notice,
    };
    let warning = |(code, text): (_, &str)| Warning { code, severity: severity(code), text: text.to_owned() };
    all.into_iter().map(warning).collect()
}

/// One of each kind of link.
fn attention() -> Vec<Attention> {
    let link = |view| AttentionLink { view, task: None, query: None, group: None };
    vec![
        Attention {
            severity: Severity::Critical,
            sentence: "index-rebuild #9 has not yielded for 5 m".to_owned(),
            since: Some(at(10)),
            location: Some("src/index.rs:88".to_owned()),
            link: AttentionLink { task: Some(9), ..link("task") },
        },
        Attention {
            severity: Severity::Critical,
            sentence: "12 tasks of thumbnail have not yielded for up to 4 s".to_owned(),
            since: Some(at(96)),
            location: Some("src/images.rs:12".to_owned()),
            link: AttentionLink { query: Some("state:blocked group:7".to_owned()), ..link("tasks") },
        },
        Attention {
            severity: Severity::Warning,
            sentence: "send-email: 12 % of what finished in the last minute failed (31 of 258)".to_owned(),
            since: None,
            location: Some("src/main.rs:41".to_owned()),
            link: AttentionLink {
                query: Some("group:3 outcome:error,panic,timeout".to_owned()),
                ..link("finished")
            },
        },
        Attention {
            severity: Severity::Notice,
            sentence: "send-email: 6 % of polls in the last minute took more than 10 ms: yield, or use \
                       spawn_blocking"
                .to_owned(),
            since: None,
            location: None,
            link: AttentionLink { group: Some(3), ..link("group") },
        },
        Attention {
            severity: Severity::Warning,
            sentence: "send-email: 80 tasks wait for the limit of 4, the first (#17) for 1.2 s; its queue has 100 places"
                .to_owned(),
            since: Some(at(98)),
            location: Some("src/main.rs:41".to_owned()),
            link: AttentionLink { query: Some("state:limited group:3".to_owned()), ..link("tasks") },
        },
        Attention {
            severity: Severity::Warning,
            sentence: "send-email: 9 tasks were rejected in the last minute: its limit allows 4 at once, and 100 that wait"
                .to_owned(),
            since: None,
            location: Some("src/main.rs:41".to_owned()),
            link: AttentionLink { query: Some("group:3 outcome:rejected".to_owned()), ..link("finished") },
        },
        Attention {
            severity: Severity::Warning,
            sentence:
                "consumer has failed 4 times in a row (the last ended as error), the next restart is in 3.8 s"
                    .to_owned(),
            since: Some(at(96)),
            location: Some("src/main.rs:12".to_owned()),
            link: link("services"),
        },
    ]
}

fn forecast(is_stopping: bool) -> Forecast {
    let hold = |task, name: &str, count, eta, reason: &str| crate::forecast::Hold {
        task,
        name: name.into(),
        count,
        eta,
        reason: reason.to_owned(),
    };
    Forecast::from(&crate::forecast::Forecast {
        within: Some(25.0),
        done: 34,
        done_in: Some(6.2),
        band: Some((4.1, 9.8)),
        will_be_cut: vec![hold(Some(9), "index-rebuild", 1, Some(270.0), "about 4 m 30 s at its pace")],
        cannot_abort: vec![hold(None, "resize-video", 2, None, "cannot be aborted")],
        unknown: 1,
        unknown_names: vec![("demo::main".into(), 1)],
        expected_abandoned: 3.2,
        cut: 3,
        is_stopping,
    })
}

fn failures() -> FailureList {
    let group = |message: Option<&str>, outcome, count| FailureGroup {
        name: "send-email".into(),
        message: message.map(Into::into),
        outcome,
        count,
        first: at(20),
        last: at(103),
        last_task: 17,
    };
    let items = vec![
        group(Some("451 mailbox busy, try again later"), Outcome::Error, 866),
        group(None, Outcome::Panic, 1),
    ];
    FailureList { items }
}

fn hello() -> Hello {
    Hello {
        service: "shop-api".to_owned(),
        version: "0.1.0",
        instance: "5f2c8a1b9d3e4f60".to_owned(),
        pid: 4_711,
        started_at: at(0),
    }
}

fn lifetime() -> Lifetime {
    Lifetime {
        signals: vec!["SIGINT", "SIGTERM"],
        drain_timeout_seconds: Some(25.0),
        announce_delay_seconds: 0.0,
        abort_grace_seconds: 1.0,
        hook_timeout_seconds: 1.0,
        exit_after_seconds: Some(29.0),
        platform_grace_seconds: Some(30.0),
        linger: "off".to_owned(),
        late_spawns: "adopt".to_owned(),
        request_limit: Some(RequestLimit { limit: 10_000, admitted: 812 }),
        sentences: super::summary::sentences(&crate::settings::Settings::default()),
        groups: vec![GroupLifetime { id: 3, name: "send-email".into(), sentence: LIFETIME.to_owned() }],
    }
}

pub(super) fn summary(stage: &'static str, shutdown: Option<Shutdown>) -> Summary {
    Summary {
        process: hello(),
        uptime_seconds: 273_600.0,
        stage,
        live: 214,
        blocked: 1,
        states: StateCounts { queued: 3, idle: 208, running: 2, blocked: 1, limited: 0 },
        spawned: 5_034,
        finished: counts(4_812, 5, 3),
        untracked: Some(7),
        runtimes: vec![runtime()],
        runtimes_total: 1,
        rates: rates(),
        groups: vec![group(), new_group()],
        groups_total: 2,
        lifetime: lifetime(),
        attention: attention(),
        forecast: Some(forecast(shutdown.is_some())),
        shutdown,
        trace_url: Some("https://jaeger.example/trace/{trace_id}".to_owned()),
        actions: true,
        services: 3,
        permissions: vec!["cancel", "shutdown", "run"],
    }
}

fn runtime() -> Runtime {
    Runtime { number: 1, name: "main".into(), workers: 8, alive: 221, queue_depth: 0, silent_seconds: None }
}

fn empty_summary() -> Summary {
    Summary {
        live: 0,
        blocked: 0,
        states: StateCounts::default(),
        spawned: 0,
        finished: counts(0, 0, 0),
        untracked: None,
        runtimes: Vec::new(),
        runtimes_total: 0,
        rates: Rates::default(),
        groups: Vec::new(),
        groups_total: 0,
        attention: Vec::new(),
        forecast: Some(Forecast::from(&crate::forecast::Forecast {
            within: Some(25.0),
            done_in: Some(0.0),
            band: Some((0.0, 0.0)),
            ..crate::forecast::Forecast::default()
        })),
        trace_url: None,
        actions: false,
        services: 0,
        permissions: Vec::new(),
        ..summary("running", None)
    }
}

pub(super) fn shutdown(stage: &'static str) -> Shutdown {
    Shutdown {
        reason: "SIGTERM".to_owned(),
        started_at: at(200),
        elapsed_seconds: 4.1,
        stage,
        deadline_at: Some(at(225)),
        remaining_seconds: Some(20.9),
        budget_seconds: Some(25.0),
        exit_at: Some(at(229)),
        forced_by: None,
        total: 56,
        ended: 41,
        pending: 15,
        pending_requests: 1,
        estimate_seconds: Some(6.0),
        told_in_seconds: None,
        forecast_at_start_seconds: Some(8.2),
        took_seconds: None,
        burn_down: vec![(0.0, 56), (1.0, 41), (2.5, 28), (4.1, 15)],
        tasks: vec![bare_task(), full_task()],
        rest: vec![
            NameCount { name: "send-email".into(), count: 12 },
            NameCount { name: "thumbnail".into(), count: 1 },
        ],
        recently_ended: vec![Ended {
            id: 12,
            name: "push".into(),
            outcome: Outcome::Ok,
            duration_seconds: 4.0,
        }],
        report: None,
    }
}

fn endless_shutdown() -> Shutdown {
    Shutdown {
        reason: "the moon is full".to_owned(),
        deadline_at: None,
        remaining_seconds: None,
        budget_seconds: None,
        exit_at: None,
        forced_by: Some("SIGINT".to_owned()),
        estimate_seconds: None,
        told_in_seconds: None,
        forecast_at_start_seconds: None,
        took_seconds: None,
        tasks: Vec::new(),
        rest: Vec::new(),
        recently_ended: Vec::new(),
        ..shutdown("aborting")
    }
}

fn report() -> crate::Report {
    let abandoned = report_task(9, Kind::Blocking, None, false);
    let full = report_task(17, Kind::Task, Some("batch 3/10"), true);
    crate::Report {
        service: "shop-api".into(),
        instance: "5f2c8a1b9d3e4f60".into(),
        pid: 4_711,
        reason: "SIGTERM".into(),
        result: crate::ShutdownOutcome::Forced,
        forced_by: Some("SIGINT"),
        exit_code: 130,
        critical_service: Some("consumer".into()),
        started_at: moment(200),
        duration: Duration::from_millis(9_800),
        forecast_at_start: Some(Duration::from_millis(8_200)),
        ended: outcomes(41, 2, 1),
        connections_closed: 5,
        late_spawns: 3,
        refused_spawns: 0,
        abandoned_total: 1_204,
        abandoned: [abandoned, full].into(),
        detached_total: 1,
        detached: [report_task(21, Kind::Local, None, false)].into(),
        untracked: 0,
    }
}

/// The report of a shutdown that was not forced and left no task behind.
fn drained_report() -> crate::Report {
    crate::Report {
        result: crate::ShutdownOutcome::Drained,
        forecast_at_start: None,
        forced_by: None,
        exit_code: 0,
        critical_service: None,
        abandoned_total: 0,
        abandoned: [].into(),
        detached_total: 0,
        detached: [].into(),
        ..report()
    }
}

#[test]
fn stacks() {
    let frame = |function: &str, location: Option<&str>, library: Option<&str>| Frame {
        function: function.into(),
        location: location.map(Into::into),
        library: library.map(Into::into),
    };
    let leaf = |frames: Vec<Frame>, draining: bool| Branch { frames, draining, branches: Vec::new() };
    let branches = || {
        vec![Branch {
            frames: vec![frame("shop::mail::run", Some("src/mail.rs:80"), None)],
            draining: false,
            branches: vec![
                leaf(vec![frame("draining", None, Some("headcount"))], true),
                leaf(
                    vec![
                        frame("shop::mail::send", Some("src/mail.rs:88"), None),
                        frame(
                            "tokio::sync::semaphore::Semaphore::acquire",
                            Some("tokio-1.54.1/src/sync/semaphore.rs:624"),
                            Some("tokio"),
                        ),
                    ],
                    false,
                ),
            ],
        }]
    };
    let text = "waits in shop::mail::run → shop::mail::send → Semaphore::acquire (src/mail.rs:88)";
    let stack = Stack {
        id: 17,
        name: "send-email".into(),
        kind: Kind::Task,
        captured_at: at(103),
        result: StackResult::Waits,
        text: text.to_owned(),
        branches: branches(),
        lost: 1,
        cut: true,
    };
    write("stack", &stack);
    let blocked = Stack {
        result: StackResult::Blocked,
        text: "blocked in fsync(2) of /var/lib/app/wal".to_owned(),
        branches: Vec::new(),
        lost: 0,
        cut: false,
        ..stack
    };
    write("stack-blocked", &blocked);
    let folded = FoldedStack {
        count: 12,
        result: StackResult::Waits,
        text: text.to_owned(),
        names: vec!["send-email".into()],
        ids: vec![2, 3, 17],
        branches: branches(),
    };
    let list = StackList {
        captured_at: at(104),
        took_seconds: 0.012,
        tasks: 1_200_000,
        asked: 1_000,
        refused: 2,
        stacks: vec![folded],
    };
    write("stacks", &list);
}

fn report_task(id: u64, kind: Kind, status: Option<&str>, aborted: bool) -> crate::ReportTask {
    let said = status.is_some();
    crate::ReportTask {
        id,
        name: "index-rebuild".into(),
        kind,
        labels: if said { map(&[("provider", "ses")]) } else { BTreeMap::new() },
        fields: if said { map(&[("order_id", "42")]) } else { BTreeMap::new() },
        trace_id: said.then(|| "4bf92f3577b34da6a3ce929d0e0e4736".into()),
        age: Duration::from_millis(61_400),
        status: status.map(Into::into),
        progress: said.then_some(snapshot::Progress::new(3, 10)),
        location: "src/index.rs:88".into(),
        reason: if aborted {
            "cut by the deadline"
        } else {
            "cut by the deadline, still inside a poll for 5m 50s"
        }
        .into(),
        waits: said.then(|| "waits in shop::index::rebuild → Semaphore::acquire (src/index.rs:88)".into()),
        aborted,
    }
}

/// All that a service can have.
fn service() -> Service {
    Service {
        id: 1,
        name: "consumer".into(),
        kind: Kind::Service,
        location: "src/main.rs:12".into(),
        state: ServiceState::BackingOff,
        state_seconds: 4.2,
        critical: true,
        on_shutdown: OnShutdown::Wait,
        restart: Some("on_failure"),
        period_seconds: None,
        timeout_seconds: None,
        task: None,
        running_seconds: None,
        last: Some(LastRun {
            task: Some(12),
            outcome: Outcome::Error,
            message: Some("connection refused".into()),
            duration_seconds: 61.0,
            ended_at: at(96),
        }),
        last_success_at: None,
        next_in_seconds: Some(3.8),
        runs: 4,
        failures: 4,
        failures_in_a_row: 4,
        restarts: 3,
        skipped: 0,
        overruns: 0,
    }
}

/// Timers: one between two runs, and one in its first.
fn timers() -> [Service; 2] {
    let waits = Service {
        id: 2,
        name: "refresh-cache".into(),
        kind: Kind::Timer,
        state: ServiceState::Waiting,
        critical: false,
        restart: None,
        period_seconds: Some(30.0),
        timeout_seconds: Some(20.0),
        last: Some(LastRun {
            task: Some(14),
            outcome: Outcome::Ok,
            message: None,
            duration_seconds: 1.2,
            ended_at: at(98),
        }),
        last_success_at: Some(at(98)),
        next_in_seconds: Some(24.0),
        runs: 812,
        failures: 3,
        failures_in_a_row: 0,
        restarts: 0,
        skipped: 2,
        overruns: 1,
        ..service()
    };
    let runs = Service {
        id: 3,
        name: "report".into(),
        kind: Kind::Timer,
        state: ServiceState::Running,
        critical: false,
        restart: None,
        period_seconds: Some(3_600.0),
        task: Some(17),
        running_seconds: Some(3.2),
        last: None,
        next_in_seconds: None,
        runs: 1,
        failures: 0,
        failures_in_a_row: 0,
        restarts: 0,
        ..service()
    };
    [waits, runs]
}

fn trends() -> Trends {
    Trends {
        interval_seconds: 5.0,
        until: at(300),
        live: vec![180, 200, 214],
        finished_per_second: vec![28.4, 30.0, 29.8],
        failed_per_second: vec![0.0, 0.2, 0.0],
        busy_share: vec![0.02, 0.021, 0.02],
        groups: vec![GroupTrend {
            id: 3,
            live: vec![180, 200, 214],
            finished_per_second: vec![28.4, 30.0, 29.8],
        }],
    }
}

#[test]
fn the_fixtures_of_the_page_are_fresh() {
    write("hello", &hello());
    write("summary", &summary("running", None));
    write("summary-empty", &empty_summary());
    write("summary-draining", &summary("draining", Some(shutdown("draining"))));
    write("summary-forced", &summary("aborting", Some(endless_shutdown())));
    write(
        "tasks",
        &TaskPage { total: 1_284, items: vec![full_task(), bare_task()], next: Some("11-2a".to_owned()) },
    );
    let items = vec![
        finished(Outcome::Ok, None),
        finished(Outcome::Error, Some("451 mailbox busy, try again later")),
        finished(Outcome::Panic, Some("the push service answered with something unheard of")),
        finished(Outcome::Cancelled, None),
        finished(Outcome::Abandoned, None),
    ];
    write("finished", &FinishedPage { total: 5, items, next: None });
    write("task", &detail(None));
    write("task-finished", &detail(Some(Outcome::Error)));
    write("trends", &trends());
    write("attention", &AttentionList { items: attention() });
    write("forecast", &forecast(false));
    write("failures", &failures());
    let [waits, runs] = timers();
    write("services", &ServiceList { items: vec![service(), waits, runs] });
    write("problem", &Problem::not_found("no task 4711, or it has ended and the history holds it no more"));
}

#[test]
fn the_fixtures_of_reports_are_fresh() {
    let (full, bare) = (json!(report()), json!(drained_report()));
    let keys = |report: &serde_json::Value| report.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&full), keys(&bare));
    write("report", &report());
    write("stops", &StopList { items: vec![json!(report()), json!(drained_report())] });
    write("report-drained", &drained_report());
    let done = Shutdown {
        report: Some(report()),
        took_seconds: Some(9.8),
        pending: 0,
        tasks: Vec::new(),
        ..shutdown("done")
    };
    write("summary-done", &summary("done", Some(done)));
}

/// Every key of the tasks is there, whatever they lack.
#[test]
fn a_bare_task_has_all_the_keys_of_a_full_one() {
    let keys = |task: Task| json!(task).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(full_task()), keys(bare_task()));
}
