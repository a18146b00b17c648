//! The stages of a stop, and the moments that end them.

use super::super::stage::MAX_EXTENSION;
use super::*;

#[test]
fn nothing_happens_before_the_start() {
    use Stage::Running;
    let effects = play(
        LIMITS,
        &[
            (0, Input::Tick, Running),
            (1, FORCE, Running),
            (2, Input::Extend(ms(5)), Running),
            (3, pending(4, 4), Running),
            (4, Input::Scraped, Running),
            (5, Input::HookReturned, Running),
            (99_000, Input::Tick, Running),
        ],
    );
    assert_eq!(effects, []);
}

#[test]
fn a_drain_passes_its_stages_in_order() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(2, 1), Stage::Draining),
            (1_000, pending(0, 1), Stage::Draining),
            (1_500, pending(0, 0), Stage::Done),
            (28_999, Input::Tick, Stage::Done),
        ],
    );
    assert_eq!(
        effects,
        [
            Effect::Enter(Stage::Announcing),
            Effect::Enter(Stage::Draining),
            Effect::TellTasks,
            Effect::TellLast,
            Effect::Enter(Stage::Done),
            Effect::Finish(Verdict::Drained),
        ]
    );
}

#[test]
fn draining_does_not_end_before_the_tasks_are_counted() {
    play(LIMITS, &[(0, Input::Start, Stage::Draining), (25_000, Input::Tick, Stage::Draining)]);
}

#[test]
fn a_second_start_changes_nothing() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (20_000, Input::Start, Stage::Draining),
            (25_000, Input::Tick, Stage::Aborting),
        ],
    );
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::TellTasks).count(), 1);
}

#[test]
fn the_announce_delay_goes_by_before_tasks_are_told() {
    let effects = play(
        ANNOUNCING,
        &[
            (0, Input::Start, Stage::Announcing),
            (4_999, Input::Tick, Stage::Announcing),
            (5_000, Input::Tick, Stage::Draining),
            (5_000, pending(1, 0), Stage::Draining),
            (24_999, Input::Tick, Stage::Draining),
            (25_000, Input::Tick, Stage::Aborting),
        ],
    );
    assert!(position(&effects, Effect::Enter(Stage::Draining)) < position(&effects, Effect::TellTasks));
}

#[test]
fn an_announce_delay_beyond_the_deadline_is_cut() {
    let lines = [
        (0, Input::Start, Stage::Announcing),
        (25_000, Input::Tick, Stage::Draining),
        (25_000, pending(1, 0), Stage::Aborting),
    ];
    play(LATE_ANNOUNCE, &lines);
}

#[test]
fn the_end_waits_for_drain_to_be_awaited() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Released(false), Stage::Running),
            (0, Input::Start, Stage::Draining),
            (0, pending(0, 0), Stage::Draining),
            (8_000, Input::Released(true), Stage::Done),
        ],
    );
    assert_eq!(verdict(&effects), Some(Verdict::Drained));
}

#[test]
fn a_drain_that_is_let_go_of_again_does_not_end() {
    play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (1, Input::Released(false), Stage::Draining),
            (2, pending(0, 0), Stage::Draining),
            (3, Input::Released(true), Stage::Done),
        ],
    );
}

#[test]
fn a_deadline_with_nothing_left_is_a_drain() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Released(false), Stage::Running),
            (0, Input::Start, Stage::Draining),
            (0, pending(0, 0), Stage::Draining),
            (25_000, Input::Tick, Stage::Done),
        ],
    );
    assert_eq!(verdict(&effects), Some(Verdict::Drained));
}

#[test]
fn the_deadline_hands_over_then_aborts_then_gives_up() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(2, 0), Stage::Draining),
            (25_000, Input::Tick, Stage::Aborting),
            (25_400, Input::HookReturned, Stage::Aborting),
            (26_399, pending(1, 0), Stage::Aborting),
            (26_400, Input::Tick, Stage::Done),
        ],
    );
    assert!(position(&effects, Effect::RunHook) < position(&effects, Effect::Abort));
    assert_eq!(verdict(&effects), Some(Verdict::Deadline));
}

#[test]
fn a_hook_that_hangs_has_its_time_and_no_more() {
    play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (25_000, Input::Tick, Stage::Aborting),
            (26_000, Input::Tick, Stage::Aborting),
            (26_999, Input::HookReturned, Stage::Aborting),
            (27_000, Input::Tick, Stage::Done),
        ],
    );
}

#[test]
fn aborting_ends_with_the_last_task() {
    let lines = [
        (0, Input::Start, Stage::Draining),
        (0, pending(1, 0), Stage::Draining),
        (25_000, Input::Tick, Stage::Aborting),
        (25_001, Input::HookReturned, Stage::Aborting),
        (25_002, pending(0, 0), Stage::Done),
    ];
    assert_eq!(verdict(&play(LIMITS, &lines)), Some(Verdict::Deadline));
}

#[test]
fn the_process_ends_with_the_report_if_nothing_asked() {
    let mut machine = Machine::new(LIMITS);
    machine.on(ms(0), &[Input::Start]);
    let effects = machine.on(ms(1), &[pending(0, 0)]);
    assert_eq!(effects, [Effect::Enter(Stage::Done), Effect::Finish(Verdict::Drained), Effect::Exit]);
    assert_eq!(machine.wake_at(), None);
}

#[test]
fn exit_after_ends_whatever_stage_it_is_in() {
    let effects = play(
        EARLY_EXIT,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (9_999, Input::Tick, Stage::Draining),
            (10_000, Input::Tick, Stage::Done),
        ],
    );
    assert_eq!(verdict(&effects), Some(Verdict::Deadline));
    assert_eq!(effects.last(), Some(&Effect::Exit));
}

#[test]
fn an_application_that_holds_the_process_is_ended_after_exit_after() {
    let lines = [
        (0, Input::Start, Stage::Draining),
        (0, pending(0, 0), Stage::Done),
        (28_999, Input::Tick, Stage::Done),
        (29_000, Input::Tick, Stage::Done),
    ];
    assert_eq!(play(LIMITS, &lines[..3]).last(), Some(&Effect::Finish(Verdict::Drained)));
    assert_eq!(play(LIMITS, &lines).last(), Some(&Effect::Exit));
}

#[test]
fn what_ends_at_the_deadline_is_not_taken_for_left() {
    let mut machine = Machine::new(LIMITS);
    machine.on(ms(0), &[Input::Asked(true), Input::Start]);
    machine.on(ms(0), &[pending(1, 0)]);
    let effects = machine.on(ms(25_000), &[pending(0, 0), Input::Tick]);
    assert_eq!(verdict(&effects), Some(Verdict::Drained));
}

#[test]
fn an_extension_moves_deadline_and_end_alike() {
    let mut machine = Machine::new(LIMITS);
    machine.on(ms(0), &[Input::Start]);
    machine.on(ms(0), &[Input::Extend(ms(30_000))]);
    assert_eq!(machine.deadline(), Some(ms(55_000)));
    assert_eq!(machine.exit_at(), Some(ms(59_000)));
}

#[test]
fn an_extension_is_refused_where_it_would_do_nothing() {
    let mut machine = Machine::new(LIMITS);
    assert_eq!(machine.may_extend(ms(1)), Err(ExtendError::NotStopping));
    machine.on(ms(0), &[Input::Start]);
    assert_eq!(machine.may_extend(Duration::ZERO), Err(ExtendError::BadLength));
    assert_eq!(machine.may_extend(Duration::MAX), Err(ExtendError::BadLength));
    assert_eq!(machine.may_extend(MAX_EXTENSION), Ok(()));
    machine.on(ms(1), &[FORCE]);
    assert_eq!(machine.may_extend(ms(1)), Err(ExtendError::TooLate));
    machine.on(ms(1), &[Input::Extend(ms(99_000))]);
    assert_eq!(machine.deadline(), Some(ms(25_000)));

    let mut machine = Machine::new(BOUNDLESS);
    machine.on(ms(0), &[Input::Start]);
    assert_eq!(machine.may_extend(ms(1)), Err(ExtendError::NoDeadline));
}
