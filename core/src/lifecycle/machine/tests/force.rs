//! A forced stop, from every stage.

use super::*;

#[test]
fn force_goes_straight_to_aborting_from_every_stage_before_it() {
    let announcing = [(0, Input::Start, Stage::Announcing), (1, FORCE, Stage::Aborting)];
    let effects = play(ANNOUNCING, &announcing);
    assert!(position(&effects, Effect::TellTasks) < position(&effects, Effect::Enter(Stage::Aborting)));

    let uncounted = [(0, Input::Start, Stage::Draining), (1, FORCE, Stage::Aborting)];
    play(LIMITS, &uncounted);

    let draining = [
        (0, Input::Start, Stage::Draining),
        (0, pending(3, 1), Stage::Draining),
        (1, FORCE, Stage::Aborting),
        (2, Input::HookReturned, Stage::Aborting),
        (3, pending(0, 0), Stage::Done),
    ];
    assert_eq!(verdict(&play(BOUNDLESS, &draining)), Some(Verdict::Forced(Forcer::Interrupt)));
}

#[test]
fn forced_with_nothing_left_it_is_over_at_once() {
    let lines = [
        (0, Input::Released(false), Stage::Running),
        (0, Input::Start, Stage::Draining),
        (0, pending(0, 0), Stage::Draining),
        (1, FORCE, Stage::Done),
    ];
    assert_eq!(verdict(&play(LIMITS, &lines)), Some(Verdict::Forced(Forcer::Interrupt)));
}

#[test]
fn forced_again_it_is_done_and_the_verdict_stays() {
    let hooking = [
        (0, Input::Start, Stage::Draining),
        (0, pending(1, 0), Stage::Draining),
        (25_000, Input::Tick, Stage::Aborting),
        (25_001, FORCE, Stage::Done),
    ];
    assert_eq!(verdict(&play(LIMITS, &hooking)), Some(Verdict::Deadline));

    let aborting = [
        (0, Input::Start, Stage::Draining),
        (0, pending(1, 0), Stage::Draining),
        (1, FORCE, Stage::Aborting),
        (2, Input::HookReturned, Stage::Aborting),
        (3, FORCE, Stage::Done),
    ];
    assert_eq!(verdict(&play(LIMITS, &aborting)), Some(Verdict::Forced(Forcer::Interrupt)));

    let lingering = [
        (0, Input::Scraped, Stage::Running),
        (1, Input::Start, Stage::Draining),
        (1, pending(0, 0), Stage::Lingering),
        (2, FORCE, Stage::Done),
    ];
    assert_eq!(verdict(&play(LINGERING, &lingering)), Some(Verdict::Drained));
}

#[test]
fn a_force_bounds_the_life_of_the_process() {
    let effects = play(
        BOUNDLESS,
        &[
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (100, FORCE, Stage::Aborting),
            (1_100, Input::Tick, Stage::Aborting),
            (2_100, Input::Tick, Stage::Done),
            (2_599, Input::Tick, Stage::Done),
            (2_600, Input::Tick, Stage::Done),
        ],
    );
    assert_eq!(effects.last(), Some(&Effect::Exit));
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Exit).count(), 1);
}

#[test]
fn a_force_in_done_shortens_the_life_of_the_process() {
    let mut machine = Machine::new(LIMITS);
    for input in [Input::Asked(true), Input::Start, pending(0, 0), FORCE] {
        machine.on(ms(10), &[input]);
    }
    assert_eq!(machine.stage(), Stage::Done);
    assert_eq!(machine.exit_at(), Some(ms(2_510)));
}

#[test]
fn without_a_limit_only_the_tasks_and_force_decide() {
    let mut machine = Machine::new(BOUNDLESS);
    machine.on(ms(0), &[Input::Start]);
    machine.on(ms(0), &[pending(1, 0)]);
    assert_eq!(machine.wake_at(), None);
    machine.on(ms(1_000_000_000), &[Input::Tick]);
    assert_eq!(machine.stage(), Stage::Draining);
}
