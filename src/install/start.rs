//! Putting the parts together: what `install` does, in its order.

#[cfg(any(feature = "admin", feature = "console"))]
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::info;

use super::Headcount;
use super::log::log_settings;
#[cfg(feature = "admin")]
use crate::admin::{self, Admin};
#[cfg(feature = "console")]
use crate::console;
use crate::error::Error;
#[cfg(feature = "metrics")]
use crate::metrics::Metrics;
use crate::observer::{self, Observer, Worker};
use crate::process::Process;
use crate::registry::registry;
use crate::settings::{self, Builder, Hide, Settings};
use crate::shutdown::{self, Audience};
#[cfg(feature = "stacks")]
use crate::stacks;
#[cfg(unix)]
use crate::systemd::Notifier;
use headcount_core::internal::service::critical;

/// Stays true, because the tasks that the process spawned before are counted by the first.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The parts of an installed headcount.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) process: Arc<Process>,
    #[cfg(unix)]
    pub(super) notifier: Option<Notifier>,
    #[cfg(feature = "prometheus")]
    pub(super) metrics: Arc<Metrics>,
    #[cfg(feature = "admin")]
    pub(super) admin: Arc<Admin>,
    #[cfg(feature = "admin")]
    pub(super) admin_address: Option<SocketAddr>,
    #[cfg(feature = "console")]
    pub(super) console_address: Option<SocketAddr>,
}

impl Builder {
    /// Installs headcount in this process: starts its threads, binds the admin server, sets the recorder.
    ///
    /// It watches the runtime that it is called in, and each runtime in which a tracked task is spawned: for
    /// `/livez`, and for the count of tasks that it does not track. Its threads log through the `tracing`
    /// dispatcher that is current now.
    ///
    /// # What it changes for the whole process
    ///
    /// - A few threads run, named `headcount…`, and the admin server's port is open.
    /// - SIGINT and SIGTERM begin the stop, not with `signals=no`. A signal that the parent had ignored stays
    ///   ignored.
    /// - The `metrics` recorder is set if none was; not with `recorder=Private`.
    /// - A panic hook stands before the one that was set, and calls it. It keeps where a tracked task
    ///   panicked, and with `panic_hook` writes the task's name. A hook that the application sets later and
    ///   that does not call it costs only that place.
    ///
    /// The `tracing` subscriber, the runtime and all other signals stay as they are.
    ///
    /// # Errors
    ///
    /// A variable is malformed, a chosen address cannot be bound or can be reached from outside without a
    /// token, a file cannot be read, a thread cannot be started, or headcount is installed in this process
    /// already.
    pub fn install(mut self) -> Result<Headcount, Error> {
        if settings::is_off()? {
            self.settings.take_terms()?;
            self.settings.check_terms()?;
            self.settings.apply_terms();
            info!(target: "headcount", "Off (HEADCOUNT=off)");
            // What is malformed matters only where headcount is on.
            self.settings.take_sound_variables();
            shutdown::turn_off(self.settings.signals);
            // A task may need what it carries, whatever is tracked.
            if !self.settings.carriers.is_empty() {
                registry().carriers.set(std::mem::take(&mut self.settings.carriers));
            }
            let headcount = Headcount {
                installed: None,
                #[cfg(unix)]
                notifier: self.settings.notify.then(|| Notifier::open(None)).flatten(),
            };
            if self.settings.ready {
                headcount.set_ready();
            }
            return Ok(headcount);
        }
        let variables = self.settings.take_variables(self.settings.environment())?;
        self.settings.read_token()?;
        self.settings.check()?;
        if INSTALLED.swap(true, Ordering::SeqCst) {
            return Err(Error::already_installed());
        }
        let installed = start(self.settings).inspect_err(|_| INSTALLED.store(false, Ordering::SeqCst))?;
        log_settings(&installed, &variables);
        let is_ready = installed.process.is_ready();
        let headcount = Headcount {
            #[cfg(unix)]
            notifier: installed.notifier.clone(),
            installed: Some(installed),
        };
        if is_ready {
            headcount.set_ready();
        }
        Ok(headcount)
    }
}

/// Starts what can fail first. Where a step fails, the threads that run already end again.
fn start(settings: Settings) -> Result<Installed, Error> {
    let mut started = Started::default();
    #[cfg(feature = "console")]
    let console = console::bind(&settings)?;
    #[cfg(feature = "console")]
    started.add(console.as_ref().map(console::Server::worker));
    #[cfg(feature = "admin")]
    let listeners = admin::bind(&settings)?;
    let observer = Observer::start(settings.log)?;
    started.add(Some(observer.worker()));
    let process = Arc::new(Process::new(settings));
    #[cfg(feature = "metrics")]
    let metrics = Arc::new(Metrics::start(Arc::clone(&process), observer.lines().clone())?);
    #[cfg(feature = "metrics")]
    started.add(metrics.worker());
    #[cfg(feature = "admin")]
    let admin = Arc::new(Admin::start(Arc::clone(&process), Arc::clone(&metrics), observer.lines().clone())?);
    #[cfg(feature = "admin")]
    started.add(Some(admin.worker()));
    // Metrics come first: a recorder of the application's has the last figures before clients have left.
    // The service manager comes before both, since it is not waited for.
    #[cfg(unix)]
    let notifier = process.settings.notify.then(|| Notifier::open(Some(observer.lines()))).flatten();
    let audience: Vec<Box<dyn Audience>> = vec![
        #[cfg(feature = "metrics")]
        Box::new(Arc::clone(&metrics)),
        #[cfg(feature = "admin")]
        Box::new(Arc::clone(&admin)),
    ];
    #[cfg(unix)]
    let audience: Vec<_> = notifier
        .clone()
        .map(|notifier| Box::new(notifier) as Box<dyn Audience>)
        .into_iter()
        .chain(audience)
        .collect();
    #[cfg(feature = "stacks")]
    let stacks = stacks::start(&process.settings)?;
    // The last that can fail: from then on the signals are headcount's.
    shutdown::start(&process, &observer, audience)?;
    #[cfg(feature = "stacks")]
    stacks::keep(stacks);
    started.keep();
    // One that has ended already stops the process now.
    critical::follow(shutdown::critical_ended);
    #[cfg(unix)]
    if let Some(notifier) = &notifier {
        notifier.start(&process, &observer);
    }
    configure(&process.settings);
    observer::panics::set_hook(process.settings.panic_hook);
    #[cfg(feature = "metrics")]
    metrics.record();
    let installed = Installed {
        #[cfg(feature = "prometheus")]
        metrics,
        #[cfg(feature = "admin")]
        admin_address: listeners.address(),
        #[cfg(feature = "console")]
        console_address: console.as_ref().and_then(console::Server::address),
        #[cfg(feature = "admin")]
        admin,
        #[cfg(unix)]
        notifier,
        process,
    };
    #[cfg(feature = "admin")]
    admin::start(&installed.admin, listeners);
    #[cfg(feature = "console")]
    console::start(&installed.process.settings, observer.lines(), console);
    Ok(installed)
}

/// The threads that were started. Dropping this value stops them, unless `keep` was called.
#[derive(Debug, Default)]
struct Started(Vec<Worker>);

impl Started {
    fn add(&mut self, worker: Option<&Worker>) {
        self.0.extend(worker.cloned());
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.0.iter().for_each(Worker::stop);
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
    registry().carriers.set(settings.carriers.iter().cloned());
    settings.apply_terms();
    registry().apply_policies();
    registry().apply_rules();
}
