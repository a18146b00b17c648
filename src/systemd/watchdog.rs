//! The watchdog: systemd restarts the service unless it hears from it, and it hears from it only while the
//! application's runtime begins new tasks.

use std::ffi::OsString;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::MissedTickBehavior;

use super::notifier::Notifier;

const USEC: &str = "WATCHDOG_USEC";
const PID: &str = "WATCHDOG_PID";

/// The interval that systemd asks this process for; an error says what is wrong with it.
pub(super) fn interval(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Duration>, String> {
    let number = |name: &str| {
        let Some(text) = variable(name) else { return Ok(None) };
        let number =
            text.to_str().and_then(|text| text.trim().parse::<u64>().ok()).filter(|number| *number != 0);
        let expected = || format!("{name}={}: expected a whole number above 0", text.to_string_lossy());
        number.map(Some).ok_or_else(expected)
    };
    let Some(micros) = number(USEC)? else { return Ok(None) };
    // It may be meant for a process that this one was started by.
    let is_ours = number(PID)?.is_none_or(|pid| pid == u64::from(std::process::id()));
    Ok(is_ours.then(|| Duration::from_micros(micros)))
}

/// Reports twice in each interval that the runtime answers, for as long as it does. A runtime that has gone
/// has nothing to answer for: what then still holds the process is ended by `exit_after`.
pub(super) async fn run(notifier: Notifier, runtime: Option<Handle>, interval: Duration) {
    let mut ticks = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(runtime) = &runtime {
            let _ = runtime.spawn(async {}).await;
        }
        notifier.send("WATCHDOG=1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Duration>, String> {
        interval(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).into()))
    }

    #[test]
    fn an_interval_is_for_this_process_or_for_none() {
        let own = std::process::id().to_string();
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(USEC, "2000000")]), Ok(Some(Duration::from_secs(2))));
        assert_eq!(read(&[(USEC, "1"), (PID, &own)]), Ok(Some(Duration::from_micros(1))));
        assert_eq!(read(&[(USEC, "1"), (PID, "1")]), Ok(None));
        for wrong in ["", "soon", "-1", "0", "1.5", "99999999999999999999"] {
            let problem = read(&[(USEC, wrong)]).unwrap_err();
            assert!(problem.starts_with(&format!("WATCHDOG_USEC={wrong}: expected")), "{problem}");
        }
        assert!(read(&[(USEC, "5"), (PID, "me")]).is_err());
    }
}
