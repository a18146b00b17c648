//! The shutdown of a process in which `HEADCOUNT=off`: the application stops on signals as before, and nothing is waited for.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;

use super::gate::Gate;

static STOPPING: Gate = Gate::new();

pub(crate) type Signal = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

pub(crate) fn begin() {
    STOPPING.open();
}

pub(crate) fn begun() -> bool {
    if !STOPPING.is_open() && has_come() {
        begin();
    }
    STOPPING.is_open()
}

/// Resolves with the first signal, and from then on at once. Listens through tokio from its first poll on.
pub(crate) fn signal() -> Signal {
    Box::pin(async {
        if !begun() {
            tokio::select! {
                () = STOPPING.opened() => {}
                () = heard() => begin(),
            }
        }
    })
}

/// Signals since the first poll of this process, so that one which comes while nothing awaits it is not lost.
static KEPT: Mutex<Option<Signals>> = Mutex::new(None);

async fn heard() {
    if let Err(problem) = keep() {
        tracing::warn!(target: "headcount", "Signals cannot be listened to: {problem}");
        return std::future::pending().await;
    }
    let Ok(mut own) = Signals::listen() else { return std::future::pending().await };
    if !has_come() {
        poll_fn(|context| own.poll_recv(context)).await;
    }
}

fn keep() -> io::Result<()> {
    let mut kept = KEPT.lock();
    if kept.is_none() {
        *kept = Some(Signals::listen()?);
    }
    Ok(())
}

/// Whether a signal came since the first poll.
fn has_come() -> bool {
    let mut context = Context::from_waker(Waker::noop());
    KEPT.lock().as_mut().is_some_and(|signals| signals.poll_recv(&mut context).is_ready())
}

/// What ends a process, as tokio tells it.
#[cfg(unix)]
struct Signals([unix::Signal; 2]);

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        let kinds = [unix::SignalKind::interrupt(), unix::SignalKind::terminate()];
        let [interrupt, terminate] = kinds.map(unix::signal);
        Ok(Self([interrupt?, terminate?]))
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let any = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if any { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(windows)]
struct Signals(windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        windows::ctrl_c().map(Self)
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_recv(context).map(|_| ())
    }
}
