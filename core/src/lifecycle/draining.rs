//! `draining()` and `shutdown_requested()`.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::futures::Notified;

use super::{Gate, gates};
use crate::registry::is_enabled;
use crate::registry::kind::OnShutdown;
use crate::registry::local::{self, Current};

/// Resolves with the first signal, in a process in which headcount is turned off.
pub type OffSignal = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What stands in for the coordinator in such a process.
#[derive(Clone, Copy, Debug)]
pub struct Off {
    pub signal: fn() -> OffSignal,
    /// Whether a signal has come.
    pub begun: fn() -> bool,
}

/// Whether this process has been asked to stop; inside a task of [`OnShutdown::Last`], whether its turn has
/// come.
///
/// Costs two loads; every 64th call of a thread also calls `getpid`. Use it in loops that do not await;
/// otherwise await [`draining`]. It is already true while the shutdown is announced.
pub fn shutdown_requested() -> bool {
    let gates = gates();
    gates.note_asking();
    look_for_fork();
    match local::current() {
        _ if !is_enabled() => gates.off.get().is_some_and(|off| (off.begun)()),
        Some(task) if is_last(task) => gates.last_turn.is_open(),
        _ => gates.is_requested(),
    }
}

/// In a process that was forked from the one that headcount was installed in, signals get their default
/// action back. Looks at one of some calls.
fn look_for_fork() {
    const CALLS: u8 = 64;
    thread_local! {
        static CALL: Cell<u8> = const { Cell::new(0) };
    }
    let call = CALL.get();
    CALL.set((call + 1) % CALLS);
    if call == 0 {
        gates().forked_from();
    }
}

fn is_last(task: Current) -> bool {
    task.slot.own().policy() == OnShutdown::Last
}

/// Resolves when this process begins to drain; inside a task of [`OnShutdown::Last`], when its turn has come.
///
/// Whether it is inside such a task is decided at its first poll. Without `Headcount` installed it never
/// resolves.
///
/// # Cancel safety
///
/// Yes.
///
/// # Examples
///
/// ```
/// # use headcount_core as headcount;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let refresh = headcount::spawn(async {
///     loop {
///         tokio::select! {
///             () = headcount::draining() => break,
///             () = tokio::time::sleep(std::time::Duration::from_secs(60)) => { /* refresh the cache */ }
///         }
///     }
/// });
/// # refresh.abort();
/// # }
/// ```
pub fn draining() -> Draining {
    Draining { waiting: Waiting::Unpolled }
}

pin_project_lite::pin_project! {
    /// Resolves when the process begins to drain; made by [`draining`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Draining {
        #[pin]
        waiting: Waiting,
    }
}

pin_project_lite::pin_project! {
    #[project = WaitingProjection]
    enum Waiting {
        Unpolled,
        Before { gate: &'static Gate, #[pin] opening: Notified<'static> },
        Off { signal: OffSignal },
        Over,
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").finish_non_exhaustive()
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.project().waiting;
        loop {
            match waiting.as_mut().project() {
                WaitingProjection::Unpolled => waiting.set(first_wait()),
                WaitingProjection::Before { gate, opening } => {
                    // Polled first, so that an opening in between is not missed.
                    let woken = opening.poll(context).is_ready();
                    if !woken && !gate.is_open() {
                        return Poll::Pending;
                    }
                    waiting.set(Waiting::Over);
                }
                WaitingProjection::Off { signal } => {
                    ready!(signal.as_mut().poll(context));
                    waiting.set(Waiting::Over);
                }
                WaitingProjection::Over => return Poll::Ready(()),
            }
        }
    }
}

/// What to wait for, where it is first polled.
fn first_wait() -> Waiting {
    let gates = gates();
    gates.note_asking();
    if let Some(off) = gates.off.get().filter(|_| !is_enabled()) {
        return Waiting::Off { signal: (off.signal)() };
    }
    // Nothing opens gates in a forked process, but signals get their default action back.
    gates.forked_from();
    let gate = match local::current() {
        Some(task) if is_last(task) => &gates.last_turn,
        _ => &gates.draining,
    };
    if gate.is_open() { Waiting::Over } else { Waiting::Before { gate, opening: gate.opening() } }
}
