//! A foreign recorder has the last figures when the report is there, without waiting for the next round.

use headcount::Headcount;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

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
    assert_eq!(hc.drain().await.exit_code, 0);
    let told = reader.snapshot().into_vec();
    let finished = told.iter().find_map(|(key, _, _, value)| {
        let ok = key.key().labels().any(|label| (label.key(), label.value()) == ("outcome", "ok"));
        let ours = key.key().labels().any(|label| label.value() == "last");
        (key.key().name() == "headcount_tasks_finished_total" && ok && ours).then_some(value)
    });
    assert!(matches!(finished, Some(DebugValue::Counter(3))), "{finished:?}");
}
