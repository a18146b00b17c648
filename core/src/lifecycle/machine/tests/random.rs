//! What holds whatever happens, in any order.

use proptest::prelude::*;

use super::super::scrapes::Scrapes;
use super::*;

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

/// A driver on a virtual clock: it hands in the events, calls at every `wake_at`, counts when an effect asks
/// for it, and checks on the way.
struct Driver {
    machine: Machine,
    now: Moment,
    effects: Vec<Effect>,
    scrapes: Scrapes,
}

impl Driver {
    fn hand_in(&mut self, input: Input) {
        let before = self.machine.stage();
        if matches!(input, Input::Scraped) {
            self.scrapes.saw(self.now);
        }
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
        let mut driver = Driver { machine: Machine::new(limits), now: Duration::ZERO, effects: Vec::new(), scrapes: Scrapes::default() };
        driver.hand_in(Input::Asked(true));
        for (gap, input) in events {
            driver.run_until(driver.now + ms(gap));
            if !matches!(input, Input::Pending(_)) || driver.machine.stage() >= Stage::Draining {
                driver.hand_in(input);
            }
        }
        driver.hand_in(Input::Start);
        driver.hand_in(Input::Asked(true));
        if let Some(at) = driver.machine.exit_at() {
            driver.run_until(at.max(driver.now));
            prop_assert_eq!(driver.machine.stage(), Stage::Done);
            prop_assert!(driver.effects.contains(&Effect::Exit));
        } else if let Some(at) = driver.machine.deadline() {
            let patience = driver.scrapes.patience().unwrap_or_default();
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
