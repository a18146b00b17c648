//! Console events of Windows.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::windows;
use tokio::sync::mpsc;

use super::{Ladder, Meaning, Signal, millis};
use crate::shutdown::gates::gates;

/// What the signal thread reports.
#[derive(Debug)]
pub(crate) struct Listener(mpsc::UnboundedReceiver<Meaning>);

impl Listener {
    /// Starts to listen.
    pub(crate) fn start(_wanted: &[Signal]) -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (begun, result) = std::sync::mpsc::channel();
        millis();
        // The runtime is built and dropped there: where `install` was called neither may be allowed.
        let wait = move || {
            let listening = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
                let events = runtime.block_on(async { Events::listen() })?;
                Ok((runtime, events))
            });
            match listening {
                Ok((runtime, events)) => {
                    let _ = begun.send(Ok(()));
                    runtime.block_on(forward(events, sender));
                }
                Err(problem) => drop(begun.send(Err(problem))),
            }
        };
        thread::Builder::new().name("headcount-signal".to_owned()).spawn(wait)?;
        result.recv().map_err(io::Error::other)??;
        Ok(Self(receiver))
    }

    /// What the next event means that means anything.
    pub(crate) async fn next(&mut self) -> io::Result<Meaning> {
        match self.0.recv().await {
            Some(meaning) => Ok(meaning),
            None => std::future::pending().await,
        }
    }
}

async fn forward(mut events: Events, coordinator: mpsc::UnboundedSender<Meaning>) {
    let mut ladder = Ladder::default();
    loop {
        let signal = events.next().await;
        tell(&mut ladder, signal, &coordinator);
    }
}

fn tell(ladder: &mut Ladder, signal: Signal, coordinator: &mpsc::UnboundedSender<Meaning>) {
    match ladder.hear(signal, millis(), || gates().request()) {
        Meaning::Exit(code) => exit_now(code),
        Meaning::Same => {}
        // The coordinator's end means the process's end.
        meaning => drop(coordinator.send(meaning)),
    }
}

struct Events {
    ctrl_c: windows::CtrlC,
    ctrl_break: windows::CtrlBreak,
    close: windows::CtrlClose,
    log_off: windows::CtrlLogoff,
    shutdown: windows::CtrlShutdown,
}

impl Events {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: windows::ctrl_c()?,
            ctrl_break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            log_off: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.ctrl_c.recv() => Signal::Interrupt,
            _ = self.ctrl_break.recv() => Signal::Interrupt,
            _ = self.close.recv() => Signal::Terminate,
            _ = self.log_off.recv() => Signal::Terminate,
            _ = self.shutdown.recv() => Signal::Terminate,
        }
    }
}

/// Ends the process.
pub(crate) fn exit_now(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// There is no SIGHUP here.
#[allow(clippy::unnecessary_wraps, reason = "as on other systems")]
pub(crate) fn ignore_hang_up() -> io::Result<()> {
    Ok(())
}

/// No signal can be blocked here.
pub(crate) const fn blocked(_: &[Signal]) -> Vec<Signal> {
    Vec::new()
}

/// There is no fork here.
pub(crate) const fn give_back() {}
