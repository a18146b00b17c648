//! Where tasks wait, in the log of a real process: on SIGQUIT, and while it stops.

use nix::sys::signal::Signal;

use crate::support::http::{act, get};
use crate::support::process::{Process, command, start};
use crate::support::wait::until;

/// The id of the only task with this name.
fn id_of(admin: std::net::SocketAddr, name: &str) -> u64 {
    until(|| {
        let page = get(admin, &format!("/api/v1/tasks?name={name}")).expect(200).json();
        page["items"][0]["id"].as_u64().ok_or(page)
    })
}

/// What a task answers, once that holds a text.
fn asked(admin: std::net::SocketAddr, name: &str, text: &str) -> serde_json::Value {
    let path = format!("/api/v1/tasks/{}/stack", id_of(admin, name));
    until(|| {
        let stack = act(admin, &path, "").expect(200).json();
        if stack["text"].as_str().unwrap().contains(text) { Ok(stack) } else { Err(stack) }
    })
}

#[test]
fn sigquit_writes_all_stacks_and_the_process_goes_on() {
    own_process!();
    let settings = [("SIGQUIT", "stacks")];
    let mut process = start(&settings, &["forever hangs", "forever hangs", "wait works 60000"]);
    process.signal(Signal::SIGQUIT);
    process.wait_for("Stacks of 3 tasks:");
    // A busy machine may keep a task from its poll for longer than it has for an answer.
    until(|| {
        process.signal(Signal::SIGQUIT);
        let wait = |line: &str| line.contains("  hangs ×2 (") && line.contains(") waits");
        process.seen(wait).ok_or("not yet")
    });
    process.signal(Signal::SIGTERM);
    process.wait_for("Shutting down (SIGTERM)");
    process.signal(Signal::SIGINT);
    assert_eq!(process.end().code, Some(130));
}

#[test]
fn the_lines_of_a_drain_and_the_report_say_where_a_task_waits() {
    own_process!();
    let report = std::env::temp_dir().join(format!("headcount-stacks-{}.json", std::process::id()));
    let path = report.to_str().unwrap();
    let settings =
        [("STACKS", "request"), ("DRAIN_TIMEOUT", "60s"), ("REPORT_FILE", path), ("LOG_INTERVAL", "1s")];
    let mut process = start(&settings, &["wait hangs 60000", "stuck holds 60000"]);
    process.signal(Signal::SIGTERM);
    let line = process.wait_for(", waits in ");
    assert!(line.contains("hangs #") && line.contains("tests/suite/support/child_tasks.rs:"), "{line}");
    #[cfg(target_os = "linux")]
    {
        let line = process.wait_for("in clock_nanosleep(2)");
        assert!(line.contains("holds #"), "{line}");
    }
    process.signal(Signal::SIGINT);
    process.end();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let waits: Vec<_> =
        report["abandoned"].as_array().unwrap().iter().map(|task| task["waits"].to_string()).collect();
    assert!(waits.iter().any(|waits| waits.contains("waits in ")), "{waits:?}");
    std::fs::remove_file(path).unwrap();
}

/// A process with a task that waits, one that opens a file and one that reads from a peer: what its API, its
/// log on SIGQUIT, its drain and its report say; and the paths and the peer.
fn all_said(hide: &str) -> (Vec<String>, [String; 3]) {
    let report = std::env::temp_dir().join(format!("headcount-hidden-{}-{hide}.json", std::process::id()));
    let settings = [
        ("ADMIN", "127.0.0.1:0"),
        ("STACKS", "request"),
        ("SIGQUIT", "stacks"),
        ("HIDE", hide),
        ("DRAIN_TIMEOUT", "60s"),
        ("LOG_INTERVAL", "1s"),
        ("BLOCKED_AFTER", "100ms"),
        ("REPORT_FILE", report.to_str().unwrap()),
    ];
    let mut process = start(&settings, &["wait hangs 60000", "opens opener", "listens reader"]);
    let admin = process.admin();
    let peer = process.wait_for("peer ").strip_prefix("peer ").unwrap().to_owned();
    let path = std::env::temp_dir().join(format!("headcount-secret-{}", process.pid()));
    let mut said = vec![
        asked(admin, "hangs", "waits for draining()").to_string(),
        asked(admin, "opener", "blocked in openat(2)").to_string(),
        asked(admin, "reader", "blocked in re").to_string(),
    ];
    let whole = format!("/api/v1/tasks/{}/stack?whole=true", id_of(admin, "hangs"));
    said.push(get(admin, &whole).expect(200).text().to_owned());
    said.push(act(admin, "/api/v1/stacks", "").expect(200).text().to_owned());
    process.signal(Signal::SIGQUIT);
    said.extend(["hangs #", "opener #", "reader #"].map(|task| process.wait_for(&format!("  {task}"))));
    said.push(process.wait_for("opener #2 has not yielded"));
    process.signal(Signal::SIGTERM);
    said.push(process.wait_for(", waits in "));
    said.push(process.wait_for("s in openat(2)"));
    process.signal(Signal::SIGINT);
    process.end();
    said.push(std::fs::read_to_string(&report).unwrap());
    std::fs::remove_file(&report).unwrap();
    std::fs::remove_file(&path).unwrap();
    (said, [path.display().to_string(), peer, "tests/suite/support/child_tasks.rs".to_owned()])
}

/// Places of spawns are in each list of tasks; what stacks add are the lines of awaits, paths and peers.
#[cfg(target_os = "linux")]
#[test]
fn what_hides_stacks_hides_paths_and_peers_everywhere() {
    own_process!();
    let (said, [path, peer, file]) = all_said("none");
    let has = |said: &[String], text: &str| said.iter().filter(|said| said.contains(text)).count();
    // The opener: its answer, all answers, SIGQUIT, the watch, the drain and the report.
    assert!(6 <= has(&said, &path), "{said:#?}");
    assert!(4 <= has(&said, &peer), "{said:#?}");
    assert!(said[0].contains(&file) && said[3].contains(&file), "{said:#?}");

    let (hidden, [path, peer, file]) = all_said("stacks");
    assert_eq!((has(&hidden, &path), has(&hidden, &peer)), (0, 0), "{hidden:#?}");
    assert!(
        hidden.len() == said.len()
            && hidden[1].contains("openat(2)")
            && hidden[0].contains("waits for draining()")
    );
    // Of the API's answers and SIGQUIT's lines, none has a line of the source.
    assert_eq!(has(&hidden[..8], &file), 0, "{hidden:#?}");
    assert_eq!(has(&hidden[..8], ".rs:"), 0, "{hidden:#?}");
}

#[test]
fn tasks_are_asked_while_the_process_stops() {
    own_process!();
    let settings = [("ADMIN", "127.0.0.1:0"), ("STACKS", "request"), ("DRAIN_TIMEOUT", "60s")];
    let mut process = start(&settings, &["wait hangs 60000", "many crowd 200", "last waits-longest 60000"]);
    let admin = process.admin();
    process.signal(Signal::SIGTERM);
    process.wait_for("Shutting down (SIGTERM)");
    let stack = asked(admin, "hangs", "waits in ");
    assert!(stack["text"].as_str().unwrap().contains("tests/suite/support/child_tasks.rs:"), "{stack:#}");
    // `Last` tasks wait for the signal that has not come for them.
    let last = asked(admin, "waits-longest", "waits for draining() in ");
    assert_eq!(last["branches"][0]["draining"], true, "{last:#}");
    let all = act(admin, "/api/v1/stacks", "").expect(200).json();
    assert!(2 <= all["asked"].as_u64().unwrap(), "{all:#}");
    process.signal(Signal::SIGINT);
    assert_eq!(process.end().code, Some(130));
}

/// A program compiled with `panic = "abort"`: the poll that asks aborts it, as any other poll would.
#[test]
fn a_panic_of_a_task_that_is_asked_aborts_where_panics_abort() {
    own_process!();
    let mut command = command(&["wait hangs 60000", "panics-if-asked fragile"]);
    command.env("PANIC_ABORTS", "yes").env("HEADCOUNT_SIGQUIT", "stacks");
    let mut process = Process::spawn(command);
    process.wait_for("ready");
    // Its first poll may be the one that is asked.
    until(|| {
        process.signal(Signal::SIGQUIT);
        if process.has_ended() { Ok(()) } else { Err("it goes on") }
    });
    assert_eq!(process.end().killed_by, Some(Signal::SIGABRT as i32));
    // Elsewhere it is a task that failed, and the process goes on.
    let mut process = start(&[("SIGQUIT", "stacks")], &["wait hangs 60000", "panics-if-asked fragile"]);
    process.signal(Signal::SIGQUIT);
    process.wait_for("Stacks of 2 tasks:");
    process.wait_for("  fragile #2 ");
    process.signal(Signal::SIGQUIT);
    process.wait_for("fragile #2 panicked after");
    process.signal(Signal::SIGQUIT);
    process.wait_for("Stacks of 1 task:");
    process.signal(Signal::SIGTERM);
    process.wait_for("Shutting down (SIGTERM)");
    process.signal(Signal::SIGINT);
    assert_eq!(process.end().code, Some(130));
}
