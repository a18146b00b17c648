mod force;
mod last;
mod linger;
mod random;
mod stages;

use std::time::Duration;

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
