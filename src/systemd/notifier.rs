//! What is sent, and what was not.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::warn;

use super::socket::Socket;
use super::{follow, watchdog};
use crate::observer::{Lines, Observer};
use crate::process::Process;
use crate::registry::registry;
use crate::registry::runtimes::Met;

/// The connection to systemd, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Notifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Socket,
    /// What systemd wants to hear from the process in; `None` without a watchdog.
    watchdog: Option<Duration>,
    /// The log of headcount's threads; none where `HEADCOUNT=off`.
    lines: Option<Lines>,
    is_ready: AtomicBool,
    has_failed: AtomicBool,
    /// Notifications that must arrive and have not been sent, oldest first.
    owed: Mutex<Vec<String>>,
    wake: Notify,
}

impl Notifier {
    /// Opens the socket that the environment names; `None` if it names none, or that cannot be used.
    pub(crate) fn open(lines: Option<&Lines>) -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        let warned = |problem: &dyn Display| {
            let name = name.to_string_lossy();
            warn!(target: "headcount", "systemd is not notified: NOTIFY_SOCKET={name}: {problem}");
        };
        let socket = Socket::open(&name).inspect_err(|problem| warned(problem)).ok()?;
        let watchdog = watchdog::interval(|variable| std::env::var_os(variable)).unwrap_or_else(|problem| {
            warn!(target: "headcount", "systemd's watchdog is not answered: {problem}");
            None
        });
        Some(Self(Arc::new(Inner {
            socket,
            watchdog,
            lines: lines.cloned(),
            is_ready: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            owed: Mutex::default(),
            wake: Notify::new(),
        })))
    }

    /// Follows the process on the observer's thread, which must not wait for anything here.
    pub(crate) fn start(&self, process: &Arc<Process>, observer: &Observer) {
        observer.worker().spawn(follow::run(self.clone(), Arc::clone(process)));
        if let Some(interval) = self.0.watchdog {
            let is_ours = |runtime: &Arc<Met>| Some(runtime.id()) == process.application;
            let runtime = registry().runtimes.all().into_iter().find(is_ours);
            let handle = runtime.map(|runtime| runtime.handle.clone());
            observer.worker().spawn(watchdog::run(self.clone(), handle, interval));
        }
    }

    /// The process is ready. Only the first call counts.
    pub(crate) fn ready(&self) {
        if !self.0.is_ready.swap(true, Ordering::AcqRel) {
            self.must_send("READY=1");
        }
    }

    /// The same where `HEADCOUNT=off`: no thread of headcount's is there to answer a watchdog.
    pub(crate) fn ready_without_watchdog(&self) {
        if !self.0.is_ready.swap(true, Ordering::AcqRel) {
            let off = if self.0.watchdog.is_some() { "\nWATCHDOG_USEC=0" } else { "" };
            self.must_send(&format!("READY=1{off}"));
        }
    }

    /// Wakes what follows the process.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Sends what may be lost.
    pub(super) fn send(&self, text: &str) {
        if let Err(problem) = self.0.socket.send(text) {
            self.failed(&problem);
        }
    }

    /// Sends what must arrive: again and again, if it has to be.
    pub(super) fn must_send(&self, text: &str) {
        self.0.owed.lock().push(text.to_owned());
        self.send_owed();
        self.wake();
    }

    /// Sends what is owed; whether nothing is any more.
    pub(super) fn send_owed(&self) -> bool {
        let mut owed = self.0.owed.lock();
        while let Some(first) = owed.first() {
            if let Err(problem) = self.0.socket.send(first) {
                drop(owed);
                self.failed(&problem);
                return false;
            }
            owed.remove(0);
        }
        true
    }

    /// Logs the first failure.
    fn failed(&self, problem: &io::Error) {
        if self.0.has_failed.swap(true, Ordering::AcqRel) {
            return;
        }
        let text = format!("systemd cannot be notified: {problem}");
        let warned = move || warn!(target: "headcount", "{text}");
        if let Some(lines) = &self.0.lines {
            lines.write(warned);
        } else {
            warned();
        }
    }
}
