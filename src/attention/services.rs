//! What needs attention of services and timers: those that are over, restart again and again, or go on
//! without a success.

use std::time::{Duration, SystemTime};

use headcount_core::{Kind, ServiceInfo, ServiceState};

use super::{Item, Link, Severity};
use crate::forecast::words::span;
use crate::name::escape;

/// So many failures in a row, or so many periods without a success, are no accident.
const MANY: u64 = 3;

/// A sentence for each service or timer that needs one.
pub(super) fn items(services: &[ServiceInfo], now: SystemTime) -> Vec<Item> {
    services.iter().filter_map(|service| item(service, now)).collect()
}

fn item(service: &ServiceInfo, now: SystemTime) -> Option<Item> {
    let (severity, text, since) = finding(service)?;
    Some(Item {
        severity,
        sentence: format!("{} {text}", escape(&service.name)),
        since: now.checked_sub(since),
        location: Some(service.location.to_string()),
        link: Link::Services,
    })
}

/// The sentence behind the name, and since when it is true.
fn finding(service: &ServiceInfo) -> Option<(Severity, String, Duration)> {
    let failed = service.failures_in_a_row;
    let how = how(service);
    match service.state {
        ServiceState::Failed => {
            let text = format!("has failed {failed} times in a row and is not restarted ({how})");
            Some((Severity::Critical, text, service.state_for))
        }
        ServiceState::Lost => {
            let text = "is lost: its runtime ended before it was stopped".to_owned();
            Some((Severity::Critical, text, service.state_for))
        }
        ServiceState::BackingOff if 2 <= failed => {
            let next = service.next_in.map(|next| format!(", the next restart is in {}", of(next)));
            let text = format!("has failed {failed} times in a row ({how}){}", next.unwrap_or_default());
            Some((Severity::Warning, text, service.last.as_ref()?.ended_ago))
        }
        ServiceState::Waiting | ServiceState::Running if service.kind == Kind::Timer => silent(service, &how),
        _ => None,
    }
}

/// A timer that ticks, or does not come to its next tick, without a success.
fn silent(service: &ServiceInfo, how: &str) -> Option<(Severity, String, Duration)> {
    let (period, quiet) = (service.period?, service.last_success.unwrap_or(service.age));
    let limit = period.saturating_mul(u32::try_from(MANY).unwrap_or(u32::MAX));
    if service.failures_in_a_row < MANY && quiet <= limit {
        return None;
    }
    let since = match service.last_success {
        Some(ago) => format!("last succeeded {} ago, its period is {}", of(ago), of(period)),
        None => format!("has not succeeded once in {}, its period is {}", of(service.age), of(period)),
    };
    let why = match service.running_for.filter(|running| period < *running) {
        Some(running) => format!("a run has been alive for {}", of(running)),
        None if service.failures_in_a_row == 0 => "its runtime is not polled".to_owned(),
        None => format!("{} failures in a row, {how}", service.failures_in_a_row),
    };
    Some((Severity::Warning, format!("{since}: {why}"), quiet))
}

/// How the last run ended. Its message may be hidden from readers, so it is left out.
fn how(service: &ServiceInfo) -> String {
    service.last.as_ref().map_or_else(String::new, |last| format!("the last ended as {}", last.outcome))
}

fn of(duration: Duration) -> String {
    span(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use headcount_core::Outcome;
    use headcount_core::internal::samples;

    use super::*;

    #[track_caller]
    fn says(service: ServiceInfo, severity: Severity, sentence: &str) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000);
        let items = items(&[service], now);
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!((item.severity, item.sentence.as_str()), (severity, sentence));
        assert_eq!(item.link, Link::Services);
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_over_or_fails_again_and_again_has_a_sentence() {
        let service = || changed!(samples::service(), failures_in_a_row: 6);
        says(
            changed!(service(), state: ServiceState::Failed),
            Severity::Critical,
            "consumer has failed 6 times in a row and is not restarted (the last ended as panic)",
        );
        says(
            changed!(service(), state: ServiceState::Lost),
            Severity::Critical,
            "consumer is lost: its runtime ended before it was stopped",
        );
        says(
            changed!(service(), state: ServiceState::BackingOff, next_in: Some(seconds(8))),
            Severity::Warning,
            "consumer has failed 6 times in a row (the last ended as panic), the next restart is in 8 s",
        );
    }

    #[test]
    fn a_timer_without_a_success_has_a_sentence() {
        let timer = || changed!(samples::service(), kind: Kind::Timer, state: ServiceState::Waiting, period: Some(seconds(30)), running_for: None);
        says(
            changed!(timer(), failures_in_a_row: 4, last_success: Some(seconds(130))),
            Severity::Warning,
            "consumer last succeeded 2 m 10 s ago, its period is 30 s: 4 failures in a row, the last ended as panic",
        );
        says(
            changed!(timer(), failures_in_a_row: 3, last_success: None),
            Severity::Warning,
            "consumer has not succeeded once in 1 h, its period is 30 s: 3 failures in a row, the last ended as panic",
        );
        says(
            changed!(timer(), failures_in_a_row: 0, last_success: Some(seconds(200)), state: ServiceState::Running, running_for: Some(seconds(190))),
            Severity::Warning,
            "consumer last succeeded 3 m 20 s ago, its period is 30 s: a run has been alive for 3 m 10 s",
        );
    }

    #[test]
    fn what_goes_on_as_it_should_has_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000);
        let service = changed!(samples::service(), failures_in_a_row: 0);
        let timer = changed!(service.clone(), kind: Kind::Timer, state: ServiceState::Waiting, period: Some(seconds(30)), last_success: Some(seconds(60)));
        let ended = changed!(service.clone(), state: ServiceState::Ended);
        let stopped = changed!(service.clone(), state: ServiceState::Stopped, failures_in_a_row: 3);
        let once = changed!(service.clone(), state: ServiceState::BackingOff, failures_in_a_row: 1);
        assert_eq!(items(&[service, timer, ended, stopped, once], now), []);
        assert_eq!(Outcome::Panic.to_string(), "panic");
    }
}
