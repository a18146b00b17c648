//! Who is waited for, and how long.

use crate::support::process::{WAITING, report, start, term};

#[test]
fn cancel_detach_and_last() {
    own_process!();
    let arguments = ["cancel poller", "detach warm-up 60000", "last batcher 100", "wait send-email 500"];
    let end = term(&[], &arguments);
    end.exited_with(0).logged(&[
        "Shutting down (SIGTERM)",
        "Not waiting for 1 task detached: warm-up ×1",
        WAITING,
        "  send-email #~ completed after ~s, 1 remaining",
        "  batcher #~ completed after ~s, 0 remaining",
        "All background tasks completed in ~s (2 completed, 1 cancelled)",
    ]);
    let at = |text: &str| end.lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("last told") < at("last done"));
    let report = report(&end);
    assert_eq!((&report["detached_total"], &report["detached"][0]["name"]), (&1.into(), &"warm-up".into()));
    assert_eq!((&report["ended"]["ok"], &report["ended"]["cancelled"]), (&2.into(), &1.into()));
}

#[test]
fn who_awaits_idle_is_not_what_last_tasks_wait_for() {
    own_process!();
    let end = term(&[], &["idles reporter", "idles second", "last batcher 100", "wait send-email 500"]);
    end.exited_with(0).logged(&[
        "  send-email #~ completed after ~s, 3 remaining",
        "  batcher #~ completed after ~s, 2 remaining",
        "All background tasks completed in ~s (4 completed)",
    ]);
    let at = |text: &str| end.lines.iter().position(|line| line == text).unwrap();
    assert!(at("last done") < at("idle"));
}

#[test]
fn a_last_task_is_cut_after_its_grace() {
    own_process!();
    let end = term(&[], &["last batcher 60000"]);
    end.exited_with(0).logged(&[
        "  batcher #~ was cancelled after ~s, 0 remaining",
        "All background tasks completed in ~s (0 completed, 1 cancelled)",
    ]);
    assert_eq!(report(&end)["abandoned_total"], 0);
}

#[test]
fn a_grace_of_its_own() {
    own_process!();
    let end = term(&[], &["grace impatient 300", "wait send-email 900"]);
    end.exited_with(0).logged(&[
        "Grace over: aborting 1 task",
        "  impatient #~ abandoned after ~",
        "  send-email #~ completed",
        "All background tasks completed in ~s (1 completed, 1 abandoned)",
    ]);
    let report = report(&end);
    assert_eq!((&report["abandoned_total"], &report["result"]), (&1.into(), &"drained".into()));
    assert_eq!(report["ended"]["ok"], 1);
}

#[test]
fn a_policy_by_name() {
    own_process!();
    let end = term(&[("POLICY", "vendor::*=Cancel")], &["forever vendor::poll", "wait send-email 100"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed, 1 cancelled)"]);
}

#[test]
fn late_spawns_are_adopted() {
    own_process!();
    let end = term(&[], &["late spawner"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (2 completed)"]);
    assert!(end.lines.iter().any(|line| line == "late true"));
    assert_eq!(report(&end)["late_spawns"], 1);
}

#[test]
fn late_spawns_are_refused() {
    own_process!();
    let end = term(&[("LATE_SPAWNS", "refuse")], &["late spawner"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "late false"));
    assert_eq!(report(&end)["late_spawns"], 1);
}

#[test]
fn a_task_that_awaits_drain_is_not_waited_for() {
    own_process!();
    let end =
        term(&[], &["drains supervisor", "wait send-email 300", "--main drain-then-close", "--after 300"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "task got 0"), "{:#?}", end.lines);
}

#[test]
fn a_task_may_await_drain_twice_at_once() {
    own_process!();
    let end = term(
        &[],
        &["drains-twice supervisor", "wait send-email 300", "--main drain-then-close", "--after 300"],
    );
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "it is wait again"), "{:#?}", end.lines);

    // One of the two that is dropped leaves the other as it was.
    let end = term(
        &[],
        &["drains-and-drops supervisor", "wait send-email 300", "--main drain-then-close", "--after 300"],
    );
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
    assert!(end.lines.iter().any(|line| line == "task got 0"), "{:#?}", end.lines);
}

#[test]
fn a_task_that_awaits_drain_no_more_is_waited_for() {
    own_process!();
    let arguments = ["wait send-email 300", "drains-a-while supervisor 600"];
    let end = start(&[], &arguments).end();
    end.exited_with(0).logged(&["All background tasks completed in ~s (2 completed)"]);
    assert!(end.lines.iter().any(|line| line == "gave up true, and is done"), "{:#?}", end.lines);

    // One that is not waited for at all is cancelled then.
    let end = start(&[("POLICY", "supervisor=Cancel")], &arguments).end();
    end.exited_with(0)
        .logged(&["All background tasks completed in ~s (1 completed, 1 cancelled)"])
        .never_logged("and is done");
}

#[test]
fn failures_are_told_apart() {
    own_process!();
    let end = term(&[], &["wait fine 300", "fail bad 400", "panic worse 500"]);
    end.exited_with(0).logged(&[
        "  fine #~ completed after",
        "  bad #~ failed after",
        "  worse #~ panicked after",
        "All background tasks completed in ~s (1 completed, 1 failed, 1 panicked)",
    ]);
}

#[test]
fn a_hundred_thousand_tasks() {
    own_process!();
    let end = term(&[], &["many waiter 100000"]);
    end.exited_with(0).logged(&[
        "Waiting for background tasks to complete. (CTRL+C to force quit) pending=100000 deadline=2",
        "  and 99980 more: waiter ×99980",
        "All background tasks completed in ~s (100000 completed)",
    ]);
    assert_eq!(report(&end)["ended"]["ok"], 100_000);
}
