//! How long the tasks of a group may live, as a sentence: by timeout, limit, and what a shutdown does.

use std::time::Duration;

use crate::forecast::words::span;
use crate::settings::Settings;
use crate::snapshot::{Kind, OnShutdown, TermsInfo};
use headcount_core::SetBy;

/// What a `Last` task has without a grace of its own, once the others are abandoned.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// `may live at most 30 s, since HEADCOUNT_TIMEOUT says so; at a shutdown at most 25 s more`.
pub(super) fn may_live(kind: Kind, terms: &TermsInfo, settings: &Settings) -> String {
    let parts = [Some(lives(kind, terms)), at_once(terms), Some(at_shutdown(kind, terms, settings))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Whether a timeout aborts tasks of a kind, or only marks them.
fn is_abortable(kind: Kind) -> bool {
    !matches!(kind, Kind::Blocking | Kind::Future | Kind::Request)
}

fn lives(kind: Kind, terms: &TermsInfo) -> String {
    let Some(timeout) = terms.timeout else { return "may live as long as the process".to_owned() };
    let set_by = terms.timeout_set_by.unwrap_or_default();
    let admitted = if terms.limit.is_some() { " once admitted" } else { "" };
    let extends = if set_by == SetBy::Code { " unless it extends that" } else { "" };
    let (timeout, says) = (short(timeout), set_by.says("HEADCOUNT_TIMEOUT"));
    if is_abortable(kind) {
        format!("may live at most {timeout}{admitted}{extends}, since {says}")
    } else {
        format!("is overdue after {timeout}{admitted}{extends}, since {says}, and goes on")
    }
}

fn at_once(terms: &TermsInfo) -> Option<String> {
    let (limit, queue) = (terms.limit?, terms.queue?);
    let says = terms.limit_set_by.unwrap_or_default().says("HEADCOUNT_LIMIT");
    Some(format!("at most {limit} run at once and {queue} wait, since {says}"))
}

/// How long a shutdown waits for one of its tasks.
fn at_shutdown(kind: Kind, terms: &TermsInfo, settings: &Settings) -> String {
    // It counts from the beginning of the shutdown, and a grace from when the task is asked to stop.
    let at_most = settings.drain_timeout;
    let until = |end: Duration| short(settings.exit_after.map_or(end, |exit| exit.min(end)));
    let asked = |grace: Duration| settings.announce_delay.saturating_add(grace);
    let bounded = |grace: Option<Duration>| at_most.into_iter().chain(grace.map(asked)).min();
    let waited = |end: Option<Duration>| match end {
        Some(end) if is_abortable(kind) => format!("at a shutdown at most {} more", until(end)),
        Some(end) => format!("at a shutdown it is waited for at most {}", until(end)),
        None => "at a shutdown it is waited for as long as it takes".to_owned(),
    };
    match terms.on_shutdown {
        OnShutdown::Detach => "at a shutdown it is not waited for".to_owned(),
        OnShutdown::Cancel if !is_abortable(kind) => "at a shutdown it is not waited for".to_owned(),
        OnShutdown::Cancel if settings.announce_delay.is_zero() => {
            "at a shutdown it is aborted at once".to_owned()
        }
        OnShutdown::Cancel => {
            let after = bounded(Some(Duration::ZERO)).unwrap_or_default();
            format!("at a shutdown it is aborted after {}", until(after))
        }
        OnShutdown::Last => {
            let cut = settings.hook_timeout.saturating_add(settings.abort_grace);
            let grace = terms.grace.unwrap_or(LAST_GRACE).min(cut);
            let most = at_most.map(|end| format!(", at most {}", until(end.saturating_add(grace))));
            let most = most.unwrap_or_default();
            format!("at a shutdown it goes on until nothing else is waited for{most}")
        }
        OnShutdown::Connection if is_abortable(kind) => {
            waited(bounded(Some(terms.grace.unwrap_or(settings.connection_grace))))
        }
        OnShutdown::Connection => waited(at_most),
        _ => waited(bounded(terms.grace)),
    }
}

fn short(duration: Duration) -> String {
    span(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use headcount_core::internal::samples;

    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn settings() -> Settings {
        Settings { exit_after: Some(secs(29)), ..Settings::default() }
    }

    fn timed(set_by: SetBy) -> TermsInfo {
        changed!(samples::terms(), timeout: Some(secs(30)), timeout_set_by: Some(set_by))
    }

    #[test]
    fn a_timeout_names_what_set_it() {
        let said = |kind, set_by| may_live(kind, &timed(set_by), &settings());
        let table = [
            (Kind::Task, SetBy::Variable, "may live at most 30 s, since HEADCOUNT_TIMEOUT says so"),
            (Kind::Local, SetBy::Builder, "may live at most 30 s, since the builder says so"),
            (
                Kind::Service,
                SetBy::Code,
                "may live at most 30 s unless it extends that, since its code says so",
            ),
        ];
        for (kind, set_by, sentence) in table {
            assert_eq!(said(kind, set_by), format!("{sentence}; at a shutdown at most 25 s more"));
        }
        for kind in [Kind::Blocking, Kind::Future, Kind::Request] {
            assert_eq!(
                said(kind, SetBy::Variable),
                "is overdue after 30 s, since HEADCOUNT_TIMEOUT says so, and goes on; at a shutdown it is waited \
                 for at most 25 s"
            );
        }
    }

    #[test]
    fn a_limit_names_what_set_it() {
        let limited = |set_by| changed!(timed(SetBy::Variable), limit: Some(4), queue: Some(9), limit_set_by: Some(set_by));
        let table = [
            (SetBy::Code, "its code"),
            (SetBy::Builder, "the builder"),
            (SetBy::Variable, "HEADCOUNT_LIMIT"),
            (SetBy::Call, "set_limit"),
        ];
        for (set_by, origin) in table {
            let sentence = format!(
                "may live at most 30 s once admitted, since HEADCOUNT_TIMEOUT says so; at most 4 run at once and 9 \
                 wait, since {origin} says so; at a shutdown at most 25 s more"
            );
            assert_eq!(may_live(Kind::Task, &limited(set_by), &settings()), sentence);
        }
    }

    #[track_caller]
    fn at(kind: Kind, policy: OnShutdown, grace: Option<u64>, settings: &Settings) -> String {
        let terms = changed!(samples::terms(), on_shutdown: policy, grace: grace.map(secs));
        let said = may_live(kind, &terms, settings);
        let said = said.strip_prefix("may live as long as the process; at a shutdown ").expect(&said);
        said.to_owned()
    }

    #[test]
    fn a_shutdown_follows_policy_and_grace() {
        use Kind::{Blocking, Task};
        use OnShutdown::{Cancel, Connection, Detach, Last, Wait};

        let table = [
            (Task, Wait, None, "at most 25 s more"),
            (Task, Wait, Some(4), "at most 4 s more"),
            (Task, Wait, Some(60), "at most 25 s more"),
            (Task, Cancel, None, "it is aborted at once"),
            (Task, Last, None, "it goes on until nothing else is waited for, at most 26 s"),
            (Task, Last, Some(60), "it goes on until nothing else is waited for, at most 27 s"),
            (Task, Detach, Some(4), "it is not waited for"),
            (Task, Connection, None, "at most 2 s more"),
            (Task, Connection, Some(5), "at most 5 s more"),
            (Blocking, Wait, Some(4), "it is waited for at most 4 s"),
            (Blocking, Cancel, None, "it is not waited for"),
            (Blocking, Connection, None, "it is waited for at most 25 s"),
        ];
        for (kind, policy, grace, sentence) in table {
            assert_eq!(at(kind, policy, grace, &settings()), sentence, "{kind:?} {policy:?} {grace:?}");
        }
        let announced = Settings { announce_delay: secs(5), ..settings() };
        assert_eq!(at(Task, Wait, None, &announced), "at most 25 s more");
        assert_eq!(at(Task, Wait, Some(4), &announced), "at most 9 s more");
        assert_eq!(at(Task, Cancel, None, &announced), "it is aborted after 5 s");
        let short_lived = Settings { exit_after: Some(secs(20)), ..settings() };
        assert_eq!(at(Task, Wait, None, &short_lived), "at most 20 s more", "the process exits then");
        let endless = Settings { drain_timeout: None, exit_after: None, ..settings() };
        assert_eq!(at(Task, Wait, None, &endless), "it is waited for as long as it takes");
        assert_eq!(at(Task, Wait, Some(4), &endless), "at most 4 s more");
        assert_eq!(at(Task, Last, None, &endless), "it goes on until nothing else is waited for");
    }
}
