//! `HEADCOUNT=off`: no thread, no port, no recorder, and tasks that are tokio's.

use futures_util::FutureExt;
use headcount::Headcount;

/// What is wrong in other variables does not matter then.
#[test]
fn off_is_off() {
    own_process!("HEADCOUNT" = "off", "HEADCOUNT_DRAIN_TIMEOUT" = "nonsense");
    let before = threads();
    let hc = Headcount::builder().allow_actions(true).install().unwrap();
    assert_eq!(threads(), before);
    assert_eq!(hc.admin_addr(), None);
    assert_eq!(hc.render_metrics(), "");
    hc.set_ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let task = headcount::task("invisible").spawn(async { headcount::current().is_none() });
        assert_eq!(headcount::snapshot().live, 0);
        task.await.unwrap()
    });
    assert!(answer, "no task is tracked");
    assert_eq!(headcount::snapshot().spawned, 0);
    metrics::set_global_recorder(metrics::NoopRecorder).expect("the place of the recorder is free");
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// As in a loop that does other work between two waits for the signal.
#[cfg(all(unix, feature = "shutdown"))]
#[tokio::test]
async fn a_signal_that_comes_while_nothing_awaits_it_is_kept() {
    own_process!("HEADCOUNT" = "off");
    let _hc = Headcount::install().unwrap();
    assert!(headcount::draining().now_or_never().is_none());
    assert!(!headcount::shutdown_requested());
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
    headcount::draining().await;
    assert!(headcount::shutdown_requested());
}

/// A span is not headcount's: tasks keep it.
#[test]
fn a_span_is_kept() {
    own_process!("HEADCOUNT" = "off");
    use tokio::runtime::Builder;
    use tracing::{Span, info_span};

    tracing::subscriber::set_global_default(tracing_subscriber::Registry::default()).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let all = async {
        let (span, task) = (info_span!("request"), || headcount::task("invisible"));
        let inside = span.in_scope(|| task().in_current_span());
        let wanted = span.id();
        let found = || async { Span::current().id() };
        assert_eq!(inside.clone().spawn(found()).await.unwrap(), wanted);
        assert_eq!(
            inside.clone().spawn_on(found(), &tokio::runtime::Handle::current()).await.unwrap(),
            wanted
        );
        assert_eq!(inside.clone().spawn_local(found()).await.unwrap(), wanted);
        assert_eq!(inside.clone().spawn_blocking(|| Span::current().id()).await.unwrap(), wanted);
        assert_eq!(inside.track(found()).await, wanted);
        assert_eq!(task().spawn(found()).await.unwrap(), None);
    };
    tokio::task::LocalSet::new().block_on(&runtime, all);
}
