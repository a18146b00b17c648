//! A foreign recorder has the last figures when the report is there, without waiting for the next round.

use std::time::{Duration, Instant};

use headcount::Headcount;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::support::wait::until_yielding;

#[tokio::test]
async fn the_last_figures_are_published_before_the_report() {
    own_process!();
    let recorder = DebuggingRecorder::new();
    let reader = recorder.snapshotter();
    metrics::set_global_recorder(recorder).unwrap();
    let hc = Headcount::builder().admin(None).signals(false).install().unwrap();
    for _ in 0..3 {
        headcount::task("last").spawn(tokio::task::yield_now());
    }
    let began = Instant::now();
    assert_eq!(hc.drain().await.exit_code, 0);
    // The report waits for them for a moment, which may be over on a busy machine.
    let is_busy = Duration::from_millis(300) < began.elapsed();
    let mut finished = 0;
    let mut read = || {
        for (key, _, _, value) in reader.snapshot().into_vec() {
            let ok = key.key().labels().any(|label| (label.key(), label.value()) == ("outcome", "ok"));
            let ours = key.key().labels().any(|label| label.value() == "last");
            if key.key().name() == "headcount_tasks_finished_total" && ok && ours {
                let DebugValue::Counter(more) = value else { panic!("{value:?}") };
                // What was read before is not read again.
                finished += more;
            }
        }
        if finished == 3 { Ok(()) } else { Err(finished) }
    };
    if is_busy {
        until_yielding(read).await;
    } else {
        assert_eq!(read(), Ok(()));
    }
}
