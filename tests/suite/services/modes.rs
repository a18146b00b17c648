//! The same with headcount installed, without it, and where the variable says `off`: terms keep their
//! meaning.

use headcount::{Backoff, Headcount, Outcome, Restart, ServiceState, every, service};
use tokio::time::sleep;

use super::{Runs, secs};

async fn a_service_restarts_and_a_timer_ticks() {
    let (restarts, ticks) = (Runs::new(), Runs::new());
    let (restarted, ticked) = (restarts.clone(), ticks.clone());
    let fails = move || {
        restarted.note();
        async { panic!("no connection") }
    };
    let backoff = Backoff::constant(secs(10)).give_up(2, secs(60));
    let consumer = service("consumer", fails).restart(Restart::OnFailure, backoff).spawn().unwrap();
    let timer = every(secs(7), "refresh").run(move || {
        ticked.note();
        async { Err::<(), _>("no connection") }
    });
    let timer = timer.unwrap();
    assert_eq!(consumer.ended().await, ServiceState::Failed);
    let info = consumer.info();
    assert_eq!((info.runs, info.failures), (3, 3));
    let last = info.last.unwrap();
    assert_eq!((last.outcome, last.message.as_deref()), (Outcome::Panic, Some("no connection")));
    assert_eq!(restarts.seconds(), [0, 10, 20]);
    sleep(secs(3)).await;
    assert_eq!(ticks.seconds(), [0, 7, 14, 21]);
    assert_eq!(timer.outcome(), Some(Outcome::Error));
    timer.stop();
    assert_eq!(timer.ended().await, ServiceState::Stopped);
}

/// Timeouts are kept outside of the runtime, in real time.
async fn a_run_that_takes_too_long_is_aborted() {
    let at_most = std::time::Duration::from_millis(30);
    let timer = every(secs(3_600), "stuck").timeout(at_most).run(std::future::pending::<()>).unwrap();
    let backoff = Backoff::constant(std::time::Duration::from_millis(1)).give_up(2, secs(600));
    let slow = service("slow", std::future::pending::<()>).timeout(at_most);
    let slow = slow.restart(Restart::OnFailure, backoff).spawn().unwrap();
    assert_eq!(slow.ended().await, ServiceState::Failed);
    assert_eq!((slow.info().runs, slow.outcome()), (3, Some(Outcome::Timeout)));
    while timer.outcome().is_none() {
        tokio::task::yield_now().await;
    }
    let info = timer.info();
    assert_eq!((info.state, info.timeout, info.failures), (ServiceState::Waiting, Some(at_most), 1));
    assert_eq!(info.last.unwrap().outcome, Outcome::Timeout);
}

#[tokio::test]
async fn timeouts_where_it_is_not_installed() {
    own_process!();
    a_run_that_takes_too_long_is_aborted().await;
    assert_eq!(headcount::snapshot().finished.timeout, 4);
}

#[tokio::test]
async fn timeouts_where_it_is_off() {
    own_process!("HEADCOUNT" = "off");
    let _hc = Headcount::install().unwrap();
    a_run_that_takes_too_long_is_aborted().await;
}

#[tokio::test(start_paused = true)]
async fn not_installed() {
    own_process!();
    a_service_restarts_and_a_timer_ticks().await;
    assert_eq!(headcount::snapshot().spawned, 7);
}

#[tokio::test(start_paused = true)]
async fn installed() {
    own_process!("HEADCOUNT_ADMIN" = "none");
    let hc = Headcount::install().unwrap();
    a_service_restarts_and_a_timer_ticks().await;
    assert_eq!(hc.drain().await.exit_code, 0);
    assert!(headcount::services().iter().all(|service| service.state.is_over()));
}

#[tokio::test(start_paused = true)]
async fn off() {
    own_process!("HEADCOUNT" = "off");
    let hc = Headcount::install().unwrap();
    a_service_restarts_and_a_timer_ticks().await;
    assert_eq!((headcount::snapshot().spawned, hc.render_metrics()), (0, String::new()));
    assert_eq!(headcount::services()[0].last.as_ref().unwrap().task, None);
    // A shutdown ends a wait here too.
    let timer = every(secs(3_600), "refresh").run(|| async {}).unwrap();
    sleep(secs(1)).await;
    assert_eq!(hc.drain().await.exit_code, 0);
    assert_eq!(timer.ended().await, ServiceState::Stopped);
}
