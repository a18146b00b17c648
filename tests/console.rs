//! The console's own generated client against what headcount serves, in one process with the tasks.
#![cfg(all(feature = "console", not(tokio_unstable)))]
#![allow(clippy::unwrap_used)]

#[path = "support/console.rs"]
mod support;

use std::time::{Duration, SystemTime};

use console_api::Id;
use console_api::instrument::TaskDetailsRequest;
use console_api::tasks::task_details::PollTimesHistogram;
use headcount::OnShutdown;
use support::{Console, has_lost_its_waker, is_dropped, is_idle, is_running, polls, text};
use tokio::sync::oneshot;

#[tokio::test]
async fn a_task_is_told_with_all_that_is_known_of_it() {
    let (release, released) = oneshot::channel::<()>();
    let handle = headcount::task("told")
        .label("provider", "ses")
        .field("order_id", 42)
        .field("kind", "mine")
        .on_shutdown(OnShutdown::Detach)
        .spawn(async {
            headcount::current().unwrap().set_status("waiting\nfor you");
            let _ = released.await;
        });
    let line = line!() - 4;
    let mut console = Console::attach().await;
    let (task, stats) = console.until("told", is_idle).await;
    assert_eq!(text(&task, "provider"), "ses");
    assert_eq!(text(&task, "order_id"), "42");
    assert_eq!((text(&task, "kind"), text(&task, "kind_")), ("task".to_owned(), "mine".to_owned()));
    assert_eq!(text(&task, "on_shutdown"), "detach");
    assert_eq!(text(&task, "status"), "waiting\\nfor you");
    assert_eq!(text(&task, "task.id"), task.id.unwrap().id.to_string());
    let location = task.location.as_ref().unwrap();
    assert_eq!((location.file.as_deref(), location.line), (Some("tests/console.rs"), Some(line)));
    assert_eq!((polls(&stats), stats.wakes, stats.self_wakes), (1, 0, 0));
    assert!(!has_lost_its_waker(&stats));

    release.send(()).unwrap();
    handle.await.unwrap();
    let (_, stats) = console.until("told", is_dropped).await;
    assert_eq!((polls(&stats), stats.wakes), (2, 1));
    let lived = |time: Option<prost_types::Timestamp>| SystemTime::try_from(time.unwrap()).unwrap();
    assert!(lived(stats.created_at) < lived(stats.dropped_at));
}

#[tokio::test]
async fn updates_add_up_to_what_the_tasks_did() {
    let mut console = Console::attach().await;
    let mut tasks = Vec::new();
    for rounds in 0..50_u64 {
        tasks.push(headcount::task("adds-up").field("rounds", rounds).spawn(async move {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all_told = |console: &Console| {
        let told = console.named("adds-up");
        told.len() == 50 && told.iter().all(|(_, stats)| is_dropped(stats))
    };
    while !all_told(&console) {
        console.next().await;
    }
    for (task, stats) in console.named("adds-up") {
        assert_eq!(polls(&stats), text(&task, "rounds").parse::<u64>().unwrap() + 1);
    }
}

#[tokio::test]
async fn how_a_task_ended_is_told() {
    let mut console = Console::attach().await;
    let panics = headcount::task("panics-soon").spawn(async { panic!("no such order") });
    assert!(panics.await.unwrap_err().is_panic());
    let (task, _) = console.until("panics-soon", is_dropped).await;
    assert_eq!((text(&task, "outcome"), text(&task, "message")), ("panic".into(), "no such order".into()));

    let aborted = headcount::task("aborted-soon").spawn(std::future::pending::<()>());
    console.until("aborted-soon", is_idle).await;
    aborted.abort();
    let (task, _) = console.until("aborted-soon", is_dropped).await;
    assert_eq!(text(&task, "outcome"), "cancelled");
}

#[tokio::test]
async fn kinds_and_states_are_those_of_the_client() {
    let mut console = Console::attach().await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let blocking = headcount::task("in-a-closure").spawn_blocking(move || released.recv().is_err());
    let (task, stats) = console.until("in-a-closure", is_running).await;
    assert_eq!((text(&task, "kind"), task.kind), ("blocking".into(), 1));
    assert!(stats.last_wake.is_none());
    drop(release);
    assert!(blocking.await.unwrap());

    let unpolled = headcount::task("unpolled").track(async {});
    let (task, stats) = console.until("unpolled", |stats| polls(stats) == 0).await;
    assert_eq!(text(&task, "kind"), "future");
    assert!(stats.last_wake.is_none(), "nobody was asked to poll it");
    unpolled.await;
}

#[tokio::test]
async fn poll_times_are_recorded_while_a_task_is_watched() {
    let mut console = Console::attach().await;
    let handle = headcount::task("watched").spawn(async {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let (task, _) = console.until("watched", |stats| 0 < polls(stats)).await;
    let mut details = console.details(&task).await;
    let histogram = loop {
        let message = details.message().await.unwrap().expect("it lives");
        assert_eq!(message.task_id, task.id);
        match message.poll_times_histogram {
            Some(PollTimesHistogram::Histogram(histogram)) => break histogram,
            Some(PollTimesHistogram::LegacyHistogram(_)) => panic!("of old"),
            None => {}
        }
    };
    let mut bytes = histogram.raw_histogram.as_slice();
    let polls: hdrhistogram::Histogram<u64> =
        hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes).unwrap();
    assert!(1 < polls.len());
    assert!(19_000_000 < polls.value_at_quantile(0.5), "{} ns", polls.value_at_quantile(0.5));

    handle.abort();
    while details.message().await.unwrap().is_some() {}
    let unknown = TaskDetailsRequest { id: Some(Id { id: u64::MAX >> 11 }) };
    let refused = console.client.watch_task_details(unknown).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    let missing = console.client.watch_task_details(TaskDetailsRequest { id: None }).await.unwrap_err();
    assert_eq!(missing.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn two_clients_and_one_that_comes_back_are_told_the_same() {
    let handle = headcount::task("seen-by-all").spawn(std::future::pending::<()>());
    let mut first = Console::attach().await;
    let mut second = Console::attach().await;
    let (seen, _) = first.until("seen-by-all", is_idle).await;
    assert_eq!(second.until("seen-by-all", is_idle).await.0, seen);
    drop(first);
    second.next().await;
    let mut again = Console::attach().await;
    assert_eq!(again.until("seen-by-all", is_idle).await.0, seen);
    handle.abort();
    for console in [&mut second, &mut again] {
        console.until("seen-by-all", is_dropped).await;
    }
    let mut late = Console::attach().await;
    late.until("seen-by-all", is_dropped).await;
}
