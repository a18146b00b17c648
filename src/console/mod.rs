//! tokio-console: the setting [`console`](crate::Builder::console) gives the address at which `tokio-console`
//! can attach.
//!
//! Two things can answer there; the log of [`install`](crate::Builder::install) says which does, and why.
//!
//! **On stock stable** headcount speaks the console's protocol itself, from its registry: no flag, no
//! rebuild, nothing added to a spawn or poll. While a client is attached a pass over the registry is made
//! once a second, on headcount's own thread; `bench/RESULTS-CONSOLE.md` in the repository has what that
//! costs, beside `console-subscriber`. The client shows each tracked task with name, kind, place, fields,
//! labels, status, progress, state, times and polls; one that did not end well has the fields `outcome` and
//! `message`.
//!
//! - Poll times are recorded from the moment a task is looked at in detail, at most 8 tasks at a time; polls
//!   before that are not in the histogram. Meanwhile its numbers are updated. Its fields are updated after
//!   the client leaves the task's view.
//! - Tasks that `tokio::spawn` began, resources and async ops are absent: a registry of tasks does not know
//!   them.
//! - `Woken` counts the wakes that led to a poll; `Sched` is how long a task has waited for its first poll,
//!   until that comes. A live task has `Current wakers: 1`, since wakers are not seen: the warning about lost
//!   wakers never comes. Those about self-wakes, large and boxed futures do not come either. `never yielded`
//!   does.
//! - A client sees at most 1,000 of the oldest and 1,000 of the newest live tasks, with a line that says how
//!   many more live, and 1,000 finished ones for 6 seconds. Tasks that began and ended unseen count as
//!   `dropped`.
//! - A pause is for all clients, until one resumes or the one that paused is gone. What happened meanwhile is
//!   sent then.
//! - At most 8 clients; one that is 8 seconds behind is let go, which is logged.
//!
//! **With `--cfg tokio_unstable`** and [`layer()`] among the layers of the application's subscriber,
//! `console-subscriber` answers, which also sees wakers, resources and what `tokio::spawn` began. Tasks
//! spawned through headcount have their names there. It costs what it costs: tens of microseconds a spawn,
//! and some fifty kilobytes for each live task and each that ended in the last 6 seconds.
//!
//! Every client that can connect to the address sees the tasks, because the protocol has no password. Choose
//! an address on loopback, such as [`DEFAULT_ADDRESS`].

mod follow;
mod polls;
mod publish;
mod select;
mod server;
#[cfg(tokio_unstable)]
mod subscriber;
mod wire;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

use tracing::{Subscriber, error, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use self::wire::Hidden;
use crate::error::Error;
use crate::observer::{Lines, Worker};
use crate::settings::{Hide, Settings};

/// The address that `tokio-console` connects to by default: 127.0.0.1:6669.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6669));

/// The layer of `console-subscriber`, for a build with `--cfg tokio_unstable`; without that flag, one that
/// does nothing.
///
/// It goes beside the application's own layers, before [`install`](crate::Builder::install), which serves
/// what it collects at the address of the setting [`console`](crate::Builder::console). Finished tasks are
/// kept for 6 seconds. Filters of the other layers do not concern it; one over all layers must let spans and
/// events of the target `tokio` and spans named `runtime.…` through at level TRACE.
///
/// # Examples
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(headcount::console::layer()).init();
/// ```
#[must_use = "it does nothing unless it is among the layers of the subscriber"]
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    #[cfg(tokio_unstable)]
    return subscriber::layer();
    #[cfg(not(tokio_unstable))]
    tracing_subscriber::layer::Identity::new()
}

/// The console's server, before it serves.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    /// The thread that it will run on.
    worker: Worker,
}

impl Server {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

/// Binds the address of the setting and starts the thread.
pub(crate) fn bind(settings: &Settings) -> Result<Option<Server>, Error> {
    let Some(address) = settings.console else { return Ok(None) };
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let listener = listen().map_err(|problem| Error::address("console", address, problem))?;
    Ok(Some(Server { listener, worker: Worker::start("headcount-console")? }))
}

/// Starts to serve, and logs what.
pub(crate) fn start(settings: &Settings, lines: &Lines, server: Option<Server>) {
    #[cfg(tokio_unstable)]
    let Some(server) = server else { return subscriber::warn_if_unused() };
    #[cfg(not(tokio_unstable))]
    let Some(server) = server else { return };
    let Server { listener, worker } = server;
    #[cfg(tokio_unstable)]
    let Some(listener) = subscriber::start(listener, &worker) else { return };
    let Ok(address) = listener.local_addr() else { return };
    let why = if cfg!(tokio_unstable) {
        "`headcount::console::layer()` is not among the layers"
    } else {
        "this build is without `--cfg tokio_unstable`"
    };
    announce(address, "headcount's own registry", why);
    let hidden = Hidden {
        fields: settings.hide.contains(&Hide::Fields),
        messages: settings.hide.contains(&Hide::Messages),
    };
    let lines = lines.clone();
    let serve = async move {
        if let Err(problem) = server::serve(listener, hidden, lines.clone()).await {
            lines.write(
                move || error!(target: "headcount", "The console at {address} has stopped: {problem}"),
            );
        }
    };
    worker.spawn(serve);
}

fn announce(address: SocketAddr, source: &str, why: &str) {
    info!(target: "headcount", "Console at http://{address} serves {source}, since {why}");
    if !address.ip().is_loopback() {
        warn!(target: "headcount", "The console at {address} can be reached from outside, and asks for no password");
    }
}
