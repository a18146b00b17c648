use proptest::prelude::*;

use super::*;

const FORCE: Input = Input::Force(Forcer::Interrupt);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The defaults of the settings.
const LIMITS: Limits = Limits {
    announce_delay: Duration::ZERO,
    drain_timeout: Some(ms(25_000)),
    hook_timeout: ms(1_000),
    abort_grace: ms(1_000),
    exit_after: Some(ms(29_000)),
    linger: false,
};

const ANNOUNCING: Limits = Limits { announce_delay: ms(5_000), ..LIMITS };
const LINGERING: Limits = Limits { linger: true, ..LIMITS };
const BOUNDLESS: Limits = Limits { drain_timeout: None, exit_after: None, ..LIMITS };
const LATE_ANNOUNCE: Limits = Limits { announce_delay: ms(60_000), ..LIMITS };
const EARLY_EXIT: Limits = Limits { exit_after: Some(ms(10_000)), ..LIMITS };

fn pending(wait: u64, last: u64) -> Input {
    Input::Pending(Pending { wait, last, idle: false })
}

/// One thing that happens, and where the machine is afterwards.
type Line = (u64, Input, Stage);

/// Plays a table against a machine whose application asked for the shutdown, and gives all effects.
#[track_caller]
fn play(limits: Limits, lines: &[Line]) -> Vec<Effect> {
    let mut machine = Machine::new(limits);
    let mut effects = machine.on(ms(0), &[Input::Asked(true)]);
    for (row, (at, input, stage)) in lines.iter().enumerate() {
        effects.extend(machine.on(ms(*at), &[*input]));
        assert_eq!(machine.stage(), *stage, "after row {row}: {input:?} at {at} ms");
    }
    effects
}

fn verdict(effects: &[Effect]) -> Option<Verdict> {
    effects.iter().find_map(|effect| match effect {
        Effect::Finish(verdict) => Some(*verdict),
        _ => None,
    })
}

fn position(effects: &[Effect], effect: Effect) -> usize {
    effects
        .iter()
        .position(|other| *other == effect)
        .unwrap_or_else(|| panic!("no {effect:?} in {effects:?}"))
}

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

#[test]
fn the_process_ends_with_the_report_if_nobody_asked() {
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

#[test]
fn lingering_ends_with_a_scrape() {
    let effects = play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (5_000, Input::Scraped, Stage::Running),
            (6_000, Input::Start, Stage::Draining),
            (6_000, pending(1, 0), Stage::Draining),
            (7_000, Input::Scraped, Stage::Draining),
            (8_000, pending(0, 0), Stage::Lingering),
            (10_000, Input::Scraped, Stage::Done),
        ],
    );
    assert_eq!(verdict(&effects), Some(Verdict::Drained));
}

#[test]
fn lingering_ends_after_twice_the_interval() {
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (5_000, Input::Scraped, Stage::Running),
            (6_000, Input::Start, Stage::Draining),
            (6_000, pending(0, 0), Stage::Lingering),
            (15_999, Input::Tick, Stage::Lingering),
            (16_000, Input::Tick, Stage::Done),
        ],
    );
}

#[test]
fn lingering_leaves_a_second_before_the_end() {
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (60_000, Input::Scraped, Stage::Running),
            (60_000, Input::Start, Stage::Draining),
            (80_000, pending(0, 0), Stage::Lingering),
            (87_999, Input::Tick, Stage::Lingering),
            (88_000, Input::Tick, Stage::Done),
        ],
    );
}

#[test]
fn nobody_lingers_where_nobody_scraped_or_after_a_force() {
    play(LINGERING, &[(0, Input::Start, Stage::Draining), (0, pending(0, 0), Stage::Done)]);
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (1, FORCE, Stage::Aborting),
            (2, pending(0, 0), Stage::Done),
        ],
    );
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let timeout = || prop_oneof![Just(None), (0u64..30_000).prop_map(|n| Some(ms(n)))];
    (0u64..8_000, timeout(), 0u64..3_000, 0u64..3_000, timeout(), any::<bool>()).prop_map(
        |(announce, drain, hook, grace, exit, linger)| Limits {
            announce_delay: ms(announce),
            drain_timeout: drain,
            hook_timeout: ms(hook),
            abort_grace: ms(grace),
            exit_after: exit,
            linger,
        },
    )
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Start),
        Just(FORCE),
        (0u64..20_000).prop_map(|n| Input::Extend(ms(n))),
        ((0u64..3), (0u64..3)).prop_map(|(wait, last)| pending(wait, last)),
        any::<bool>().prop_map(Input::Released),
        any::<bool>().prop_map(Input::Asked),
        Just(Input::HookReturned),
        Just(Input::Scraped),
        Just(Input::Tick),
    ]
}

/// A driver on a virtual clock: it hands in the events, calls at every `wake_at`, counts when told to, and
/// checks on the way.
struct Driver {
    machine: Machine,
    now: Moment,
    effects: Vec<Effect>,
}

impl Driver {
    fn hand_in(&mut self, input: Input) {
        let before = self.machine.stage();
        let effects = self.machine.on(self.now, &[input]);
        assert!(before <= self.machine.stage(), "a stage never goes back");
        let told = effects.contains(&Effect::TellTasks);
        self.effects.extend(effects);
        if told {
            self.hand_in(pending(1, 1));
        }
    }

    fn run_until(&mut self, end: Moment) {
        while let Some(at) = self.machine.wake_at().filter(|at| *at <= end) {
            assert!(self.now < at || self.now == Duration::ZERO, "it is not called for nothing");
            self.now = at.max(self.now);
            self.hand_in(Input::Tick);
        }
        self.now = end;
    }
}

proptest! {
    #[test]
    fn it_always_ends_by_its_bound_and_never_twice(
        limits in any_limits(),
        events in prop::collection::vec((0u64..5_000, any_input()), 0..40),
    ) {
        let mut driver = Driver { machine: Machine::new(limits), now: Duration::ZERO, effects: Vec::new() };
        driver.hand_in(Input::Asked(true));
        for (gap, input) in events {
            driver.run_until(driver.now + ms(gap));
            if !matches!(input, Input::Pending(_)) || driver.machine.stage() >= Stage::Draining {
                driver.hand_in(input);
            }
        }
        driver.hand_in(Input::Start);
        driver.hand_in(Input::Asked(true));
        let limits = driver.machine.limits;
        if let Some(at) = driver.machine.exit_at() {
            driver.run_until(at.max(driver.now));
            prop_assert_eq!(driver.machine.stage(), Stage::Done);
            prop_assert!(driver.effects.contains(&Effect::Exit));
        } else if let Some(at) = driver.machine.deadline() {
            let patience = driver.machine.scrapes.patience().unwrap_or_default();
            driver.run_until(at.max(driver.now) + limits.hook_timeout + limits.abort_grace + patience);
            prop_assert_eq!(driver.machine.stage(), Stage::Done);
        }
        for once in [Effect::TellTasks, Effect::TellLast, Effect::RunHook, Effect::Abort, Effect::Exit] {
            prop_assert!(driver.effects.iter().filter(|effect| **effect == once).count() <= 1, "{:?}", once);
        }
        let reports = driver.effects.iter().filter(|effect| matches!(effect, Effect::Finish(_))).count();
        prop_assert_eq!(reports, usize::from(driver.machine.stage() == Stage::Done));
    }
}
