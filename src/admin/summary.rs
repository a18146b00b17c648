//! `GET /api/v1/summary` and `GET /api/v1/trends`: the process as a whole.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::context::{Admin, Context};
use super::history::Totals;
use super::lifetime::may_live;
use super::outlook;
use super::problem::Problem;
#[cfg(test)]
use super::wire::Trends;
use super::wire::{
    Attention, Failure, Forecast, Group, GroupLifetime, Hello, Lifetime, Rates, Rejected, Runtime, Summary,
    Terms, Usual, Warning, labels, seconds, time,
};
use super::{stacks, stop};
use crate::attention::{Severity, findings};
use crate::forecast::{self, Load, words::span};
use crate::process::{Identity, untracked};
use crate::registry::registry;
use crate::registry::runtimes::Met;
use crate::settings::{Action, Hide, Settings, Value};
use crate::shutdown::{self, Stage};
use crate::snapshot::{GroupInfo, Kind, Snapshot, TermsInfo};
use headcount_core::{Reason, SetBy};

/// Runtimes in a summary.
const RUNTIMES: usize = 16;

/// Sentences of attention in a summary.
const ATTENTION: usize = 5;

/// The process and all groups: counts, rates, warnings, what can end it, and how a shutdown goes.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/summary", tag = "read", responses(
    (status = 200, description = "The process and all groups", body = Summary),
)))]
pub(super) async fn get(State(context): State<Context>) -> Result<Response, Problem> {
    let admin = Arc::clone(&context.admin);
    let read = move || {
        let (snapshot, load) = forecast::snapshot();
        Json(summary(&admin, &snapshot, &load)).into_response()
    };
    context.admin.readers.short(read).await
}

/// The server's own memory of its figures, for charts.
#[cfg_attr(test, utoipa::path(get, path = "/api/v1/trends", tag = "read", responses(
    (status = 200, description = "The last ten minutes", body = Trends),
)))]
pub(super) async fn trends(State(context): State<Context>) -> Result<Response, Problem> {
    let admin = Arc::clone(&context.admin);
    let read = move || Json(admin.history.lock().trends(&crate::snapshot())).into_response();
    context.admin.readers.short(read).await
}

pub(super) fn summary(admin: &Admin, snapshot: &Snapshot, load: &Load) -> Summary {
    let (process, settings, at) = (&admin.process, admin.settings(), Instant::now());
    let attention = outlook::items(admin, snapshot);
    let forecast = (shutdown::stage() < Stage::Lingering)
        .then(|| Forecast::from(&forecast::Forecast::new(load, &shutdown::terms(settings))));
    let mut groups: Vec<_> = snapshot.groups.iter().map(|info| group(admin, info, at)).collect();
    let history = admin.history.lock();
    groups.sort_by(|one, other| interest(other).cmp(&interest(one)).then_with(|| one.name.cmp(&other.name)));
    Summary {
        process: hello(&process.identity),
        uptime_seconds: seconds(process.identity.uptime()),
        stage: shutdown::stage().as_str(),
        live: snapshot.live,
        blocked: snapshot.blocked,
        states: snapshot.states.into(),
        spawned: snapshot.spawned,
        finished: snapshot.finished.into(),
        untracked: untracked(snapshot),
        runtimes: runtimes(admin, snapshot.blocked),
        runtimes_total: registry().runtimes.all().len(),
        rates: history.rates(None, at, Totals::of_all(snapshot)),
        groups_total: groups.len(),
        groups,
        lifetime: lifetime(settings, snapshot),
        attention: attention.iter().take(ATTENTION).map(Attention::from).collect(),
        forecast,
        shutdown: stop::status(settings, load),
        trace_url: settings.trace_url.as_ref().map(|url| url.0.clone()),
        actions: settings.allow_actions.contains(Action::Cancel)
            && settings.allow_actions.contains(Action::Shutdown),
        services: headcount_core::services().len(),
        permissions: permissions(settings),
    }
}

/// The runtimes: those that answer latest, then those that were met first.
fn runtimes(admin: &Admin, blocked: u64) -> Vec<Runtime> {
    let limit = admin.settings().unresponsive_after.unwrap_or(Duration::MAX);
    let mut runtimes: Vec<_> = registry()
        .runtimes
        .all()
        .into_iter()
        .map(|met| (admin.probe.waiting(&met).filter(|waiting| limit < *waiting), met))
        .collect();
    runtimes.sort_by_key(|(waiting, met)| (Reverse(waiting.unwrap_or_default()), met.number));
    let runtime = |(waiting, met): (Option<Duration>, Arc<Met>)| Runtime {
        number: met.number,
        name: Arc::clone(&met.name),
        workers: met.handle.metrics().num_workers(),
        alive: met.alive(),
        blocked: admin.blocked_in(&met, blocked),
        queue_depth: met.handle.metrics().global_queue_depth(),
        silent_seconds: waiting.map(seconds),
    };
    runtimes.into_iter().take(RUNTIMES).map(runtime).collect()
}

/// The actions that are permitted, by their names.
fn permissions(settings: &Settings) -> Vec<&'static str> {
    let all = [
        (Action::Cancel, "cancel"),
        (Action::Shutdown, "shutdown"),
        (Action::Run, "run"),
        (Action::Close, "close"),
    ];
    let permitted = all.into_iter().filter(|(action, _)| settings.allow_actions.contains(*action));
    permitted.map(|(_, name)| name).chain(stacks::are_permitted().then_some("stacks")).collect()
}

pub(super) fn hello(identity: &Identity) -> Hello {
    Hello {
        service: identity.service.clone(),
        version: env!("CARGO_PKG_VERSION"),
        instance: identity.instance.clone(),
        pid: identity.pid,
        started_at: time(identity.started_at()),
    }
}

/// What one looks for first: trouble, then what lives, then what did most.
fn interest(group: &Group) -> (Option<Reverse<Severity>>, u64, u64, Reverse<u32>) {
    // Nothing is less than any severity, and the gravest is the greatest.
    (
        group.warnings.first().map(|warning| Reverse(warning.severity)),
        group.live,
        group.spawned,
        Reverse(group.id),
    )
}

fn group(admin: &Admin, info: &GroupInfo, at: Instant) -> Group {
    let settings = admin.settings();
    let findings = findings(&outlook::seen(admin, info, at));
    let hidden = settings.hide.contains(&Hide::Messages);
    let rates = admin.history.lock().rates(Some(info.id.get()), at, Totals::of_group(info));
    Group {
        id: info.id.get(),
        name: info.name.clone(),
        kind: info.kind,
        labels: labels(&info.labels),
        location: info.location.clone(),
        live: info.live,
        blocked: info.blocked,
        spawned: info.spawned,
        finished: info.finished.into(),
        polls: info.polls,
        slow_polls: info.slow_polls,
        busy_seconds: seconds(info.busy),
        usual: info.usual.map(Usual::from),
        oldest_age_seconds: info.oldest.map(|oldest| seconds(oldest.age)),
        oldest_task: info.oldest.map(|oldest| oldest.id.get()),
        last_failure: info.last_failure.as_ref().map(|failure| Failure {
            at: time(failure.at),
            task: failure.task.get(),
            outcome: failure.outcome,
            message: failure.message.clone().filter(|_| !hidden),
        }),
        terms: info.terms.as_ref().map(|terms| terms_of(info.kind, terms, settings)),
        rates: Rates { busy_share: rates.busy_share.filter(|_| info.kind != Kind::Blocking), ..rates },
        warnings: findings.into_iter().map(Warning::from).collect(),
    }
}

fn terms_of(kind: Kind, terms: &TermsInfo, settings: &Settings) -> Terms {
    let rejected = |wanted: Reason| {
        let counts = terms.rejected.iter().filter(|(reason, _)| *reason == wanted);
        counts.map(|(_, count)| count).sum()
    };
    Terms {
        timeout_seconds: terms.timeout.map(seconds),
        timeout_by_operator: terms.timeout_set_by.is_some_and(|set_by| set_by != SetBy::Code),
        limit: terms.limit,
        queue: terms.queue,
        limited: terms.limited,
        rejected: Rejected { full: rejected(Reason::Full), duplicate: rejected(Reason::Duplicate) },
        lifetime: may_live(kind, terms, settings),
    }
}

fn lifetimes(settings: &Settings, snapshot: &Snapshot) -> Vec<GroupLifetime> {
    let lifetime = |group: &GroupInfo| {
        let terms = group.terms.as_ref().filter(|terms| terms.timeout.is_some() || terms.limit.is_some())?;
        let sentence = may_live(group.kind, terms, settings);
        Some(GroupLifetime { id: group.id.get(), name: group.name.clone(), sentence })
    };
    snapshot.groups.iter().filter_map(lifetime).collect()
}

fn lifetime(settings: &Settings, snapshot: &Snapshot) -> Lifetime {
    let signals = if settings.signals { vec!["SIGINT", "SIGTERM"] } else { Vec::new() };
    Lifetime {
        signals,
        drain_timeout_seconds: settings.drain_timeout.map(seconds),
        announce_delay_seconds: seconds(settings.announce_delay),
        abort_grace_seconds: seconds(settings.abort_grace),
        hook_timeout_seconds: seconds(settings.hook_timeout),
        exit_after_seconds: settings.exit_after.map(seconds),
        platform_grace_seconds: settings.platform_grace.map(seconds),
        linger: settings.linger.show().to_lowercase(),
        late_spawns: settings.late_spawns.show().to_lowercase(),
        request_limit: stop::request_limit(),
        sentences: sentences(settings),
        groups: lifetimes(settings, snapshot),
    }
}

fn short(duration: Duration) -> String {
    span(duration.as_secs_f64())
}

/// What can end the process, for people.
pub(super) fn sentences(settings: &Settings) -> Vec<String> {
    let start = if settings.signals {
        "SIGINT (Ctrl-C) or SIGTERM begins the shutdown; a second one forces it, a third ends the process at once."
    } else {
        "The application begins the shutdown itself: signals are not listened for."
    };
    let mut sentences = vec![start.to_owned()];
    if settings.announce_delay != Duration::ZERO {
        let delay = short(settings.announce_delay);
        sentences.push(format!("/readyz answers 503 at once; {delay} later tasks are asked to stop."));
    }
    sentences.push(match settings.drain_timeout {
        Some(timeout) => format!("Background tasks are waited for at most {}, then aborted.", short(timeout)),
        None => "Background tasks are waited for as long as they take.".to_owned(),
    });
    sentences.push(match settings.exit_after {
        Some(after) => {
            format!("The process exits {} after the shutdown begins, whatever still holds it.", short(after))
        }
        None => "Nothing ends the process but its own end.".to_owned(),
    });
    if let Some(grace) = settings.platform_grace {
        sentences.push(format!("The platform kills the process {} after its signal.", short(grace)));
    }
    sentences
}
