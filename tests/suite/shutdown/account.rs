//! Whatever is cut is in the log, the report, the hook, the metrics and the API, and their sums agree.

use std::collections::{HashMap, HashSet};
use std::net::TcpStream;

use nix::sys::signal::Signal::SIGTERM;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::http::get;
use crate::support::process::{End, Process, WAITING, command, report, term};

const CASES: u32 = 6;
/// Situations of a case.
const AT_ONCE: usize = 5;

#[derive(Clone, Debug)]
struct Situation {
    tasks: Vec<String>,
    drain_timeout: u64,
    refuses: bool,
    /// A second signal comes so long after the first.
    force_after: Option<u64>,
}

/// Tasks of which none ends before it is told.
fn task() -> impl Strategy<Value = String> {
    let name = "(mail|push|index)";
    prop_oneof![
        4 => (name, 0u64..900).prop_map(|(name, ms)| format!("wait {name} {ms}")),
        2 => name.prop_map(|name| format!("forever {name}")),
        1 => name.prop_map(|name| format!("cancel {name}")),
        1 => name.prop_map(|name| format!("detach {name} 600000")),
        2 => (name, 0u64..1_500).prop_map(|(name, ms)| format!("last {name} {ms}")),
        1 => (name, 0u64..300).prop_map(|(name, ms)| format!("last-grace {name} {ms}")),
        2 => (name, 0u64..300).prop_map(|(name, ms)| format!("grace {name} {ms}")),
        1 => name.prop_map(|name| format!("connection {name}")),
        1 => (name, 0u64..300).prop_map(|(name, ms)| format!("closes {name} {ms}")),
        1 => name.prop_map(|name| format!("blocking {name} 600000")),
        1 => name.prop_map(|name| format!("late {name}")),
        1 => (name, 1u64..50).prop_map(|(name, count)| format!("late-burst {name} {count}")),
        1 => (name, 0u64..300).prop_map(|(name, ms)| format!("panic {name} {ms}")),
        1 => name.prop_map(|name| format!("queued {name} 3")),
        1 => (name, 0u64..900).prop_map(|(name, ms)| format!("times-out {name} {ms}")),
        1 => name.prop_map(|name| format!("family {name} 3")),
    ]
}

fn situation() -> impl Strategy<Value = Situation> {
    let tasks = prop::collection::vec(task(), 0..12);
    (tasks, 600u64..1_500, any::<bool>(), prop::option::of(50u64..500)).prop_map(
        |(tasks, drain_timeout, refuses, force_after)| Situation {
            tasks,
            drain_timeout,
            refuses,
            force_after,
        },
    )
}

#[test]
fn log_report_hook_metrics_and_api_agree() {
    own_process!();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let at_once = prop::collection::vec(situation(), AT_ONCE);
    TestRunner::new(config).run(&at_once, |situations| check_all(&situations)).unwrap();
}

/// Each in a process of its own, all at once, since they wait most of the time.
fn check_all(situations: &[Situation]) -> Result<(), TestCaseError> {
    std::thread::scope(|scope| {
        let checks: Vec<_> = situations.iter().map(|situation| scope.spawn(|| check(situation))).collect();
        checks.into_iter().try_for_each(|check| check.join().unwrap())
    })
}

fn check(situation: &Situation) -> Result<(), TestCaseError> {
    let mut arguments: Vec<&str> = situation.tasks.iter().map(String::as_str).collect();
    arguments.extend(["--main account", "--hook writes"]);
    let mut command = command(&arguments);
    command.envs([("HEADCOUNT_ADMIN", "127.0.0.1:0"), ("HEADCOUNT_CONNECTION_GRACE", "200ms")]);
    command.env("HEADCOUNT_DRAIN_TIMEOUT", format!("{}ms", situation.drain_timeout));
    command.envs([("HEADCOUNT_EXIT_AFTER", "30s"), ("HEADCOUNT_HOOK_TIMEOUT", "20s")]);
    command.env("HEADCOUNT_LATE_SPAWNS", if situation.refuses { "refuse" } else { "adopt" });
    let mut process = Process::spawn(command);
    let address = process.admin();
    process.wait_for("ready");
    process.signal(SIGTERM);
    if let Some(after) = situation.force_after {
        process.wait_for("Shutting down");
        std::thread::sleep(std::time::Duration::from_millis(after));
        process.signal(SIGTERM);
    }
    let goes_on = process.address("goes on ");
    let summary = get(address, "/api/v1/summary").json();
    TcpStream::connect(goes_on).unwrap();
    let end = process.end();
    let report = report(&end);
    agree(&end, &report, &summary).map_err(|problem| {
        TestCaseError::fail(format!("{problem}\n{situation:#?}\n{report:#}\n{:#?}", end.log()))
    })
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn agree(end: &End, report: &Value, summary: &Value) -> Result<(), String> {
    let same = |what: &str, one: u64, other: u64| {
        if one == other { Ok(()) } else { Err(format!("{what}: {one} is not {other}")) }
    };
    let ended: HashMap<&str, u64> = report["ended"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, count)| (key.as_str(), number(count)))
        .collect();
    let all_ended: u64 = ended.values().sum();
    let (abandoned, closed) = (number(&report["abandoned_total"]), number(&report["connections_closed"]));
    let refused = number(&report["refused_spawns"]);

    // The log: each task that was cut by its name, and the sums in the last line.
    let log = end.log();
    for task in report["abandoned"].as_array().unwrap() {
        let named = format!("  {} #{} abandoned after ", task["name"].as_str().unwrap(), task["id"]);
        if !log.iter().any(|line| line.starts_with(&named)) {
            return Err(format!("no line {named:?}"));
        }
    }
    let last = log.iter().rfind(|line| line.contains(" completed")).ok_or("no last line")?;
    let sums = last.split_once('(').and_then(|(_, rest)| rest.split_once(')')).ok_or("no sums")?.0;
    let sum = |word: &str| {
        let part = sums.split(", ").find(|part| part.ends_with(word));
        part.map_or(0, |part| part.split(' ').next().unwrap().parse::<u64>().unwrap())
    };
    same("completed", sum("completed"), ended["ok"])?;
    same("failed", sum("failed"), ended["error"])?;
    same("panicked", sum("panicked"), ended["panic"])?;
    same("cancelled", sum("cancelled"), ended["cancelled"])?;
    same("timed out", sum("timed out"), ended["timeout"])?;
    same("rejected", sum("rejected"), ended["rejected"])?;
    same("closed", sum("closed"), closed)?;
    same("abandoned", sum("abandoned"), abandoned)?;
    if last.starts_with("All") && 0 < abandoned {
        return Err(format!("untrue: {last}"));
    }
    let said_refused: u64 = log
        .iter()
        .filter(|line| line.starts_with("Spawn of "))
        .map(|line| {
            line.split_once(" ×").map_or(1, |(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
        })
        .sum();
    same("refused in the log", said_refused, refused)?;

    handed_over(end, report)?;

    // The metrics, of the moment of the report.
    let metrics: String =
        serde_json::from_str(end.lines.iter().find_map(|line| line.strip_prefix("metrics ")).unwrap())
            .unwrap();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers")]
    let total = |name: &str| -> u64 {
        let samples = metrics.lines().filter(|line| line.starts_with(name));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    };
    same("abandoned in the metrics", total("headcount_shutdown_abandoned_total{"), abandoned)?;
    let dropped =
        report["abandoned"].as_array().unwrap().iter().filter(|task| task["aborted"] == true).count();
    let expected = all_ended + closed + dropped as u64 + refused;
    // What was still there at the report may end before the metrics are read.
    let left = report["abandoned"].as_array().unwrap().len() - dropped;
    let finished = total("headcount_tasks_finished_total{");
    if !(expected..=expected + left as u64).contains(&finished) {
        return Err(format!("finished in the metrics: {finished} is not {expected}, with {left} left"));
    }

    // The API has the same report, and its own sums.
    let shutdown = &summary["shutdown"];
    if shutdown["report"] != *report {
        return Err(format!("the API has another report: {:#}", shutdown["report"]));
    }
    same("ended in the API", number(&shutdown["ended"]), all_ended + closed)?;

    // The exit code follows.
    let code = match report["result"].as_str().unwrap() {
        "forced" => 143,
        "deadline" => 124,
        _ => 0,
    };
    same("exit code", u64::try_from(end.code.unwrap()).unwrap(), code)?;
    same("exit code in the report", number(&report["exit_code"]), code)
}

/// The hook had each task of the report, and besides those only tasks that were cut and ended on their own
/// after all; each once.
fn handed_over(end: &End, report: &Value) -> Result<(), String> {
    let list = report["abandoned"].as_array().unwrap();
    let reported: HashSet<u64> = list.iter().map(|task| number(&task["id"])).collect();
    let ids = end.lines.iter().filter_map(|line| line.strip_prefix("handed-id "));
    let handed: Vec<u64> = ids.map(|id| id.parse().unwrap()).collect();
    let once: HashSet<u64> = handed.iter().copied().collect();
    let cut: HashSet<u64> = end
        .log()
        .iter()
        .filter_map(|line| line.split_once(" abandoned after ")?.0.rsplit_once('#')?.1.parse().ok())
        .collect();
    if reported.len() as u64 != number(&report["abandoned_total"]) {
        return Err(format!("the report does not list all: {reported:?}"));
    }
    if handed.len() != once.len() || !reported.is_subset(&once) || !once.is_subset(&cut) {
        return Err(format!("cut {cut:?}, handed over {handed:?}, reported {reported:?}"));
    }
    Ok(())
}

#[test]
fn a_grace_that_ran_out_leaves_the_exit_code() {
    own_process!();
    let settings = [("HOOK_TIMEOUT", "20s"), ("ABORT_GRACE", "20s")];
    let tasks = ["grace impatient 200", "wait send-email 3000"];
    let mut process = crate::support::process::start(&settings, &tasks);
    process.signal(SIGTERM);
    process.wait_for(WAITING);
    process.end().exited_with(0).logged(&["Background tasks ended in ~s (1 completed, 1 abandoned)"]);
}

/// All of them are aborted in one moment, which is the last.
#[test]
fn what_is_dropped_at_the_very_end_is_in_the_report_as_dropped() {
    own_process!();
    let mut arguments = vec!["last-grace batcher 300"; 64];
    for drain_timeout in ["10s", "100ms"] {
        let settings = [("DRAIN_TIMEOUT", drain_timeout), ("HOOK_TIMEOUT", "20s"), ("ABORT_GRACE", "20s")];
        let end = term(&settings, &arguments);
        let report = report(&end);
        let abandoned = report["abandoned"].as_array().unwrap();
        let dropped = abandoned.iter().filter(|task| task["aborted"] == true).count();
        assert_eq!(
            (dropped, &report["abandoned_total"]),
            (arguments.len(), &arguments.len().into()),
            "{report:#}"
        );
        // What ends in the other way ends it later.
        arguments.push("forever loop");
    }
}

/// A spawn that is refused while its only poll runs counts as what it was in the end.
#[test]
fn a_spawn_that_is_refused_counts_by_how_it_ended() {
    own_process!();
    use headcount_core::internal::registry::registry;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let _entered = runtime.enter();
    let (begun, begins) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let quick = headcount::task("quick").spawn(async move {
        begun.send(headcount::current().unwrap().id()).unwrap();
        ends.recv().unwrap_err();
    });
    // What a spawn does that finds the process stopping.
    let refuse = |id: headcount::TaskId| {
        let task = registry().find(id.get()).unwrap();
        task.refuse();
        task.abort();
    };
    refuse(begins.recv().unwrap());
    drop(end);
    runtime.block_on(quick).unwrap();
    let account = || (registry().admission.refused(), registry().with_ends_aside(|| ()).1.total());
    assert_eq!(account(), (0, 0));

    let idle = headcount::task("idle").spawn(std::future::pending::<()>());
    refuse(headcount::snapshot::tasks(&headcount::snapshot::TaskQuery::default()).unwrap().items[0].id);
    assert!(runtime.block_on(idle).unwrap_err().is_cancelled());
    assert_eq!(account(), (1, 1));
}
