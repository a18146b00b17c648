//! The services and timers of the process under test.

use std::future::pending;
use std::time::Duration;

use headcount::{Backoff, OnShutdown, Restart, ServiceHandle, draining, every, service, shutdown_requested};
use tokio::time::sleep;

use super::child::say;

/// Begins one of them: `service-fails NAME`, `service-told NAME MS`, `service-follows NAME`, `service-deaf
/// NAME GRACE`, `timer NAME MS`, `timer-busy NAME MS`, `critical NAME MS`, `critical-told NAME MS`,
/// `critical-follows NAME`, `critical-cancelled NAME`, `critical-stopped NAME`.
pub(super) async fn begin(what: &str, name: String, time: Duration) {
    let hour = Backoff::constant(Duration::from_secs(3_600));
    match what {
        "service-fails" => {
            let fails = || async { Err::<(), _>("no connection") };
            let consumer = service(name, fails).restart(Restart::OnFailure, hour).spawn().unwrap();
            while consumer.info().restarts == 0 {
                tokio::task::yield_now().await;
            }
        }
        "service-told" | "critical-told" => {
            let told = move || async move {
                draining().await;
                sleep(time).await;
            };
            let told = service(name, told);
            running(&if what == "critical-told" { told.critical() } else { told }.spawn().unwrap()).await;
        }
        // It asks in a loop, as code that awaits nothing does.
        "service-follows" | "critical-follows" => {
            let follows = || async {
                while !shutdown_requested() {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            let follows = service(name, follows).restart(Restart::OnFailure, hour);
            let is_critical = what == "critical-follows";
            running(&if is_critical { follows.critical() } else { follows }.spawn().unwrap()).await;
        }
        "critical-cancelled" => {
            let cancelled = service(name, pending::<()>).on_shutdown(OnShutdown::Cancel);
            let at_once = Backoff::constant(Duration::from_millis(1)).give_up(0, Duration::from_secs(60));
            let cancelled = cancelled.restart(Restart::OnFailure, at_once);
            running(&cancelled.critical().spawn().unwrap()).await;
        }
        "service-deaf" => {
            let run = {
                let name = name.clone();
                move || {
                    say(&format!("{name} runs"));
                    pending::<()>()
                }
            };
            let quick = Backoff::constant(Duration::from_millis(1));
            running(&service(name, run).grace(time).restart(Restart::Always, quick).spawn().unwrap()).await;
        }
        "timer" => drop(every(time, name).run(|| async {}).unwrap()),
        "timer-busy" => {
            let busy = move || async move {
                draining().await;
                sleep(time).await;
            };
            running(&every(Duration::from_millis(100), name).run(busy).unwrap()).await;
        }
        "critical" => drop(critical(name, time)),
        "critical-stopped" => {
            let stopped = service(name, pending::<()>).critical().spawn().unwrap();
            stopped.stop();
            stopped.ended().await;
        }
        unknown => panic!("no service: {unknown}"),
    }
}

/// Waits until a run is alive, which the shutdown then meets.
async fn running(handle: &ServiceHandle) {
    while handle.info().running_for.is_none() {
        tokio::task::yield_now().await;
    }
}

/// A critical service that works for so long, fails, and fails again.
pub(super) fn critical(name: String, time: Duration) -> ServiceHandle {
    let fails = move || async move {
        sleep(time).await;
        panic!("no connection");
    };
    let backoff = Backoff::constant(Duration::from_millis(10)).give_up(1, Duration::from_secs(60));
    service(name, fails).restart(Restart::OnFailure, backoff).critical().spawn().unwrap()
}
