//! Who is waited for, and how long.

use nix::sys::signal::Signal::SIGTERM;

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
        "  batcher #~ completed after ~s, ~ remaining",
        "All background tasks completed in ~s (4 completed)",
    ]);
    let at = |text: &str| end.lines.iter().position(|line| line == text).unwrap();
    assert!(at("last done") < at("idle"));
}

#[test]
fn a_last_task_has_what_is_left_of_the_time() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "10s")], &["last batcher 2000"]);
    end.exited_with(0)
        .logged(&["  batcher #~ completed after ~s, 0 remaining"])
        .never_logged(" abandoned after");

    let end = term(&[("DRAIN_TIMEOUT", "1200ms")], &["last batcher 60000", "--hook writes"]);
    end.exited_with(124).logged(&[
        "Deadline of 1s 200ms reached: aborting 1 task",
        "  batcher #~ abandoned after ~s (tests/suite/support/child_tasks.rs:~): it had the rest of the time: \
         HEADCOUNT_DRAIN_TIMEOUT='3s' gives it more",
        "Stopped at the deadline, in ~s (0 completed, 1 abandoned); abandoned: batcher #~",
    ]);
    end.never_logged("All background tasks");
    assert!(end.lines.contains(&"handed batcher -".to_owned()), "{:#?}", end.lines);
    assert_eq!(report(&end)["abandoned"][0]["name"], "batcher");
}

#[test]
fn a_last_task_with_a_grace_is_abandoned_when_it_is_over() {
    own_process!();
    let end = term(&[], &["last-grace batcher 300", "wait send-email 200", "--hook writes"]);
    end.exited_with(0).logged(&[
        "  send-email #~ completed",
        "Grace over: aborting 1 task",
        "  batcher #~ abandoned after ~s (tests/suite/support/child_tasks.rs:~): its grace was 300ms",
        "Background tasks ended in ~s (1 completed, 1 abandoned); abandoned: batcher #~",
    ]);
    end.never_logged("All background tasks");
    assert!(end.lines.contains(&"handed batcher -".to_owned()), "{:#?}", end.lines);
    assert!(end.lines.iter().any(|line| line.contains("WARN") && line.contains("Background tasks ended")));
    assert_eq!(report(&end)["abandoned_total"], 1);
}

#[test]
fn last_tasks_have_their_grace_in_every_ending() {
    own_process!();
    let arguments = ["last batcher 50", "forever loop"];
    let deadline = term(&[("DRAIN_TIMEOUT", "400ms")], &arguments);
    deadline.exited_with(124);

    let mut process = start(&[], &arguments);
    process.signal(SIGTERM);
    process.wait_for(WAITING);
    process.signal(SIGTERM);
    let forced = process.end();
    forced.exited_with(143);

    for end in [deadline, forced] {
        end.logged(&["  loop #~ abandoned", "Giving 1 task that comes last ~s at most: batcher ×1"]);
        assert!(end.lines.iter().any(|line| line == "last done"), "{:#?}", end.lines);
        let report = report(&end);
        assert_eq!((&report["ended"]["ok"], &report["abandoned_total"]), (&1.into(), &1.into()));
    }

    // Told a moment before the deadline, it is not cut at once either.
    let settings = [("DRAIN_TIMEOUT", "5s"), ("HOOK_TIMEOUT", "20s")];
    let end = term(&settings, &["last batcher 4000 20000", "wait send-email 2500"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (2 completed)"]);

    // One that does not end in its grace is abandoned, like all others.
    let settings = [("DRAIN_TIMEOUT", "400ms"), ("HOOK_TIMEOUT", "10s")];
    let end = term(&settings, &["last batcher 60000", "forever loop", "--hook writes"]);
    end.exited_with(124).logged(&[
        "Deadline of 400ms reached: aborting 1 task",
        "Grace over: aborting 1 task",
        "  batcher #~ abandoned after",
        "Stopped at the deadline, in ~s (0 completed, 2 abandoned)",
    ]);
    assert!(end.lines.contains(&"handed batcher -".to_owned()), "{:#?}", end.lines);
}

#[test]
fn a_grace_of_its_own() {
    own_process!();
    let end = term(&[], &["grace impatient 300", "wait send-email 900"]);
    end.exited_with(0).logged(&[
        "Grace over: aborting 1 task",
        "  impatient #~ abandoned after ~",
        "  send-email #~ completed",
        "Background tasks ended in ~s (1 completed, 1 abandoned); abandoned: impatient #~",
    ]);
    end.never_logged("All background tasks");
    let report = report(&end);
    assert_eq!((&report["abandoned_total"], &report["result"]), (&1.into(), &"drained".into()));
    assert_eq!(report["ended"]["ok"], 1);
}

#[test]
fn a_policy_by_name() {
    own_process!();
    let end = term(&[("POLICY", "vendor::*=Cancel")], &["forever vendor::poll", "wait send-email 700"]);
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
    let end = term(&[], &["wait fine 300", "fail bad 300", "panic worse 300"]);
    for line in ["  fine #~ completed after", "  bad #~ failed after", "  worse #~ panicked after"] {
        end.logged(&[line]);
    }
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed, 1 failed, 1 panicked)"]);
}

#[test]
fn a_hundred_thousand_tasks() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "200s")], &["many waiter 100000"]);
    end.exited_with(0).logged(&[
        "Waiting for background tasks to complete. (a second signal forces) pending=100000 deadline=",
        "  waiter ×100000",
        "  waiter ",
        "All background tasks completed in ~s (100000 completed)",
    ]);
    assert_eq!(report(&end)["ended"]["ok"], 100_000);
}

#[test]
fn connections_are_closed_after_a_short_grace() {
    own_process!();
    let arguments = ["connection ws", "connection ws", "closes sse 50", "wait send-email 3000"];
    let end = term(&[("CONNECTION_GRACE", "2s")], &arguments);
    end.exited_with(0).logged(&[
        "Closing 2 connections: ws ×2",
        "All background tasks completed in ~s (1 completed, 3 connections closed)",
    ]);
    end.never_logged("WARN").never_logged(" abandoned after");
    let report = report(&end);
    assert_eq!((&report["connections_closed"], &report["ended"]["cancelled"]), (&3.into(), &0.into()));
    assert_eq!((&report["abandoned_total"], &report["ended"]["ok"]), (&0.into(), &1.into()));
}

#[test]
fn connections_are_closed_in_every_ending() {
    own_process!();
    let mut process = start(&[("POLICY", "ws=Connection")], &["forever ws", "forever loop"]);
    process.signal(SIGTERM);
    process.wait_for(WAITING);
    process.signal(SIGTERM);
    let forced = process.end();
    forced.exited_with(143).logged(&[
        "Closing 1 connection: ws ×1",
        "Forced by SIGTERM: aborting 1 task",
        "Forced by SIGTERM, in ~s (0 completed, 1 connection closed, 1 abandoned); abandoned: loop #~",
    ]);

    let settings = [("DRAIN_TIMEOUT", "4s"), ("CONNECTION_GRACE", "10s")];
    let end = term(&settings, &["connection ws", "wait send-email 100"]);
    end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed, 1 connection closed)"]);
}

#[test]
fn what_awaits_drain_in_a_task_has_its_time() {
    own_process!();
    let end = term(&[], &["wait send-email 300", "--main in-a-task", "--after 1200"]);
    end.exited_with(0).never_logged("Exiting with");
    assert!(end.lines.iter().any(|line| line == "flushed"), "{:#?}", end.lines);
}

#[test]
fn a_tracked_future_that_awaits_drain_holds_up_none_of_its_tasks() {
    own_process!();
    for what in ["drains-tracked supervisor", "drains-wrapped supervisor"] {
        let end = term(
            &[("DRAIN_TIMEOUT", "8s")],
            &[what, "wait send-email 300", "--main drain-then-close", "--after 300"],
        );
        end.exited_with(0).logged(&["All background tasks completed in ~s (1 completed)"]);
        end.never_logged("Deadline");
        assert!(end.lines.iter().any(|line| line == "task got 0"), "{:#?}", end.lines);
    }
}

#[test]
fn spawns_after_the_deadline_are_refused_aloud() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "300ms")], &["forever loop", "--main spawns-after", "--after 300"]);
    end.exited_with(124).logged(&["Spawn of clean-up"]);
    let refused = end.log().into_iter().filter(|line| line.starts_with("Spawn of clean-up"));
    let times = refused.map(|line| line.split_once(" ×").map_or(1, |(_, rest)| rest[..1].parse().unwrap()));
    assert_eq!(times.sum::<u32>(), 3, "{:#?}", end.lines);
    assert!(end.lines.iter().any(|line| line.contains("WARN") && line.contains("Spawn of clean-up")));
}

#[test]
fn late_spawns_that_are_refused_are_in_log_and_report() {
    own_process!();
    let end = term(&[("LATE_SPAWNS", "refuse")], &["late spawner", "wait send-email 400"]);
    end.exited_with(0)
        .logged(&["Spawn of late-one refused, since the process stops (tests/suite/support/child_tasks.rs:"]);
    assert_eq!((&report(&end)["refused_spawns"], &report(&end)["late_spawns"]), (&1.into(), &1.into()));
}

#[test]
fn a_hundred_lines_name_what_was_cut() {
    own_process!();
    let tasks = vec!["forever loop"; 130];
    let end = term(&[("DRAIN_TIMEOUT", "300ms")], &tasks);
    end.exited_with(124).logged(&["Deadline of 300ms reached: aborting 130 tasks", "  loop ×30 abandoned"]);
    let named = end.log().into_iter().filter(|line| line.contains(" abandoned after ")).count();
    assert_eq!(named, 100);
    assert_eq!(report(&end)["abandoned"].as_array().unwrap().len(), 130);
}

/// What a `TaskTracker` holds is waited for where it is tracked; the rest of it is counted.
#[test]
fn a_drain_beside_a_task_tracker() {
    own_process!();
    let end = term(&[], &["tracker mail 500"]);
    end.exited_with(0).logged(&[
        WAITING,
        "  mail #~",
        "About 1 task is alive in the runtime that headcount does not track",
        "All background tasks completed in ~s (1 completed)",
    ]);
    let report = report(&end);
    assert_eq!((&report["ended"]["ok"], &report["untracked"]), (&1.into(), &1.into()));
}

/// Where aborting begins in the moment in which draining does, policies count all the same.
#[test]
fn a_cancel_task_is_in_the_account_where_a_force_or_the_deadline_comes_with_the_begin() {
    own_process!();
    let tasks = ["cancel poller", "forever loop", "connection ws"];
    let sums = |report: &serde_json::Value| {
        let of = |key: &str| report[key].as_u64().unwrap();
        (report["ended"]["cancelled"].as_u64().unwrap(), of("abandoned_total"), of("connections_closed"))
    };
    let mut forced = start(&[("ANNOUNCE_DELAY", "60s"), ("ABORT_GRACE", "20s")], &tasks);
    forced.signal(SIGTERM);
    forced.wait_for("Announcing for 1m");
    forced.signal(SIGTERM);
    let end = forced.end();
    end.exited_with(143).logged(&["Cancelling 1 task: poller ×1", "Forced by SIGTERM: aborting 1 task"]);
    assert_eq!(sums(&report(&end)), (1, 1, 1));

    let end = term(&[("DRAIN_TIMEOUT", "0s"), ("ABORT_GRACE", "20s")], &tasks);
    end.exited_with(124).logged(&["Cancelling 1 task: poller ×1", "Deadline of 0s reached: aborting 1 task"]);
    assert_eq!(sums(&report(&end)), (1, 1, 1));
}

/// One that does not end is named as abandoned, whatever comes with the begin.
#[test]
fn a_cancel_task_that_does_not_end_is_abandoned() {
    own_process!();
    let settings = [("ABORT_GRACE", "2s"), ("ANNOUNCE_DELAY", "60s")];
    let mut forced = start(&settings, &["cancel-stuck poller 60000", "cancel other"]);
    forced.signal(SIGTERM);
    forced.wait_for("Announcing for 1m");
    forced.signal(SIGTERM);
    let end = forced.end();
    let report_of = report(end.exited_with(143));
    assert_eq!((&report_of["abandoned_total"], &report_of["ended"]["cancelled"]), (&1.into(), &1.into()));
    assert_eq!(report_of["abandoned"][0]["name"], "poller");

    let end = term(&settings[..1], &["cancel-stuck poller 60000", "cancel other"]);
    let report_of = report(end.exited_with(0));
    assert_eq!((&report_of["abandoned_total"], &report_of["ended"]["cancelled"]), (&1.into(), &1.into()));
    assert_eq!(report_of["abandoned"][0]["name"], "poller");
}

#[test]
fn a_connection_that_awaits_the_report_holds_up_nothing() {
    own_process!();
    let end = term(&[("DRAIN_TIMEOUT", "60s")], &["drains-connection ws", "wait mail 100"]);
    let report = report(end.exited_with(0));
    assert_eq!(report["ended"]["ok"], 1);
    assert!(report["duration_seconds"].as_f64().unwrap() < 30.0, "{report}");
}
