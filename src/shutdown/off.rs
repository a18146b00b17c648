//! The shutdown of a process in which `HEADCOUNT=off`: the application stops on signals as before, and nothing is waited for.

use std::pin::Pin;

use super::gate::Gate;

static STOPPING: Gate = Gate::new();

pub(crate) type Signal = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

pub(crate) fn begin() {
    STOPPING.open();
}

pub(crate) fn begun() -> bool {
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

#[cfg(unix)]
async fn heard() {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(windows)]
async fn heard() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
