//! The shutdown of real processes by real signals.
//!
//! The test binary starts itself again as the process under test: what its arguments say, [`child`] does. The tests signal it, read
//! its log, and check how it ends.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod bounds;
#[cfg(unix)]
mod child;
#[cfg(unix)]
mod http;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod policies;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod requests;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod terminal;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    if std::env::var_os(process::CHILD).is_some() {
        return child::main();
    }
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, tests()).exit_code()
}

#[cfg(unix)]
fn tests() -> Vec<libtest_mimic::Trial> {
    macro_rules! trials {
        ($($module:ident: $($test:ident),+;)+) => {
            vec![$($(libtest_mimic::Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
                $module::$test();
                Ok(())
            })),+),+]
        };
    }
    trials! {
        signals:
            sigterm_waits_and_names,
            sigint_does_the_same,
            term_then_term_forces,
            int_then_int_forces,
            either_signal_forces_the_other,
            the_third_signal_exits_at_once,
            a_doubled_signal_is_one,
            three_signals_end_it_while_the_log_is_full,
            two_signals_end_it_while_the_log_is_full,
            actions_are_told_while_the_log_is_full,
            term_after_another_start_is_only_logged,
            int_after_another_start_forces,
            force_while_announcing,
            force_again_while_aborting,
            force_while_lingering,
            under_timeout,
            as_pid_1,
            with_stdout_and_stderr_closed,
            turned_off_it_stops_as_before;
        bounds:
            every_worker_blocked,
            a_blocking_closure_that_never_ends,
            an_application_that_never_asked_is_ended_with_the_report,
            an_application_that_hangs_is_ended_after_exit_after,
            main_that_returns_early_names_what_is_lost,
            what_comes_after_drain_is_not_cut_short,
            a_slow_application_is_waited_for,
            the_deadline_names_and_aborts,
            all_that_ends_at_the_deadline_is_abandoned,
            a_deadline_with_nothing_left_is_0,
            the_hook_gets_each_task_before_the_abort,
            a_hook_that_hangs_has_its_time,
            a_hook_that_panics_is_told,
            zero_and_huge_durations,
            a_poll_that_does_not_end_is_told_once;
        policies:
            cancel_detach_and_last,
            who_awaits_idle_is_not_what_last_tasks_wait_for,
            a_last_task_is_cut_after_its_grace,
            a_grace_of_its_own,
            a_policy_by_name,
            late_spawns_are_adopted,
            late_spawns_are_refused,
            a_task_that_awaits_drain_is_not_waited_for,
            a_task_may_await_drain_twice_at_once,
            a_task_that_awaits_drain_no_more_is_waited_for,
            failures_are_told_apart,
            a_hundred_thousand_tasks;
        output:
            the_twenty_oldest_are_named_and_the_rest_counted,
            the_log_says_what_is_usual_and_when_it_ends,
            the_report_file_is_private_and_whole,
            a_report_file_that_cannot_be_written,
            calls_that_come_too_often_or_too_late,
            steering_through_the_api,
            the_total_does_not_shrink,
            lingering_ends_with_a_scrape,
            where_warnings_are_off_the_log_goes_to_stderr;
        requests:
            a_slow_request_is_named_and_waited_for,
            a_request_lasts_until_its_body_ends,
            a_slow_request_without_the_layer_is_not_cut_short,
            at_the_deadline_requests_are_cut_so_that_the_server_returns,
            a_request_without_a_route_is_unmatched,
            the_request_that_reaches_the_limit_is_served_and_ends_the_process,
            the_limit_holds_whatever_the_concurrency,
            beyond_the_limit_requests_are_served_while_it_is_announced;
        terminal:
            task_lines_are_redrawn_below_what_the_application_writes;
        random:
            whatever_happens_it_ends_in_time_and_the_report_adds_up;
    }
}

#[cfg(not(unix))]
fn main() {}
