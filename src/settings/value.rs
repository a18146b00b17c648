//! How a setting is read from a variable, and how it is shown again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::snapshot::OnShutdown;
use headcount_core::internal::terms::rules::LimitRule;

/// A type that a setting may have.
pub(crate) trait Value: Sized {
    /// What would be right, to be said when a text is not.
    fn expected() -> String;

    /// Reads what [`Value::show`] writes, and more.
    fn parse(text: &str) -> Option<Self>;

    /// As a variable would give it.
    fn show(&self) -> String;
}

impl<T: Value> Value for Option<T> {
    fn expected() -> String {
        format!("{}, or `none`", T::expected())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("none") { Some(None) } else { T::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), T::show)
    }
}

impl Value for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for bool {
    fn expected() -> String {
        "`true`, `yes`, `1`, `false`, `no` or `0`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true),
            "false" | "no" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Value for usize {
    fn expected() -> String {
        "a whole number such as `1000`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Duration {
    fn expected() -> String {
        "a duration such as `25s`, `1m 30s` or `500ms`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "0" { Some(Self::ZERO) } else { humantime::parse_duration(text).ok() }
    }

    fn show(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Value for SocketAddr {
    fn expected() -> String {
        "an address and port such as `127.0.0.1:7717` or `[::1]:7717`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Parts of a list: trimmed, none of them empty.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("none"))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let list = parts.collect::<Vec<_>>().join(",");
    if list.is_empty() { "none".to_owned() } else { list }
}

impl Value for Vec<String> {
    fn expected() -> String {
        "texts with commas between them".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(parts(text).map(str::to_owned).collect())
    }

    fn show(&self) -> String {
        joined(self.iter().cloned())
    }
}

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl Value for Secret {
    fn expected() -> String {
        "a text that is not empty".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.trim().to_owned()))
    }

    fn show(&self) -> String {
        "(hidden)".to_owned()
    }
}

/// Where traces are seen: a URL with `{trace_id}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceUrl(pub(crate) String);

impl TraceUrl {
    const PLACE: &str = "{trace_id}";

    /// Whether it leads to one host of the web, whatever the id is.
    pub(crate) fn is_sound(&self) -> bool {
        let text = self.0.to_ascii_lowercase();
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some((host, path)) = rest.and_then(|rest| rest.split_once('/')) else { return false };
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'<>\\^`|".contains(c);
        !host.is_empty()
            && !host.contains(['{', '}', '@', '?', '#'])
            && path.contains(Self::PLACE)
            && !path.replace(Self::PLACE, "").contains(['{', '}'])
            && text.chars().all(is_plain)
    }
}

impl Value for TraceUrl {
    fn expected() -> String {
        "an `http` or `https` URL with `{trace_id}` behind the host, such as `https://jaeger.example/trace/{trace_id}`"
            .to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned())).filter(Self::is_sound)
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Upper bounds of a histogram's buckets, ascending, none twice; the bucket without one is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buckets(pub(crate) Vec<Duration>);

impl FromIterator<Duration> for Buckets {
    fn from_iter<T: IntoIterator<Item = Duration>>(bounds: T) -> Self {
        Self(bounds.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }
}

impl Value for Buckets {
    fn expected() -> String {
        "durations with commas between them, such as `10ms,1s,1h`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        parts(text).map(Duration::parse).collect()
    }

    fn show(&self) -> String {
        joined(self.0.iter().map(Value::show))
    }
}

/// Shutdown policies by task name, in the order in which the patterns are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy(pub(crate) Vec<(String, OnShutdown)>);

impl Value for Policy {
    fn expected() -> String {
        "names and policies such as `shop::cache::*=Last,poller=Cancel`; policies are Wait, Cancel, Last, Detach, Connection"
            .to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let rule = |part: &str| {
            let (pattern, policy) = part.rsplit_once('=')?;
            Some((pattern.trim().to_owned(), OnShutdown::parse(policy.trim())?))
        };
        parts(text).map(rule).collect::<Option<_>>().map(Self)
    }

    fn show(&self) -> String {
        joined(self.0.iter().map(|(pattern, policy)| format!("{pattern}={}", policy.show())))
    }
}

/// How many tasks of a name run at once, and how many may wait for that; made of a number or of
/// [`new`](Self::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLimit {
    at_once: usize,
    queue: Option<usize>,
}

impl TaskLimit {
    /// At most `at_once` tasks at once, at least 1.
    pub const fn new(at_once: usize) -> Self {
        Self { at_once, queue: None }
    }

    /// At most so many wait; unless set, as many as the limit of the code says, or 10,000.
    #[must_use = "it gives the limit back"]
    pub const fn queue(self, tasks: usize) -> Self {
        Self { queue: Some(tasks), ..self }
    }

    pub(crate) fn rule(self) -> LimitRule {
        let bounded = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).min(u32::MAX - 1);
        LimitRule { at_once: bounded(self.at_once), queue: self.queue.map(bounded) }
    }
}

impl From<usize> for TaskLimit {
    fn from(at_once: usize) -> Self {
        Self::new(at_once)
    }
}

impl Value for TaskLimit {
    fn expected() -> String {
        "a number of tasks at once, at least 1, and after `/` how many may wait, such as `64/1000`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (at_once, queue) = match text.split_once('/') {
            Some((at_once, queue)) => (at_once, Some(usize::parse(queue.trim())?)),
            None => (text, None),
        };
        let at_once = usize::parse(at_once.trim()).filter(|at_once| 0 < *at_once)?;
        Some(Self { at_once, queue })
    }

    fn show(&self) -> String {
        match self.queue {
            Some(queue) => format!("{}/{queue}", self.at_once),
            None => self.at_once.to_string(),
        }
    }
}

/// A value by the names of tasks, in the order in which the patterns are tried; `None` for no such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByName<T>(pub(crate) Vec<(String, Option<T>)>);

/// How long tasks may run.
pub(crate) type Timeouts = ByName<Duration>;
/// How many tasks run at once.
pub(crate) type Limits = ByName<TaskLimit>;

/// A value that a list by names may hold, and what is wrong with others of its type.
pub(crate) trait Term: Value + Copy {
    const EXAMPLE: &'static str;

    fn is_possible(&self) -> bool;
}

impl Term for Duration {
    const EXAMPLE: &'static str = "names and durations longer than 0 and shorter than 500 years, such as `send-email=30s,import=none,*=1h`";

    fn is_possible(&self) -> bool {
        let most = Self::from_secs(500 * 365 * 24 * 3600);
        Self::ZERO < *self && *self < most
    }
}

impl Term for TaskLimit {
    const EXAMPLE: &'static str = "names and limits of at least 1, with the length of the queue after `/`, such as `send-email=64/1000,import=2`";

    fn is_possible(&self) -> bool {
        0 < self.at_once
    }
}

impl<T: Term> ByName<T> {
    /// The first entry that cannot be.
    pub(crate) fn impossible(&self) -> Option<String> {
        let (name, value) =
            self.0.iter().find(|(_, value)| value.as_ref().is_some_and(|value| !value.is_possible()))?;
        Some(format!("{name}={}", value.show()))
    }
}

impl<T: Term> Value for ByName<T> {
    fn expected() -> String {
        T::EXAMPLE.to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let rule = |part: &str| {
            let (pattern, value) = part.rsplit_once('=')?;
            let value = Option::<T>::parse(value.trim())?;
            let is_possible = value.as_ref().is_none_or(Term::is_possible);
            (is_possible && !pattern.trim().is_empty()).then(|| (pattern.trim().to_owned(), value))
        };
        parts(text).map(rule).collect::<Option<_>>().map(Self)
    }

    fn show(&self) -> String {
        joined(self.0.iter().map(|(pattern, value)| format!("{pattern}={}", value.show())))
    }
}

/// What the admin server leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hide {
    /// The fields of tasks.
    Fields,
    /// The texts of panics and errors.
    Messages,
    /// The stacks of tasks.
    Stacks,
}

/// What a client of the admin server may make the application do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Cancel a task. Running closures, requests and `track`ed futures cannot be cancelled: the answer is
    /// 409.
    Cancel,
    /// Begin, extend and force the shutdown.
    Shutdown,
    /// Start a run of a service or timer now.
    Run,
    /// Close connections. It is reserved: no route needs it yet.
    Close,
}

/// The actions that a client of the admin server may take; made of an [`Action`], an array of them, or a
/// `bool`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions(BTreeSet<Action>);

impl Actions {
    /// Whether this one is among them.
    pub fn contains(&self, action: Action) -> bool {
        self.0.contains(&action)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `true` permits [`Cancel`](Action::Cancel) and [`Shutdown`](Action::Shutdown).
impl From<bool> for Actions {
    fn from(allow: bool) -> Self {
        if allow { [Action::Cancel, Action::Shutdown].into() } else { Self::default() }
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        [action].into()
    }
}

impl<const N: usize> From<[Action; N]> for Actions {
    fn from(actions: [Action; N]) -> Self {
        actions.into_iter().collect()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        Self(actions.into_iter().collect())
    }
}

impl Value for Actions {
    fn expected() -> String {
        "`none`, `yes` (cancel and shutdown), or some of `cancel`, `shutdown`, `run`, `close` with commas between them"
            .to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match bool::parse(text) {
            Some(allow) => Some(allow.into()),
            None => parts(text).map(Action::parse).collect(),
        }
    }

    fn show(&self) -> String {
        joined(self.0.iter().map(|action| action.show().to_lowercase()))
    }
}

impl Value for BTreeSet<Hide> {
    fn expected() -> String {
        "`none`, or some of `fields`, `messages`, `stacks` with commas between them".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        parts(text).map(Hide::parse).collect()
    }

    fn show(&self) -> String {
        joined(self.iter().map(|hide| hide.show().to_lowercase()))
    }
}

/// Where lines about the shutdown go. Lines about blocked and failed tasks go to `tracing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Log {
    /// Through `tracing`, and to standard error if no subscriber receives them.
    #[default]
    Tracing,
    /// To standard error.
    Stderr,
    /// Nowhere. The lines about blocked tasks are dropped as well.
    Off,
}

/// Whether the process stays for a last scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Linger {
    /// The process does not stay.
    #[default]
    Off,
    /// If `/metrics` was scraped before, the process stays for one more scrape: at most two scrape intervals
    /// (30 s if only one scrape was seen), and never past `exit_after`. A forced stop does not linger.
    Auto,
}

/// What happens to tasks that are spawned while the process drains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LateSpawns {
    /// They run and are waited for.
    #[default]
    Adopt,
    /// They are dropped, and counted as cancelled.
    Refuse,
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigHup {
    /// What it does without headcount: it ends the process at once, unless something ignores or handles it.
    #[default]
    Default,
    /// It starts the shutdown. It never forces one.
    Drain,
    /// Nothing.
    Ignore,
}

/// What SIGQUIT does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigQuit {
    /// What it does without headcount: it ends the process with a core dump.
    #[default]
    Default,
    /// It writes to the log where each task waits, and the process goes on.
    Stacks,
}

/// Whether tasks may be asked where they wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stacks {
    /// They may not.
    #[default]
    Off,
    /// On request: by the API, by `headcount::stack`, and by the log of a shutdown.
    Request,
}

/// Which recorder the application's own metrics go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorder {
    /// The one that is set; where none is, an exporter that `/metrics` renders too. What headcount measures
    /// is published to one that was set before.
    #[default]
    Auto,
    /// The global recorder is neither set nor published to.
    Private,
}

macro_rules! choices {
    ($($type:ident { $($choice:ident),* })*) => {$(
        impl Value for $type {
            fn expected() -> String {
                [$(concat!("`", stringify!($choice), "`")),*].join(", ")
            }

            fn parse(text: &str) -> Option<Self> {
                $(if text.eq_ignore_ascii_case(stringify!($choice)) { return Some(Self::$choice); })*
                None
            }

            fn show(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}

choices! {
    Action { Cancel, Shutdown, Run, Close }
    Hide { Fields, Messages, Stacks }
    Log { Tracing, Stderr, Off }
    Linger { Off, Auto }
    LateSpawns { Adopt, Refuse }
    Recorder { Auto, Private }
    SigHup { Default, Drain, Ignore }
    SigQuit { Default, Stacks }
    Stacks { Off, Request }
    OnShutdown { Wait, Cancel, Last, Detach, Connection }
}
