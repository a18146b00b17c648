//! The table of settings: from it come the methods of [`Builder`], the variables, and `docs/SETTINGS.md`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::builder::OnAbandon;
use super::value::{
    Actions, Buckets, ByName, Hide, LateSpawns, Limits, Linger, Log, Policy, Recorder, Secret, SigHup,
    SigQuit, Stacks, TaskLimit, Timeouts, TraceUrl, Value,
};
use crate::error::Error;
use crate::registry::config::Redact;
use crate::snapshot::OnShutdown;
use headcount_core::carry::Carrier;

/// What one line of the table says of a setting.
#[cfg_attr(not(test), expect(dead_code, reason = "a test writes the document"))]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) default: &'static str,
    /// Without this feature it has no effect.
    pub(crate) feature: Option<&'static str>,
    pub(crate) compiled: bool,
    pub(crate) about: &'static [&'static str],
}

/// Where a variable changed what the code or the default said.
pub(crate) struct Difference {
    pub(crate) variable: &'static str,
    pub(crate) from: String,
    pub(crate) to: String,
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        [$variable:literal, $default:literal $(, $feature:literal)?]
        $name:ident($argument:ident: $accepts:ty): $type:ty = $value:expr;
    )*) => {
        /// All settings, as the builder and then the variables left them.
        #[derive(Clone)]
        pub(crate) struct Settings {
            $(pub(crate) $name: $type,)*
            pub(crate) ignore_env: bool,
            pub(crate) redact: Option<Redact>,
            pub(crate) on_abandon: Option<OnAbandon>,
            pub(crate) carriers: Vec<Arc<dyn Carrier>>,
            #[cfg(feature = "exporter")]
            pub(crate) prometheus_handle: Option<metrics_exporter_prometheus::PrometheusHandle>,
            /// Those that code or a variable set.
            pub(crate) chosen: BTreeSet<&'static str>,
            /// The variables that set one.
            pub(crate) by_variable: BTreeSet<&'static str>,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($name: default_of($variable, $default),)*
                    ignore_env: false,
                    redact: None,
                    on_abandon: None,
                    carriers: Vec::new(),
                    #[cfg(feature = "exporter")]
                    prometheus_handle: None,
                    chosen: BTreeSet::new(),
                    by_variable: BTreeSet::new(),
                }
            }
        }

        impl Settings {
            /// Takes what a variable says, and returns the difference that this made, if any. `None`: no such
            /// variable.
            pub(super) fn take(&mut self, variable: &str, text: &str) -> Option<Result<Option<Difference>, Error>> {
                match variable {
                    $($variable => {
                        self.chosen.insert(stringify!($name));
                        self.by_variable.insert($variable);
                        Some(replace(&mut self.$name, $variable, text))
                    })*
                    _ => None,
                }
            }
        }

        /// The table, for documents and for what a build leaves out.
        pub(crate) const TABLE: &[Row] = &[$(Row {
            name: stringify!($name),
            variable: $variable,
            default: $default,
            feature: first(&[$($feature)?]),
            compiled: true $(&& cfg!(feature = $feature))?,
            about: &[$($about),+],
        }),*];

        impl Builder {
            $(
                $(#[doc = $about])+
                #[doc = concat!("\n\nDefault: `", $default, "`. Variable: `", $variable, "`.")]
                $(#[doc = concat!("\nHas no effect without the feature `", $feature, "`.")])?
                pub fn $name(mut self, $argument: $accepts) -> Self {
                    self.settings.$name = $value;
                    self.settings.chosen.insert(stringify!($name));
                    self
                }
            )*
        }
    };
}

settings! {
    /// The name of the service, on the dashboard and in reports; `none` is the name of the executable.
    ["HEADCOUNT_SERVICE", "none"]
    service(name: impl Into<String>): Option<String> = Some(name.into());

    /// Where the admin server listens; `none` for no server. If this default is taken, another port is used;
    /// if an address that was chosen is taken, that is an error. Outside loopback it needs a `token`.
    ["HEADCOUNT_ADMIN", "127.0.0.1:7717", "admin"]
    admin(address: impl Into<Option<SocketAddr>>): Option<SocketAddr> = address.into();

    /// What clients of the admin server may make the application do: `none`, `yes` for `cancel` and
    /// `shutdown`, or a list of `cancel`, `shutdown`, `run` and `close`.
    ["HEADCOUNT_ALLOW_ACTIONS", "none", "admin"]
    allow_actions(allow: impl Into<Actions>): Actions = allow.into();

    /// An address that serves `/livez` and `/readyz` alone, without the names of tasks and without a token,
    /// for the probes of an orchestrator; `none` for none.
    ["HEADCOUNT_HEALTH", "none", "admin"]
    health(address: impl Into<Option<SocketAddr>>): Option<SocketAddr> = address.into();

    /// The token that a client must send: `Authorization: Bearer …` or `X-Headcount-Token: …`.
    /// `HEADCOUNT_TOKEN` wins over a file named in code.
    ["HEADCOUNT_TOKEN", "none", "admin"]
    token(token: impl Into<String>): Option<Secret> = Some(Secret(token.into()));

    /// A file that holds the `token`, read once; white space around it is left out. At most 4 KiB. If both
    /// variables are set, the file wins.
    ["HEADCOUNT_TOKEN_FILE", "none", "admin"]
    token_file(path: impl Into<PathBuf>): Option<PathBuf> = Some(path.into());

    /// Whether `/metrics` is given without the token.
    ["HEADCOUNT_PUBLIC_METRICS", "no", "admin"]
    public_metrics(public: bool): bool = public;

    /// Names by which the admin server may be called, besides `localhost` and any IP address.
    ["HEADCOUNT_ALLOWED_HOSTS", "none", "admin"]
    allowed_hosts(hosts: impl IntoIterator<Item = impl Into<String>>): Vec<String>
        = hosts.into_iter().map(Into::into).collect();

    /// Whether the application itself controls access to the router that it mounted. Without a token and
    /// without this, that router answers 403.
    ["HEADCOUNT_TRUST_OUTER_AUTH", "no", "admin"]
    trust_outer_auth(trust: bool): bool = trust;

    /// How long background tasks are waited for, from the start of the shutdown, `announce_delay` included;
    /// `none` for as long as they take.
    ["HEADCOUNT_DRAIN_TIMEOUT", "25s"]
    drain_timeout(at_most: impl Into<Option<Duration>>): Option<Duration> = at_most.into();

    /// How long the process keeps working after `/readyz` turns to 503, so that load balancers notice.
    ["HEADCOUNT_ANNOUNCE_DELAY", "0s"]
    announce_delay(delay: Duration): Duration = delay;

    /// How long the shutdown waits until aborted tasks are dropped.
    ["HEADCOUNT_ABORT_GRACE", "1s"]
    abort_grace(at_most: Duration): Duration = at_most;

    /// How long a connection task may run after it is notified; then it is cancelled.
    ["HEADCOUNT_CONNECTION_GRACE", "2s"]
    connection_grace(at_most: Duration): Duration = at_most;

    /// How long the `on_abandon` hook may take for all tasks together.
    ["HEADCOUNT_HOOK_TIMEOUT", "1s"]
    hook_timeout(at_most: Duration): Duration = at_most;

    /// When the process exits at the latest, counted from the start of the shutdown; `none` for never. Unless
    /// set, it is `drain_timeout` + 4 s, and `none` if `drain_timeout` is `none`.
    ["HEADCOUNT_EXIT_AFTER", "29s"]
    exit_after(at_most: impl Into<Option<Duration>>): Option<Duration> = at_most.into();

    /// What the platform allows between its signal and its kill (30 s for Kubernetes, 90 s for systemd). With
    /// it, `install` warns where `exit_after` is longer.
    ["HEADCOUNT_PLATFORM_GRACE", "none"]
    platform_grace(allowed: impl Into<Option<Duration>>): Option<Duration> = allowed.into();

    /// Whether systemd is notified where `NOTIFY_SOCKET` is set: ready, stopping, how the drain goes, and
    /// that the runtime answers. Without that variable nothing is done.
    ["HEADCOUNT_NOTIFY", "yes"]
    notify(notify: bool): bool = notify;

    /// The file in which Kubernetes looks for the reason of an exit. It gets names, counts and ages of the
    /// remaining tasks, at most 4 KiB. The default file is written only if it exists; a chosen file is
    /// created. `none` for none.
    ["HEADCOUNT_TERMINATION_LOG", "/dev/termination-log"]
    termination_log(path: impl Into<PathBuf>): Option<PathBuf> = Some(path.into());

    /// Whether the process stays for a last scrape of `/metrics`: `Off` or `Auto`. `Auto`: if `/metrics` was
    /// scraped before, the process stays for one more scrape: at most two scrape intervals (30 s if only one
    /// scrape was seen), and never past `exit_after`. A forced stop does not linger.
    ["HEADCOUNT_LINGER", "Off"]
    linger(linger: Linger): Linger = linger;

    /// The longest pause between two lists of the tasks waited for. The first list comes after 1 s; pauses
    /// grow as 1, 2, 5, 10, 20 ... s. Below 100 ms it is 100 ms.
    ["HEADCOUNT_LOG_INTERVAL", "10s"]
    log_interval(interval: Duration): Duration = interval;

    /// Where lines about the shutdown go: `Tracing` (standard error if no subscriber receives them), `Stderr`
    /// or `Off`. `Off` also drops the lines that name a task which blocks a thread. Otherwise those lines go
    /// to `tracing`. Lines about failed tasks always go to `tracing`.
    ["HEADCOUNT_LOG", "Tracing"]
    log(log: Log): Log = log;

    /// Whether SIGINT and SIGTERM start the shutdown.
    ["HEADCOUNT_SIGNALS", "yes"]
    signals(listen: bool): bool = listen;

    /// What SIGHUP does: `Default` (it ends the process at once), `Drain` (it starts the shutdown, and never
    /// forces it) or `Ignore`.
    ["HEADCOUNT_SIGHUP", "Default"]
    sighup(sighup: SigHup): SigHup = sighup;

    /// What SIGQUIT does: `Default` (it ends the process with a core dump) or `Stacks` (it writes to the log
    /// where each task waits, and the process goes on).
    ["HEADCOUNT_SIGQUIT", "Default", "stacks"]
    sigquit(sigquit: SigQuit): SigQuit = sigquit;

    /// Whether a task can be asked where it waits: `Off` or `Request`. Asking costs one extra poll. With
    /// `Request` each waiting task stores its waker once (24 bytes), because only a stored waker can wake a
    /// task that nothing else wakes. `sigquit=Stacks` alone also turns captures on, for the log.
    ["HEADCOUNT_STACKS", "Off", "stacks"]
    stacks(stacks: Stacks): Stacks = stacks;

    /// What happens to tasks that are spawned while the process drains: `Adopt` (they are waited for) or
    /// `Refuse` (they are dropped).
    ["HEADCOUNT_LATE_SPAWNS", "Adopt"]
    late_spawns(late_spawns: LateSpawns): LateSpawns = late_spawns;

    /// Shutdown policies by task name, for code that you cannot change, as
    /// `shop::cache::*=Last,poller=Cancel`: `Wait`, `Cancel`, `Last`, `Detach` or `Connection`. `*` matches
    /// any text; the first match wins.
    ["HEADCOUNT_POLICY", "none"]
    policy(rules: impl IntoIterator<Item = (impl Into<String>, OnShutdown)>): Policy
        = Policy(rules.into_iter().map(|(name, policy)| (name.into(), policy)).collect());

    /// The longest time tasks may run, by name: `send-email=30s,import=none,*=1h`. The first matching rule
    /// wins. A rule without `*` replaces the timeout in the code. A rule with `*` is an upper bound and does
    /// not apply to services, timers, requests, connections, `Last` and `Detach` tasks.
    ["HEADCOUNT_TIMEOUT", "none"]
    timeout(rules: impl IntoIterator<Item = (impl Into<String>, impl Into<Option<Duration>>)>): Timeouts
        = ByName(rules.into_iter().map(|(name, at_most)| (name.into(), at_most.into())).collect());

    /// How many tasks of a name run at once, and how many may wait for that: `send-email=64/1000,import=2`.
    /// The first matching rule wins. A rule without `*` replaces the limit in the code, also that of a
    /// `Limit` with this name. A rule with `*` gives each matching name that has no limit in the code a limit
    /// of its own. It does not apply to services, timers, requests, connections, `Last` and `Detach` tasks.
    ["HEADCOUNT_LIMIT", "none"]
    limit(rules: impl IntoIterator<Item = (impl Into<String>, impl Into<TaskLimit>)>): Limits
        = ByName(rules.into_iter().map(|(name, limit)| (name.into(), Some(limit.into()))).collect());

    /// A file that the report of the shutdown is written to as JSON, with mode 0600. An existing file is
    /// replaced. If it cannot be written, a WARN says so at install and at the end; the exit code does not
    /// change.
    ["HEADCOUNT_REPORT_FILE", "none"]
    report_file(path: impl Into<PathBuf>): Option<PathBuf> = Some(path.into());

    /// A directory that keeps the reports of the newest shutdowns, each in a file of its own with mode 0600.
    /// If it does not exist, it is created with mode 0700.
    ["HEADCOUNT_REPORT_DIR", "none"]
    report_dir(path: impl Into<PathBuf>): Option<PathBuf> = Some(path.into());

    /// How many reports `report_dir` keeps, at least 1; older ones are removed.
    ["HEADCOUNT_REPORTS", "20"]
    reports(at_most: usize): usize = at_most;

    /// Whether a panic hook writes the name of a task that panics to standard error, before the hook that was
    /// set. For programs with `panic = "abort"`, which end before anything else can name the task.
    ["HEADCOUNT_PANIC_HOOK", "no"]
    panic_hook(name_tasks: bool): bool = name_tasks;

    /// How many finished tasks are kept: the newest N of any outcome, and separately the newest N that did
    /// not end `ok`.
    ["HEADCOUNT_HISTORY", "1000"]
    history(tasks: usize): usize = tasks;

    /// How many groups of tasks there may be; later ones are counted together as `__other__`.
    ["HEADCOUNT_MAX_GROUPS", "200"]
    max_groups(groups: usize): usize = groups;

    /// A poll longer than this counts as slow.
    ["HEADCOUNT_SLOW_POLL", "10ms"]
    slow_poll(at_least: Duration): Duration = at_least;

    /// A task that is in one poll for longer than this counts as blocked.
    ["HEADCOUNT_BLOCKED_AFTER", "1s"]
    blocked_after(at_least: Duration): Duration = at_least;

    /// If a runtime starts no new task for this long, `/livez` answers 503 and a log line names the blocking
    /// tasks; `none` for never. Watched are the runtime of `install` and each runtime with tracked tasks. A
    /// single-threaded one of the latter counts only while a tracked task is stuck in a poll.
    ["HEADCOUNT_UNRESPONSIVE_AFTER", "none", "admin"]
    unresponsive_after(at_least: impl Into<Option<Duration>>): Option<Duration> = at_least.into();

    /// Upper bounds of the buckets in which durations of tasks are counted.
    [
        "HEADCOUNT_BUCKETS",
        "5ms,10ms,25ms,50ms,100ms,250ms,500ms,1s,2s 500ms,5s,10s,30s,1m,2m,5m,10m,30m,1h,2h,6h"
    ]
    buckets(bounds: impl IntoIterator<Item = Duration>): Buckets = bounds.into_iter().collect();

    /// What the admin server leaves out: some of `fields`, `messages` and `stacks`.
    ["HEADCOUNT_HIDE", "none", "admin"]
    hide(hide: impl IntoIterator<Item = Hide>): BTreeSet<Hide> = hide.into_iter().collect();

    /// Where the page links a task's trace, such as `https://jaeger.example/trace/{trace_id}`; `none` for no
    /// links. It has to be `http` or `https`, with `{trace_id}` behind the host.
    ["HEADCOUNT_TRACE_URL", "none", "admin"]
    trace_url(url: impl Into<String>): Option<TraceUrl> = Some(TraceUrl(url.into()));

    /// Where the application's own metrics go. `Auto`: to the recorder that is set, else to one that
    /// `install` sets and `/metrics` shows. `Private`: the global recorder is not touched.
    ["HEADCOUNT_RECORDER", "Auto", "metrics"]
    recorder(recorder: Recorder): Recorder = recorder;

    /// Whether the histogram of durations has the label `outcome`, which multiplies its series by the number
    /// of outcomes.
    ["HEADCOUNT_DURATION_OUTCOME", "no", "metrics"]
    duration_outcome(label: bool): bool = label;

    /// Whether `/readyz` answers 200 from the start. If not, it does once
    /// [`Headcount::set_ready`](crate::Headcount::set_ready) was called.
    ["HEADCOUNT_READY", "yes", "admin"]
    ready(ready: bool): bool = ready;

    /// How many clients may follow `/api/v1/events` at a time; the next gets 503.
    ["HEADCOUNT_SSE_CLIENTS", "64", "admin"]
    sse_clients(clients: usize): usize = clients;

    /// Where `tokio-console` can connect; `none` for nowhere.
    ["HEADCOUNT_CONSOLE", "none", "console"]
    console(address: impl Into<Option<SocketAddr>>): Option<SocketAddr> = address.into();
}

fn replace<T: Value>(value: &mut T, variable: &'static str, text: &str) -> Result<Option<Difference>, Error> {
    let new = T::parse(text).ok_or_else(|| Error::setting(variable, text, &T::expected()))?;
    let (from, to) = (value.show(), new.show());
    *value = new;
    Ok((from != to).then_some(Difference { variable, from, to }))
}

/// The table holds defaults as the texts that documents show; a test reads each of them.
fn default_of<T: Value>(variable: &str, text: &str) -> T {
    T::parse(text).unwrap_or_else(|| unreachable!("the default of {variable} is malformed: {text}"))
}

const fn first(features: &'static [&'static str]) -> Option<&'static str> {
    match features {
        [] => None,
        [feature, ..] => Some(feature),
    }
}
