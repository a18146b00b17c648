//! Tasks whose turn comes last.

use super::*;

#[test]
fn last_tasks_are_told_once_and_not_before_their_turn() {
    let effects = play(
        LIMITS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 2), Stage::Draining),
            (1, pending(0, 2), Stage::Draining),
            (2, pending(1, 2), Stage::Draining),
            (3, pending(0, 1), Stage::Draining),
            (4, pending(0, 0), Stage::Done),
        ],
    );
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::TellLast).count(), 1);
}

#[test]
fn who_waits_for_the_last_tasks_is_not_waited_for_before_their_turn() {
    let idle = |wait, last| Input::Pending(Pending { wait, last, idle: true });
    let mut lines = vec![
        (0, Input::Start, Stage::Draining),
        (0, pending(2, 1), Stage::Draining),
        (1, idle(1, 1), Stage::Draining),
    ];
    assert!(play(LIMITS, &lines).contains(&Effect::TellLast));
    assert!(!play(LIMITS, &lines[..2]).contains(&Effect::TellLast));
    lines.extend([(2, pending(1, 0), Stage::Draining), (3, pending(0, 0), Stage::Done)]);
    assert_eq!(verdict(&play(LIMITS, &lines)), Some(Verdict::Drained));
}

#[test]
fn last_tasks_are_told_once_the_others_are_abandoned_and_have_the_rest_of_the_stage() {
    let lines = [
        (0, Input::Start, Stage::Draining),
        (0, pending(1, 1), Stage::Draining),
        (25_000, Input::Tick, Stage::Aborting),
        (25_001, Input::HookReturned, Stage::Aborting),
        (25_002, pending(0, 1), Stage::Aborting),
        (26_002, Input::Tick, Stage::Aborting),
        (26_999, Input::Tick, Stage::Aborting),
        (27_000, Input::Tick, Stage::Done),
    ];
    let effects = play(LIMITS, &lines);
    assert!(position(&effects, Effect::Enter(Stage::Aborting)) < position(&effects, Effect::TellLast));
    let sooner = [&lines[..5], &[(26_500, pending(0, 0), Stage::Done)]].concat();
    play(LIMITS, &sooner);
    // A task that is not dropped holds up nothing beyond the abort grace once no `Last` task is left.
    let stuck =
        [&lines[..4], &[(25_500, pending(1, 0), Stage::Aborting), (26_001, Input::Tick, Stage::Done)]]
            .concat();
    play(LIMITS, &stuck);
}
