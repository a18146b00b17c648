//! The shutdown of a process in which `HEADCOUNT=off`: the application stops on signals as before, and
//! nothing is waited for. Tasks are cut as their policy and grace in the code say, since code that awaits
//! them counts on it.
//!
//! Listening for a signal takes its default action away from it, for good. So a second signal ends the
//! process here too: without that, an open stream would keep alive what a graceful server waits for.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;

use super::gates::{Off, OffSignal, gates};
use super::report::CRITICAL;
use super::signal::exit_now;
#[cfg(unix)]
use super::signal::{Signal, not_ignored};
use headcount_core::internal::registry::untracked;
use headcount_core::internal::service::critical::{self, CriticalEnd};

/// Signals this close together are one, as they are where headcount is on.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Lets `draining()` and `shutdown_requested()` follow signals, unless the application follows them itself.
/// `install` calls it where the variable says `off`.
pub(crate) fn turn_off(signals: bool) {
    let off = if signals {
        Off { signal, begun }
    } else {
        Off { signal: || Box::pin(gates().draining.opened()), begun: || gates().is_requested() }
    };
    let _ = gates().off.set(off);
    critical::follow(critical_ended);
}

/// What awaits `draining()` or `drain()` stops the process, with the code of the report. Where nothing ever
/// did, the process ends here, as a coordinator would have it.
fn critical_ended(_: &CriticalEnd) {
    if gates().was_asked() {
        begin();
    } else {
        exit_now(CRITICAL);
    }
}

/// Asks all tasks to stop.
pub(crate) fn begin() {
    let gates = gates();
    gates.request();
    gates.draining.open();
    gates.last_turn.open();
    untracked::begin_stop();
    if KEPT.lock().is_some() {
        let_the_next_end_it();
    }
}

fn begun() -> bool {
    if !gates().is_requested() && has_come() {
        begin();
    }
    gates().is_requested()
}

/// Resolves with the first signal, and from then on at once. Listens through tokio from its first poll on.
fn signal() -> OffSignal {
    Box::pin(async {
        if !begun() {
            tokio::select! {
                () = gates().draining.opened() => {}
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
    #[cfg(unix)]
    LazyLock::force(&ARMED);
    let mut kept = KEPT.lock();
    if kept.is_none() {
        *kept = Some(Signals::listen()?);
        // The stop may have begun meanwhile, and found nothing kept.
        if gates().is_requested() {
            let_the_next_end_it();
        }
    }
    Ok(())
}

/// Whether a signal came since the first poll.
fn has_come() -> bool {
    let mut context = Context::from_waker(Waker::noop());
    KEPT.lock().as_mut().is_some_and(|signals| signals.poll_recv(&mut context).is_ready())
}

/// Whether the next signal ends the process. Its handlers are there before tokio's, and once.
#[cfg(unix)]
static ARMED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let armed = Arc::new(AtomicBool::new(false));
    for number in LISTENED.iter().copied() {
        let _ = signal_hook::flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&armed));
    }
    armed
});

/// From now on, or a moment later, a signal ends the process.
fn let_the_next_end_it() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        return;
    }
    // On a thread: a runtime whose workers are all blocked would never get to it.
    let arm = || {
        thread::sleep(SAME_SIGNAL);
        #[cfg(unix)]
        ARMED.store(true, Ordering::SeqCst);
        #[cfg(windows)]
        end_with_the_next();
    };
    let _ = thread::Builder::new().name("headcount-signal".to_owned()).spawn(arm);
}

#[cfg(windows)]
fn end_with_the_next() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
        std::process::exit(130);
    }
}

/// What ends the process, without the signals that its parent had set to be ignored: those stay ignored.
#[cfg(unix)]
static LISTENED: LazyLock<Vec<i32>> = LazyLock::new(|| not_ignored(&[Signal::Interrupt, Signal::Terminate]));

/// What ends a process, as tokio has it.
#[cfg(unix)]
struct Signals(Vec<unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        let kinds = LISTENED.iter().map(|number| unix::SignalKind::from_raw(*number));
        kinds.map(unix::signal).collect::<io::Result<_>>().map(Self)
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
