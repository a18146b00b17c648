//! Installing headcount in a process: [`Headcount`] and its [`Builder`].

use std::fmt;
use std::hash::{BuildHasher, RandomState};
#[cfg(any(feature = "admin", feature = "console"))]
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tracing::{info, warn};

#[cfg(feature = "admin")]
use crate::admin::{self, AdminState};
#[cfg(feature = "console")]
use crate::console;
use crate::error::Error;
#[cfg(feature = "metrics")]
use crate::metrics::{self, Figures, Metrics};
use crate::name::{escape, place};
use crate::observer::{self, Lines};
use crate::registry::registry;
use crate::settings::{self, Difference, Hide, Settings, Variables};
#[cfg(feature = "shutdown")]
use crate::shutdown;
use crate::snapshot::{Kind, Snapshot, TaskInfo, TaskQuery};

/// Once true, it stays so: what the process spawned before is still counted by the first.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// So many are named when they are lost; the rest is counted.
const LOST_TASKS: usize = 20;

/// Headcount, installed in this process: the admin server, the metrics and the shutdown.
///
/// It is unique. Keep it until the end of `main` and await [`drain`](Headcount::drain) there: dropped before, it
/// logs by name the tasks that are lost.
#[must_use = "await `drain()` on it at the end of main, or the tasks that still live are lost"]
pub struct Headcount {
    /// `None` where the variable `HEADCOUNT` turned it off.
    pub(crate) shared: Option<Arc<Shared>>,
}

/// What the threads of headcount share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) ready: AtomicBool,
    /// Whether somebody has waited for the tasks: what still lives when `Headcount` is dropped is then known.
    pub(crate) drained: AtomicBool,
    /// The runtime of headcount's own thread.
    pub(crate) observer: Handle,
    /// What that thread writes to the log.
    pub(crate) lines: Lines,
    /// The runtime that it was installed in.
    pub(crate) application: Option<Handle>,
    #[cfg(feature = "admin")]
    pub(crate) admin: AdminState,
    #[cfg(feature = "admin")]
    admin_address: Option<SocketAddr>,
    #[cfg(feature = "console")]
    pub(crate) console_address: Option<SocketAddr>,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Metrics,
}

/// Which process this is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) service: String,
    /// Another in each process.
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) started_at: SystemTime,
    pub(crate) started: Instant,
}

/// Settings for [`Headcount`], before it is installed.
///
/// Whoever runs the service can change each of them by a variable, which wins.
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until `install()`"]
pub struct Builder {
    pub(crate) settings: Settings,
}

impl Headcount {
    /// Installs it with the default settings and those of the variables.
    ///
    /// # Errors
    ///
    /// As [`Builder::install`].
    pub fn install() -> Result<Self, Error> {
        Self::builder().install()
    }

    /// Settings to be changed before it is installed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where the admin server listens; `None` where it does not.
    #[cfg(feature = "admin")]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.shared.as_ref()?.admin_address
    }

    /// The routes of the admin server, to be nested in the application's own router under any prefix.
    ///
    /// They keep their guards: `Host` must be an address, `localhost` or one of `allowed_hosts`, and without a token
    /// all but `/livez` and `/readyz` answer 403, unless `trust_outer_auth` is set. They run on the application's
    /// runtime, so they answer no longer than that does; events end as draining begins, so that an open page does not hold
    /// up the server's graceful end.
    ///
    /// Use `nest_service`: the page is then at `/admin/`, and `/admin` answers 308 to `admin/index.html`, since its links are
    /// relative to the directory that it is in. (With `nest` all is the same but for `/admin/`, which axum answers with 404.)
    ///
    /// ```no_run
    /// # let hc = headcount::Headcount::install()?;
    /// let app: axum::Router = axum::Router::new().nest_service("/admin", hc.router());
    /// # Ok::<(), headcount::Error>(())
    /// ```
    #[cfg(feature = "admin")]
    pub fn router(&self) -> axum::Router {
        let router = |shared| admin::router(Arc::clone(shared), admin::Mount::Application);
        self.shared.as_ref().map_or_else(axum::Router::new, router)
    }

    /// What `/metrics` answers: headcount's families, then the application's own where an exporter is known. In the
    /// text format of Prometheus; each line ends with a newline.
    ///
    /// The cost grows with the number of groups and, slightly, of live tasks: about a millisecond for 100 groups.
    #[cfg(feature = "prometheus")]
    pub fn render_metrics(&self) -> String {
        self.shared.as_ref().map(|shared| shared.render_metrics()).unwrap_or_default()
    }

    /// Lets `/readyz` answer 200, where the setting `ready` said that it should not yet.
    pub fn ready(&self) {
        if let Some(shared) = &self.shared {
            shared.ready.store(true, Ordering::Release);
        }
    }
}

impl Builder {
    /// Installs headcount in this process: starts its thread, binds the admin server, sets the recorder.
    ///
    /// Called inside a runtime, it watches that runtime for `/livez` and counts what `tokio::spawn` still hides from
    /// it. Its threads log through the `tracing` dispatcher that is current now.
    ///
    /// # Errors
    ///
    /// A variable is malformed, a chosen address cannot be bound or can be reached from outside without a token, a
    /// file cannot be read, a thread cannot be started, or headcount is installed in this process already.
    pub fn install(mut self) -> Result<Headcount, Error> {
        if settings::is_off()? {
            info!(target: "headcount", "Off (HEADCOUNT=off)");
            return Ok(Headcount { shared: None });
        }
        let variables = self.settings.take_variables(settings::variables())?;
        self.settings.read_token()?;
        if INSTALLED.swap(true, Ordering::SeqCst) {
            return Err(Error::already_installed());
        }
        let installed = start(self.settings).inspect_err(|_| INSTALLED.store(false, Ordering::SeqCst))?;
        installed.log_settings(&variables);
        Ok(Headcount { shared: Some(installed) })
    }
}

fn start(settings: Settings) -> Result<Arc<Shared>, Error> {
    #[cfg(feature = "console")]
    let console = console::bind(&settings)?;
    #[cfg(feature = "admin")]
    let listener = admin::bind(&settings)?;
    configure(&settings);
    let (observer, lines) = observer::start(settings.log)?;
    let application = Handle::try_current().ok();
    let shared = Arc::new(Shared {
        identity: Identity::new(settings.service_name()),
        ready: AtomicBool::new(settings.ready),
        drained: AtomicBool::new(false),
        observer,
        lines,
        #[cfg(feature = "admin")]
        admin: AdminState::new(settings.sse_clients, workers(application.as_ref())),
        application,
        #[cfg(feature = "admin")]
        admin_address: listener.as_ref().and_then(|listener| listener.local_addr().ok()),
        #[cfg(feature = "console")]
        console_address: console.as_ref().and_then(|listener| listener.local_addr().ok()),
        #[cfg(feature = "metrics")]
        metrics: Metrics::set_up(&settings),
        settings,
    });
    #[cfg(feature = "metrics")]
    shared.observer.spawn(metrics::keep_up(Arc::clone(&shared)));
    #[cfg(feature = "shutdown")]
    shutdown::start(&shared, audience(&shared))?;
    #[cfg(feature = "admin")]
    admin::start(&shared, listener);
    #[cfg(feature = "console")]
    console::start(&shared.settings, &shared.observer, &shared.lines, console);
    Ok(shared)
}

/// What follows the shutdown. Metrics come first: a recorder of the application's has the last figures before clients are gone.
#[cfg(feature = "shutdown")]
fn audience(shared: &Arc<Shared>) -> Vec<Box<dyn shutdown::Audience>> {
    let mut audience: Vec<Box<dyn shutdown::Audience>> = Vec::new();
    #[cfg(feature = "metrics")]
    audience.push(Box::new(LastFigures(Arc::clone(shared))));
    #[cfg(feature = "admin")]
    audience.push(Box::new(Clients(Arc::clone(shared))));
    let _ = shared;
    audience
}

/// Publishes the last figures to a recorder of the application's.
#[cfg(all(feature = "shutdown", feature = "metrics"))]
struct LastFigures(Arc<Shared>);

#[cfg(all(feature = "shutdown", feature = "metrics"))]
impl shutdown::Audience for LastFigures {
    fn stage_changed(&self, _stage: shutdown::Stage) {}

    fn farewell(&self, _report: shutdown::Report) -> shutdown::Farewell {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { metrics::publish(&shared).await })
    }
}

/// The clients of the events.
#[cfg(all(feature = "shutdown", feature = "admin"))]
struct Clients(Arc<Shared>);

#[cfg(all(feature = "shutdown", feature = "admin"))]
impl shutdown::Audience for Clients {
    fn stage_changed(&self, _stage: shutdown::Stage) {
        admin::stage_changed(&self.0);
    }

    fn farewell(&self, report: shutdown::Report) -> shutdown::Farewell {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { admin::tell_report(&shared, &report).await })
    }
}

/// Threads that poll: those of the runtime, or as many as tokio takes by default.
#[cfg(feature = "admin")]
fn workers(runtime: Option<&Handle>) -> usize {
    let default = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    runtime.map_or_else(default, |runtime| runtime.metrics().num_workers())
}

impl Shared {
    /// How many tasks of the runtime that it was installed in headcount does not know; about, since both are read one
    /// after the other.
    pub(crate) fn untracked(&self, snapshot: &Snapshot) -> Option<u64> {
        let alive = self.application.as_ref()?.metrics().num_alive_tasks() as u64;
        let ours =
            snapshot.groups.iter().filter(|group| group.kind == Kind::Task).map(|group| group.live).sum();
        Some(alive.saturating_sub(ours))
    }

    /// Everything that is measured, now.
    #[cfg(feature = "metrics")]
    pub(crate) fn figures(&self) -> Figures {
        let snapshot = crate::snapshot();
        let mut figures = metrics::figures(&snapshot);
        figures.untracked = self.untracked(&snapshot);
        #[cfg(feature = "admin")]
        {
            figures.sse_dropped = self.admin.events_dropped();
        }
        #[cfg(feature = "shutdown")]
        {
            figures.stage = shutdown::control().stage().number();
            figures.deadline = shutdown::deadline();
            figures.pending = shutdown::pending_now();
        }
        figures
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn render_metrics(&self) -> String {
        let text = metrics::render(&self.figures()) + &self.metrics.recording.render();
        #[cfg(feature = "shutdown")]
        shutdown::scraped();
        text
    }

    fn log_settings(&self, variables: &Variables) {
        for Difference { variable, from, to } in &variables.differences {
            info!(target: "headcount", "{variable}={to} replaces {from}");
        }
        for variable in &variables.unknown {
            warn!(target: "headcount", "{variable} is no setting of headcount and was ignored");
        }
        for row in self.settings.without_effect() {
            let (setting, feature) = (row.name, row.feature.unwrap_or_default());
            warn!(target: "headcount", "`{setting}` has no effect: this build lacks the feature `{feature}`");
        }
        #[cfg(feature = "admin")]
        if let Some(address) = self.admin_address {
            info!(target: "headcount", "Dashboard at http://{address}/");
        }
        #[cfg(feature = "shutdown")]
        shutdown::log_budget(self);
    }
}

/// Hands the registry its settings. Groups that exist already keep the buckets that they began with.
fn configure(settings: &Settings) {
    let config = &registry().config;
    config.set_history(settings.history);
    config.set_max_groups(settings.max_groups);
    config.set_slow_poll(settings.slow_poll);
    config.set_blocked_after(settings.blocked_after);
    config.set_hidden(settings.hide.contains(&Hide::Fields), settings.hide.contains(&Hide::Messages));
    config.set_bounds(settings.buckets.0.iter().map(Duration::as_secs_f64).collect());
    config.set_policies(settings.policy.0.clone());
    if let Some(redact) = &settings.redact {
        config.set_redact(Arc::clone(redact));
    }
    registry().apply_policies();
}

/// Names what nobody waited for, the oldest first.
fn log_lost_tasks() {
    let Ok(page) = Snapshot::tasks(&TaskQuery { limit: Some(LOST_TASKS), ..TaskQuery::default() }) else {
        return;
    };
    for task in &page.items {
        let TaskInfo { name, id, location, .. } = task;
        let age = task.age.as_secs_f64();
        warn!(target: "headcount", "{} #{id} is lost after {age:.1}s: nobody awaited drain() ({})", escape(name), place(location));
    }
    let more = page.total - page.items.len();
    if 0 < more {
        warn!(target: "headcount", "{more} more tasks are lost");
    }
}

impl Identity {
    fn new(service: String) -> Self {
        let pid = std::process::id();
        let started_at = SystemTime::now();
        let instance = format!("{:016x}", RandomState::new().hash_one((pid, started_at)));
        Self { service, instance, pid, started_at, started: Instant::now() }
    }
}

impl Drop for Headcount {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        if !shared.drained.load(Ordering::Acquire) {
            log_lost_tasks();
        }
    }
}

impl fmt::Debug for Headcount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headcount").field("off", &self.shared.is_none()).finish_non_exhaustive()
    }
}
