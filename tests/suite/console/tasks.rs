//! The console's own generated client against what headcount serves, in one process with the tasks.

use std::time::{Duration, SystemTime};

use crate::support::console::{Console, at, is_dropped, is_idle, is_running, polls, span, text};
use console_api::Id;
use console_api::instrument::TaskDetailsRequest;
use console_api::tasks::task_details::PollTimesHistogram;
use console_api::tasks::{DurationHistogram, Stats, TaskDetails};
use headcount::OnShutdown;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::{Code, Streaming};

/// Times and spans are rounded each for itself.
const ROUNDING: Duration = Duration::from_nanos(2);

#[tokio::test]
async fn a_task_is_told_with_all_that_is_known_of_it() {
    own_process!();
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
    assert_eq!((location.file.as_deref(), location.line), (Some("tests/suite/console/tasks.rs"), Some(line)));
    assert_eq!((polls(&stats), stats.wakes, stats.self_wakes), (1, 0, 0));

    release.send(()).unwrap();
    handle.await.unwrap();
    let (_, stats) = console.until("told", is_dropped).await;
    assert_eq!((polls(&stats), stats.wakes), (2, 1));
    assert!(at(stats.created_at) < at(stats.dropped_at));
}

#[tokio::test]
async fn updates_add_up_to_what_the_tasks_did() {
    own_process!();
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
        let rounds: u64 = text(&task, "rounds").parse().unwrap();
        assert_eq!((polls(&stats), stats.wakes, stats.self_wakes), (rounds + 1, rounds, 0));
    }
}

#[tokio::test]
async fn how_a_task_ended_is_told() {
    own_process!();
    let mut console = Console::attach().await;
    let place = format!("{}:{}", file!(), line!() + 1);
    let panics = headcount::task("panics-soon").spawn(async { panic!("no such order") });
    assert!(panics.await.unwrap_err().is_panic());
    let (task, _) = console.until("panics-soon", is_dropped).await;
    let message = format!("no such order, at {place}");
    assert_eq!((text(&task, "outcome"), text(&task, "message")), ("panic".into(), message));

    let aborted = headcount::task("aborted-soon").spawn(std::future::pending::<()>());
    console.until("aborted-soon", is_idle).await;
    aborted.abort();
    let (task, _) = console.until("aborted-soon", is_dropped).await;
    assert_eq!(text(&task, "outcome"), "cancelled");
}

#[tokio::test]
async fn kinds_and_states_are_those_of_the_client() {
    own_process!();
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
async fn a_task_dropped_before_its_first_poll_was_never_busy() {
    own_process!();
    let mut console = Console::attach().await;
    let spawned = headcount::task("spawned-and-dropped").spawn(async {});
    spawned.abort();
    assert!(spawned.await.unwrap_err().is_cancelled());
    drop(headcount::task("tracked-and-dropped").track(async {}));
    let lived =
        |stats: &Stats| at(stats.dropped_at).unwrap().duration_since(at(stats.created_at).unwrap()).unwrap();
    let (task, stats) = console.until("spawned-and-dropped", is_dropped).await;
    assert_eq!((text(&task, "outcome"), polls(&stats), stats.wakes), ("cancelled".to_owned(), 0, 0));
    assert!(
        span(stats.scheduled_time).abs_diff(lived(&stats)) <= ROUNDING,
        "it waited for its poll all the time"
    );
    assert_eq!(span(stats.poll_stats.unwrap().busy_time), Duration::ZERO);

    let (task, stats) = console.until("tracked-and-dropped", is_dropped).await;
    assert_eq!((text(&task, "outcome"), polls(&stats)), ("cancelled".to_owned(), 0));
    assert_eq!(span(stats.scheduled_time), Duration::ZERO, "nobody was asked to poll it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_goes_on_is_told_since_when() {
    own_process!();
    let mut console = Console::attach().await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let before = SystemTime::now();
    let handle = headcount::task("never-yields").spawn(async move { released.recv().is_err() });
    let (_, stats) = console.until("never-yields", is_running).await;
    let figures = stats.poll_stats.unwrap();
    assert_eq!(
        (figures.polls, figures.last_poll_ended),
        (1, None),
        "what the client takes for never yielding"
    );
    assert_eq!(figures.first_poll, figures.last_poll_started);
    assert_eq!(span(figures.busy_time), Duration::ZERO, "the client adds the poll that goes on");
    // The two clocks may differ a little.
    assert!(before - Duration::from_secs(1) < at(figures.last_poll_started).unwrap());
    drop(release);
    assert!(handle.await.unwrap());
    let (_, stats) = console.until("never-yields", is_dropped).await;
    let ended = stats.poll_stats.unwrap();
    assert_eq!((ended.polls, ended.last_poll_started), (1, figures.last_poll_started));
    let in_poll = at(ended.last_poll_ended).unwrap().duration_since(at(ended.first_poll).unwrap());
    assert!(span(ended.busy_time).abs_diff(in_poll.unwrap()) <= ROUNDING);
}

/// A task that is polled once for each message, for at least as long as the message says, and says when it is
/// done.
fn polled_on_demand(name: &'static str) -> (mpsc::Sender<Duration>, mpsc::Receiver<()>, JoinHandle<()>) {
    let (demand, mut demands) = mpsc::channel(1);
    let (done, dones) = mpsc::channel(1);
    let handle = headcount::task(name).spawn(async move {
        let mut count = 0;
        while let Some(length) = demands.recv().await {
            std::thread::sleep(length);
            count += 1;
            headcount::current().unwrap().set_status(format!("{count} done"));
            done.try_send(()).unwrap();
        }
    });
    (demand, dones, handle)
}

/// The histogram of a message, if it has one.
fn poll_times(details: TaskDetails) -> Option<DurationHistogram> {
    details.poll_times_histogram.map(|histogram| match histogram {
        PollTimesHistogram::Histogram(histogram) => histogram,
        PollTimesHistogram::LegacyHistogram(_) => panic!("of old"),
    })
}

/// All there is to come of a stream that ends.
async fn rest_of(mut details: Streaming<TaskDetails>) -> Vec<TaskDetails> {
    let mut messages = Vec::new();
    while let Some(message) = details.message().await.unwrap() {
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn poll_times_are_recorded_while_a_task_is_watched() {
    own_process!();
    let mut console = Console::attach().await;
    let (demand, mut done, handle) = polled_on_demand("watched");
    let (task, _) = console.until("watched", is_idle).await;
    let mut details = console.details(&task).await;
    assert_eq!(poll_times(details.message().await.unwrap().unwrap()), None, "the first poll was not seen");
    for millis in [1, 5, 5, 5, 60] {
        demand.send(Duration::from_millis(millis)).await.unwrap();
        done.recv().await.unwrap();
    }
    drop(demand);
    handle.await.unwrap();
    let messages = rest_of(details).await;
    assert!(messages.iter().all(|message| message.task_id == task.id));
    let histogram = poll_times(messages.last().unwrap().clone()).unwrap();
    assert_eq!((histogram.max_value, histogram.high_outliers), (3_600_000_000_000, 0));
    let mut bytes = histogram.raw_histogram.as_slice();
    let times: hdrhistogram::Histogram<u64> =
        hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes).unwrap();
    assert_eq!(times.len(), 6, "one for each message, and the one that ended it");
    // Two significant digits.
    let [median, highest] = [times.value_at_quantile(0.5), times.max()];
    assert!(4_900_000 < median && median < highest, "{median} ns");
    assert!(59_000_000 < highest, "{highest} ns");
    let (_, stats) = console.until("watched", is_dropped).await;
    assert_eq!(polls(&stats), 7);
}

#[tokio::test]
async fn fields_of_a_task_that_is_watched_wait_until_the_look_is_over() {
    own_process!();
    let mut console = Console::attach().await;
    let (demand, mut done, handle) = polled_on_demand("looked-at");
    let (task, _) = console.until("looked-at", is_idle).await;
    let details = console.details(&task).await;
    demand.send(Duration::ZERO).await.unwrap();
    done.recv().await.unwrap();
    // The client would go on to show the task as it was told before.
    let (task, _) = console.until("looked-at", |stats| polls(stats) == 2).await;
    assert_eq!(text(&task, "status"), "");
    drop(details);
    let (task, _) = console.until_told("looked-at", |task, _| text(task, "status") == "1 done").await;

    let details = console.details(&task).await;
    handle.abort();
    let (task, _) = console.until("looked-at", is_dropped).await;
    assert_eq!(text(&task, "outcome"), "");
    rest_of(details).await;
    console.until_told("looked-at", |task, _| text(task, "outcome") == "cancelled").await;
}

#[tokio::test]
async fn details_of_a_task_that_has_ended_are_told_to_be_none() {
    own_process!();
    let mut console = Console::attach().await;
    headcount::task("ended").spawn(async {}).await.unwrap();
    let (task, _) = console.until("ended", is_dropped).await;
    let details = console.details(&task).await;
    let messages = rest_of(details).await;
    assert!(!messages.is_empty());
    assert!(
        messages.iter().all(|message| message.task_id == task.id && message.poll_times_histogram.is_none())
    );

    // None has the id 0, which the line of tasks that are not shown has.
    for never in [0, u64::MAX >> 11] {
        let unknown = TaskDetailsRequest { id: Some(Id { id: never }) };
        let refused = console.client.watch_task_details(unknown).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
    let missing = console.client.watch_task_details(TaskDetailsRequest { id: None }).await.unwrap_err();
    assert_eq!(missing.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn finished_tasks_are_told_to_new_clients_for_six_seconds() {
    own_process!();
    let mut console = Console::attach().await;
    headcount::task("kept-a-while").spawn(async {}).await.unwrap();
    let (_, stats) = console.until("kept-a-while", is_dropped).await;
    let since = |console: &Console| console.now.duration_since(at(stats.dropped_at).unwrap()).unwrap();
    while since(&console) < Duration::from_secs(5) {
        assert_eq!(Console::attach().await.named("kept-a-while").len(), 1);
        console.next().await;
    }
    while since(&console) < Duration::from_secs(6) {
        console.next().await;
    }
    assert_eq!(Console::attach().await.named("kept-a-while").len(), 0);
    assert_eq!(console.missed, 0);
}

#[tokio::test]
async fn two_clients_and_one_that_comes_back_are_told_the_same() {
    own_process!();
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
