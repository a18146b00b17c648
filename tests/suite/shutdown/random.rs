//! Random tasks, settings and signals: whatever they are, the process ends in time and its report adds up.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::process::{Process, command};

#[derive(Clone, Debug)]
struct Situation {
    settings: Vec<(&'static str, String)>,
    /// From the start of the shutdown, as the settings have it.
    exit_after: Duration,
    tasks: Vec<String>,
    stop: &'static str,
    /// When each comes after the one before.
    signals: Vec<(u64, Signal)>,
}

/// Tasks of which none ends before it is told.
fn task() -> impl Strategy<Value = String> {
    let name = "(mail|push|index)";
    prop_oneof![
        4 => (name, 0u64..900).prop_map(|(name, ms)| format!("wait {name} {ms}")),
        1 => name.prop_map(|name| format!("forever {name}")),
        1 => name.prop_map(|name| format!("cancel {name}")),
        1 => name.prop_map(|name| format!("detach {name} 600000")),
        2 => (name, 0u64..1_500).prop_map(|(name, ms)| format!("last {name} {ms}")),
        1 => (name, 0u64..900).prop_map(|(name, ms)| format!("grace {name} {ms}")),
        1 => name.prop_map(|name| format!("blocking {name} 600000")),
        1 => name.prop_map(|name| format!("late {name}")),
        1 => (name, 0u64..900).prop_map(|(name, ms)| format!("panic {name} {ms}")),
    ]
}

fn situation() -> impl Strategy<Value = Situation> {
    let signal = prop_oneof![Just(Signal::SIGTERM), Just(Signal::SIGINT)];
    let stop = prop_oneof![Just("drain"), Just("ignore"), Just("hang"), Just("drain-then-close")];
    (
        (200u64..1_200, 0u64..200, 0u64..300, any::<bool>(), any::<bool>()),
        prop::collection::vec(task(), 0..10),
        stop,
        prop::collection::vec((0u64..900, signal), 1..4),
    )
        .prop_map(|((drain, announce, grace, refuse, hook), tasks, stop, signals)| {
            let exit_after = Duration::from_millis(drain + 1_500);
            let mut tasks = tasks;
            tasks.extend(hook.then(|| "--hook writes".to_owned()));
            let ms = |ms: u64| format!("{ms}ms");
            let settings = vec![
                ("DRAIN_TIMEOUT", ms(drain)),
                ("ANNOUNCE_DELAY", ms(announce)),
                ("ABORT_GRACE", ms(grace)),
                ("HOOK_TIMEOUT", ms(grace)),
                ("EXIT_AFTER", format!("{}ms", exit_after.as_millis())),
                ("LATE_SPAWNS", if refuse { "refuse" } else { "adopt" }.to_owned()),
            ];
            Situation { settings, exit_after, tasks, stop, signals }
        })
}

#[test]
fn whatever_happens_it_ends_in_time_and_the_report_adds_up() {
    own_process!();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&situation(), |situation| check(&situation)).unwrap();
}

fn check(situation: &Situation) -> Result<(), TestCaseError> {
    let path = std::env::temp_dir().join(format!("headcount-random-{}.json", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut arguments: Vec<&str> = situation.tasks.iter().map(String::as_str).collect();
    let main = format!("--main {}", situation.stop);
    arguments.extend([main.as_str(), "--after 100"]);
    let mut command = command(&arguments);
    for (name, value) in &situation.settings {
        command.env(format!("HEADCOUNT_{name}"), value);
    }
    command.env("HEADCOUNT_REPORT_FILE", &path);
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    let pid = process.pid();
    let started = Instant::now();
    let signals = situation.signals.clone();
    let sender = std::thread::spawn(move || {
        for (after, signal) in signals {
            std::thread::sleep(Duration::from_millis(after));
            // It may have ended; nobody has reaped it yet, so the pid is still its own.
            let _ = kill(pid, signal);
        }
    });
    sender.join().unwrap();
    let end = process.end();
    let first = Duration::from_millis(situation.signals.iter().map(|(after, _)| after).sum());
    // Exit handlers and a busy machine on top.
    let bound = first + situation.exit_after + Duration::from_secs(5);
    prop_assert!(started.elapsed() < bound, "{:?} {:#?}", started.elapsed(), end.lines);
    prop_assert_eq!(end.killed_by, None);
    prop_assert!([0, 124, 130, 143].contains(&end.code.unwrap()), "{:?}", end.code);
    if let Ok(bytes) = std::fs::read(&path) {
        let report: Value = serde_json::from_slice(&bytes).unwrap();
        adds_up(situation, &report).map_err(|problem| {
            TestCaseError::fail(format!("{problem} in {report:#} after {:#?}", end.lines))
        })?;
    }
    Ok(())
}

/// Each task is in the report exactly once.
fn adds_up(situation: &Situation, report: &Value) -> Result<(), String> {
    let count = |kind: &str| situation.tasks.iter().filter(|task| task.starts_with(kind)).count() as u64;
    let number = |value: &Value| value.as_u64().unwrap();
    let ended: u64 = report["ended"].as_object().unwrap().values().map(number).sum();
    let (abandoned, detached) = (number(&report["abandoned_total"]), number(&report["detached_total"]));
    let late = number(&report["late_spawns"]);
    let refused = situation.settings.iter().any(|(_, value)| value == "refuse");
    // A late task is one more, unless it was refused; a spawner that was aborted before spawned none.
    let begun = situation.tasks.len() as u64 - count("--");
    let most = if refused { begun } else { begun + late };
    let listed = ended + abandoned + detached;
    if listed < begun || most < listed {
        return Err(format!(
            "{ended} ended + {abandoned} abandoned + {detached} detached, of {begun} and {late} late"
        ));
    }
    if detached != count("detach") {
        return Err(format!("{detached} detached of {}", count("detach")));
    }
    let named = ["abandoned", "detached"].iter().flat_map(|list| report[*list].as_array().unwrap());
    let ids: Vec<u64> = named.map(|task| number(&task["id"])).collect();
    let once = ids.iter().collect::<HashSet<_>>().len() == ids.len();
    if !once || ids.len() as u64 != abandoned + detached {
        return Err(format!("named: {ids:?}"));
    }
    Ok(())
}
