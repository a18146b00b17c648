//! The whole time budget of a shutdown, as it is logged at install.

use std::time::Duration;

use super::text;
use crate::settings::Settings;

/// What exit handlers and the last lines may take.
const EXITING: Duration = Duration::from_millis(500);

/// One line that says how long everything may take.
pub(crate) fn line(settings: &Settings) -> String {
    let start = if settings.signals { "On SIGINT or SIGTERM" } else { "On a shutdown" };
    let announce = match settings.announce_delay {
        Duration::ZERO => String::new(),
        delay => format!("the service goes on for {}, ", text::setting(Some(delay))),
    };
    let wait = match settings.drain_timeout {
        Some(timeout) => format!("tasks have until {} after it", text::setting(Some(timeout))),
        None => "tasks have all the time they need".to_owned(),
    };
    let hook = text::setting(Some(settings.hook_timeout));
    let grace = text::setting(Some(settings.abort_grace));
    let exit = match settings.exit_after {
        Some(after) => format!("the process ends {} after it at the latest", text::setting(Some(after))),
        None => "nothing ends the process but its own end".to_owned(),
    };
    format!("{start}: {announce}{wait}, then {hook} for the hook and {grace} to be dropped; {exit}")
}

/// What does not fit.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(exit_after) = settings.exit_after else {
        if let Some(grace) = settings.platform_grace {
            let grace = text::setting(Some(grace));
            warnings.push(format!(
                "`exit_after` is none: the platform kills the process after {grace}, and the log will not show why"
            ));
        }
        return warnings;
    };
    let shown = text::setting(Some(exit_after));
    if let Some(grace) = settings.platform_grace.filter(|grace| *grace < exit_after) {
        let grace = text::setting(Some(grace));
        warnings.push(format!(
            "`exit_after` ({shown}) is longer than `platform_grace` ({grace}): the platform kills the process first"
        ));
    } else if let Some(grace) =
        settings.platform_grace.filter(|grace| *grace < exit_after.saturating_add(EXITING))
    {
        let (grace, exiting) = (text::setting(Some(grace)), text::setting(Some(EXITING)));
        warnings.push(format!(
            "`platform_grace` ({grace}) leaves less than {exiting} after `exit_after` ({shown}), which the exit \
             itself may take: the platform may kill the process first"
        ));
    }
    let needed = settings
        .drain_timeout
        .map(|timeout| timeout.saturating_add(settings.hook_timeout).saturating_add(settings.abort_grace));
    match needed {
        Some(needed) if exit_after < needed => {
            let needed = text::setting(Some(needed));
            warnings.push(format!(
                "`exit_after` ({shown}) is shorter than `drain_timeout`, `hook_timeout` and `abort_grace` together \
                 ({needed}): tasks may be cut without their time"
            ));
        }
        None => {
            warnings
                .push(format!("`drain_timeout` is none, but `exit_after` ends the process after {shown}"));
        }
        Some(_) => {}
    }
    if settings.drain_timeout.is_some_and(|timeout| timeout <= settings.announce_delay) {
        warnings
            .push("`announce_delay` leaves nothing of `drain_timeout`: tasks are aborted at once".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "as the settings are")]
    const fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn the_defaults_fit_and_say_so() {
        let settings = Settings::default();
        assert_eq!(
            line(&settings),
            "On SIGINT or SIGTERM: tasks have until 25s after it, then 1s for the hook and 1s to be dropped; the \
             process ends 29s after it at the latest"
        );
        assert!(warnings(&settings).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            warnings(&settings).join("\n")
        };
        assert!(
            with(|settings| settings.platform_grace = seconds(20))
                .contains("longer than `platform_grace` (20s)")
        );
        assert!(
            with(|settings| settings.platform_grace = seconds(29))
                .contains("`platform_grace` (29s) leaves less")
        );
        assert_eq!(with(|settings| settings.platform_grace = seconds(30)), "");
        assert!(with(|settings| settings.exit_after = seconds(26)).contains("(27s)"));
        assert!(with(|settings| settings.drain_timeout = None).contains("`drain_timeout` is none"));
        assert!(
            with(|settings| settings.announce_delay = Duration::from_secs(25)).contains("leaves nothing")
        );
        let killed = with(|settings| {
            settings.exit_after = None;
            settings.platform_grace = seconds(30);
        });
        assert!(killed.contains("will not show why"));
    }
}
