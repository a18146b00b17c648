//! Terms that make no sense, and runtimes that lack something: an error where it begins, never a panic in a
//! worker.

use std::future::pending;
use std::time::Duration;

use headcount::{Backoff, Restart, ServiceError, every, service};
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::secs;

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ServiceError>, about: &str) -> ServiceError {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(about), "{error} does not speak of {about}");
    error
}

#[tokio::test]
async fn terms_that_make_no_sense_are_refused() {
    own_process!();
    let restart = |backoff| service("consumer", pending::<()>).restart(Restart::OnFailure, backoff).spawn();
    refused(every(Duration::ZERO, "refresh").run(|| async {}), "refresh cannot begin: a period of 0");
    for jitter in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = refused(every(secs(1), "refresh").jitter(jitter).run(|| async {}), "between 0 and 1");
        assert!(error.is_invalid() && !error.is_no_runtime());
    }
    refused(restart(Backoff::constant(Duration::ZERO)), "consumer cannot begin: a back-off of 0");
    refused(restart(Backoff::exponential(secs(2), secs(1))), "shorter than the first");
    refused(restart(Backoff::default().give_up(3, Duration::ZERO)), "a window of 0");
    for (timeout, about) in [(Duration::ZERO, "a timeout of 0"), (Duration::MAX, "longer than 500 years")] {
        refused(service("consumer", pending::<()>).timeout(timeout).spawn(), about);
        refused(every(secs(1), "refresh").timeout(timeout).run(|| async {}), about);
    }
    refused(service("", pending::<()>).spawn(), "it has no name");
    assert!(headcount::services().is_empty(), "nothing was begun");
    assert_eq!(headcount::snapshot().spawned, 0);
}

#[test]
fn a_runtime_that_lacks_something_is_refused() {
    own_process!();
    let error = refused(service("consumer", pending::<()>).spawn(), "consumer needs a tokio runtime");
    assert!(error.is_no_runtime());
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(async {
        let error = refused(service("consumer", pending::<()>).spawn(), "enable_time");
        assert!(error.is_no_time_driver());
        refused(every(secs(1), "refresh").run(|| async {}), "enable_time");
    });
    refused(every(secs(1), "refresh").run_on(|| async {}, bare.handle()), "enable_time");
    assert!(headcount::services().is_empty(), "nothing was begun");
}

#[tokio::test(start_paused = true)]
async fn lengths_that_no_clock_holds_do_no_harm() {
    own_process!();
    let never = every(Duration::MAX, "never").jitter(1.0).run(|| async {}).unwrap();
    let forever = Backoff::exponential(secs(1), Duration::MAX).give_up(u32::MAX, Duration::MAX);
    let forever = forever.stable_after(Duration::MAX).jitter();
    let fails = || async { Err::<(), _>("no connection") };
    let consumer = service("consumer", fails).restart(Restart::Always, forever).spawn().unwrap();
    let constant = service("constant", fails).restart(Restart::Always, Backoff::constant(Duration::MAX));
    let constant = constant.spawn().unwrap();
    sleep(secs(100_000_000)).await;
    assert_eq!(never.info().runs, 1);
    assert!(20 < consumer.info().runs, "{consumer:?}");
    assert_eq!(constant.info().runs, 1);
    assert!(headcount::services().iter().all(|service| !service.state.is_over()));
}
