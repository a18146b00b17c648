//! The handle that the application keeps: every method of [`Headcount`].

use std::fmt;
#[cfg(any(feature = "admin", feature = "console"))]
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "admin")]
use std::sync::Arc;

use super::log::log_lost_tasks;
use super::start::Installed;
#[cfg(feature = "admin")]
use crate::admin::{self, Mount};
use crate::error::Error;
use crate::name::{escape, fits};
use crate::registry::{is_enabled, registry};
use crate::settings::{Builder, TaskLimit};
use crate::shutdown::{self, Draining, Report};
#[cfg(unix)]
use crate::systemd::Notifier;
use headcount_core::internal::terms::rules::{MOST_RULES, rules};

/// Headcount, installed in this process: the admin server, the metrics and the shutdown.
///
/// It is unique. Keep it until the end of `main` and await [`drain`](Headcount::drain) there. Dropped
/// earlier, it names at most 20 lost tasks in the log, the oldest first.
#[must_use = "await `drain()` on it at the end of main, or the tasks that still live are lost"]
pub struct Headcount {
    /// `None` where the variable `HEADCOUNT` turned it off.
    pub(super) installed: Option<Installed>,
    /// systemd, where it started this process. It hears that the process is ready also where headcount is
    /// off: a unit of `Type=notify` would not start otherwise.
    #[cfg(unix)]
    pub(super) notifier: Option<Notifier>,
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

    /// The address of the admin server; `None` where there is none.
    #[cfg(feature = "admin")]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.installed.as_ref()?.admin_address
    }

    /// The routes of the admin server, to be nested in the application's own router under any prefix.
    ///
    /// They keep their guards: `Host` must be an address, `localhost` or one of `allowed_hosts`, and without
    /// a token all but `/livez` and `/readyz` answer 403, unless `trust_outer_auth` is set. They run on the
    /// application's runtime, so they answer no longer than that does. Events end as draining begins, so that
    /// an open page does not delay the server's graceful end.
    ///
    /// Use `nest_service`: the page is then at `/admin/`, and `/admin` answers 308 to `admin/index.html`,
    /// because its links are relative to the directory that it is in. (With `nest` all is the same but for
    /// `/admin/`, which axum answers with 404.)
    ///
    /// ```no_run
    /// # let hc = headcount::Headcount::install()?;
    /// let app: axum::Router = axum::Router::new().nest_service("/admin", hc.router());
    /// # Ok::<(), headcount::Error>(())
    /// ```
    #[cfg(feature = "admin")]
    pub fn router(&self) -> axum::Router {
        let router = |installed: &Installed| admin::router(Arc::clone(&installed.admin), Mount::Application);
        self.installed.as_ref().map_or_else(axum::Router::new, router)
    }

    /// The body of `/metrics`: headcount's families, then the application's own where an exporter is known.
    /// In the text format of Prometheus; each line ends with a newline.
    ///
    /// The cost grows with the number of groups and, slightly, of live tasks: about a millisecond for 100
    /// groups.
    #[cfg(feature = "prometheus")]
    pub fn render_metrics(&self) -> String {
        self.installed.as_ref().map(|installed| installed.metrics.scrape()).unwrap_or_default()
    }

    /// Lets `/readyz` answer 200 and notifies systemd. Without the setting `ready=no` it does nothing.
    pub fn set_ready(&self) {
        if let Some(installed) = &self.installed {
            installed.process.set_ready();
        }
        #[cfg(unix)]
        match &self.notifier {
            Some(notifier) if self.installed.is_some() => notifier.ready(),
            Some(notifier) => notifier.ready_without_watchdog(),
            None => {}
        }
    }

    /// Changes how many tasks of a name may run at once, as the setting `limit` does, while the process runs.
    /// How many may wait stays as it is.
    ///
    /// Tasks that wait begin as soon as there is room. A lower limit ends no task: those above it go on, and
    /// none begins until fewer run.
    ///
    /// A name that no task, no limit and no rule has had so far is logged as a warning, since it may be
    /// misspelt. The limit holds for tasks that come.
    ///
    /// # Errors
    ///
    /// `at_once` is 0, or the name is new and there are 1,000 rules for limits already.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # let hc = headcount::Headcount::install()?;
    /// hc.set_limit("send-email", 32)?;
    /// # Ok::<(), headcount::Error>(())
    /// ```
    pub fn set_limit(&self, name: impl AsRef<str>, at_once: usize) -> Result<(), Error> {
        let name = name.as_ref();
        if at_once == 0 {
            return Err(Error::setting(&format!("limit of {name}"), "0", "at least 1"));
        }
        let Some(is_known) = rules().set_limit(name, TaskLimit::new(at_once).rule().at_once) else {
            let expected = format!("at most {MOST_RULES} names with limits");
            return Err(Error::setting(&format!("limit of {name}"), &at_once.to_string(), &expected));
        };
        // With tracking off no names of tasks are known.
        if is_enabled() {
            registry().apply_rules();
            if !is_known && !registry().groups.all().iter().any(|group| fits(name, &group.name)) {
                log_unknown_limit(name, at_once);
            }
        }
        Ok(())
    }

    /// The address that `tokio-console` can attach to; `None` where it cannot.
    #[cfg(feature = "console")]
    pub fn console_addr(&self) -> Option<SocketAddr> {
        self.installed.as_ref()?.console_address
    }

    /// Resolves when this process begins to drain: for
    /// `axum::serve(…).with_graceful_shutdown(hc.draining())`.
    ///
    /// The same as [`headcount::draining()`](crate::draining).
    pub fn draining(&self) -> Draining {
        shutdown::draining()
    }

    /// Waits for all tasks and returns the report. Return it from `main`, because it is the exit code.
    ///
    /// Begins the shutdown if nothing has. It resolves when the shutdown is over: when all tasks that are
    /// waited for have ended, or were aborted at the deadline or by force. What comes after it has until
    /// `exit_after`. Every caller gets the same report. A tracked task that awaits it is not waited for
    /// meanwhile.
    ///
    /// With `HEADCOUNT=off` it begins the stop itself, waits for no task, and returns an empty report at
    /// once.
    ///
    /// The shutdown runs in real time. With `start_paused = true`, a timeout around `drain()` elapses first
    /// only if a task waits for something other than time.
    ///
    /// # Cancel safety
    ///
    /// Yes.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn serve() {}
    /// #[tokio::main]
    /// async fn main() -> headcount::Report {
    ///     let hc = headcount::Headcount::install().expect("headcount");
    ///     tokio::select! {
    ///         () = serve() => {}
    ///         () = hc.draining() => {}
    ///     }
    ///     hc.drain().await
    /// }
    /// ```
    pub async fn drain(&self) -> Report {
        shutdown::drain(self.installed.is_some()).await
    }
}

fn log_unknown_limit(name: &str, at_once: usize) {
    let name = escape(name);
    // A subscriber that panics does not undo the limit.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        tracing::warn!(
            target: "headcount",
            "set_limit: no task and no limit is named {name} so far; at most {at_once} of those to come run at once"
        );
    }));
}

impl Drop for Headcount {
    fn drop(&mut self) {
        if self.installed.is_some() && !shutdown::is_reported() {
            log_lost_tasks();
        }
    }
}

impl fmt::Debug for Headcount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headcount").field("off", &self.installed.is_none()).finish_non_exhaustive()
    }
}
