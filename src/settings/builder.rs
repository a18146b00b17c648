//! The builder: settings chosen in code. Its methods for the [table](super::table) are made there.

use std::sync::Arc;

use super::Settings;
use crate::registry::config::TextSource;
use crate::snapshot::TaskInfo;
use headcount_core::carry::Carrier;

/// A hook of the application's on each abandoned task.
pub(crate) type OnAbandon = Arc<dyn Fn(&TaskInfo) + Send + Sync>;

/// Settings for [`Headcount`](crate::Headcount), before it is installed.
///
/// The operator of the service can change each of them by a variable, which wins.
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until `install()`"]
pub struct Builder {
    pub(crate) settings: Settings,
}

impl Builder {
    /// Ignores the `HEADCOUNT_*` variables: for a program whose environment is not the operator's, such as a
    /// command-line tool.
    ///
    /// `HEADCOUNT=off` still takes effect, because tasks may be spawned before `install`. It turns off
    /// tracking, metrics, the admin server and the drain. Timeouts, limits, keys, services, timers and
    /// carriers keep working.
    pub fn ignore_env(mut self) -> Self {
        self.settings.ignore_env = true;
        self
    }

    /// Removes the token that the code set, and the file that holds one.
    pub fn no_token(mut self) -> Self {
        self.settings.token = None;
        self.settings.token_file = None;
        self
    }

    /// Removes the report file that the code set.
    pub fn no_report_file(mut self) -> Self {
        self.settings.report_file = None;
        self
    }

    /// Writes no termination log, also where Kubernetes has one.
    pub fn no_termination_log(mut self) -> Self {
        self.settings.termination_log = None;
        self.settings.chosen.insert("termination_log");
        self
    }

    /// Called with each field, trace id, status and message before it is stored, on the thread that stores
    /// it: the spawner's for what a spawn gives, otherwise the task's. It must not block. The text that it
    /// returns is stored instead; `None` keeps the text. If it panics, `[withheld: redact panicked]` is
    /// stored. Names and labels are not passed to it.
    pub fn redact(
        mut self,
        redact: impl Fn(TextSource<'_>, &str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.redact = Some(Arc::new(redact));
        self
    }

    /// Sees each task that the shutdown abandons, before it is aborted, to hand its work back. It runs on a
    /// thread of its own and has `hook_timeout` for all tasks together; for what a further signal cuts it has
    /// 100 ms. The log counts the tasks that it had no time for. Where it panics that is logged, and the next
    /// task follows.
    pub fn on_abandon(mut self, hook: impl Fn(&TaskInfo) + Send + Sync + 'static) -> Self {
        self.settings.on_abandon = Some(Arc::new(hook));
        self
    }

    /// Lets tasks have what the code that spawns them has: see [`carry`](crate::carry). Nothing else is
    /// carried.
    ///
    /// Called several times, all of them are carried, the first outermost. It acts on tasks spawned after
    /// `install`. With `HEADCOUNT=off` too: tasks may need what they carry.
    ///
    /// ```
    /// # fn f() -> Result<headcount::Headcount, headcount::Error> {
    /// tokio::task_local! {
    ///     static TENANT: String;
    /// }
    ///
    /// headcount::Headcount::builder()
    ///     .carry(headcount::carry::span_link())
    ///     .carry(headcount::carry::task_local(&TENANT).field("tenant"))
    ///     .install()
    /// # }
    /// ```
    pub fn carry(mut self, carrier: impl Carrier) -> Self {
        self.settings.carriers.push(Arc::new(carrier));
        self
    }

    /// The handle of an exporter that the application installed itself. `/metrics` then renders its metrics
    /// after headcount's own, which are not published to it, since they would be there twice.
    #[cfg(feature = "exporter")]
    pub fn prometheus_handle(mut self, handle: metrics_exporter_prometheus::PrometheusHandle) -> Self {
        self.settings.prometheus_handle = Some(handle);
        self
    }
}
