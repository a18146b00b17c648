//! How much more time a shutdown asks for, and when: only while something moves.
//!
//! systemd lets a service stop for `TimeoutStopSec`. Beyond that it needs a message before the last one's
//! extension is over, so a drain that no longer moves is killed then.

use std::time::Duration;

use crate::shutdown::{Movement, Stage};

/// What is asked for each time. A drain that does not move for so long has no more time.
pub(super) const EXTENSION: Duration = Duration::from_secs(10);

/// What was last seen of the shutdown.
#[derive(Debug, Default)]
pub(super) struct Extension(Option<Movement>);

impl Extension {
    /// The time to ask for now, if any. `exit_in`: when the process is ended in any case.
    pub(super) fn next(&mut self, now: Movement, exit_in: Option<Duration>) -> Option<Duration> {
        // These stages are as long as the settings say: that nothing ends meanwhile means nothing.
        let takes_its_time =
            [Stage::Announcing, Stage::Lingering].iter().any(|stage| now.stage == stage.number());
        let moves = self.0.replace(now) != Some(now) || takes_its_time;
        let time = exit_in.map_or(EXTENSION, |left| left.min(EXTENSION));
        (moves && !time.is_zero()).then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn time_is_asked_for_only_while_something_moves_and_never_past_the_exit() {
        let stage = |stage: Stage| Movement { stage: stage.number(), ..Movement::default() };
        let draining = stage(Stage::Draining);
        let mut extension = Extension::default();
        for (now, exit_in, asked) in [
            (stage(Stage::Announcing), Some(29), Some(10)),
            (stage(Stage::Announcing), Some(28), Some(10)),
            (draining, Some(27), Some(10)),
            (draining, Some(26), None),
            (Movement { ended: 1, ..draining }, Some(25), Some(10)),
            (Movement { ended: 1, ..draining }, Some(24), None),
            (Movement { ended: 1, done: 3, ..draining }, Some(7), Some(7)),
            (Movement { ended: 2, done: 0, ..draining }, None, Some(10)),
            (stage(Stage::Aborting), Some(0), None),
            (stage(Stage::Lingering), Some(2), Some(2)),
            (stage(Stage::Lingering), Some(1), Some(1)),
            (stage(Stage::Done), Some(1), Some(1)),
            (stage(Stage::Done), Some(1), None),
        ] {
            assert_eq!(extension.next(now, exit_in.map(seconds)), asked.map(seconds), "{now:?}");
        }
    }
}
