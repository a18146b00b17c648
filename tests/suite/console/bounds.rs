//! What the console is bounded by, and what one client does to the others: one test, since all of it is the
//! process's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::console::{Console, address, is_dropped, is_withdrawn, text};
use console_api::Id;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{
    InstrumentRequest, PauseRequest, ResumeRequest, State, StateRequest, Temporality,
};
use tokio::sync::watch;
use tonic::Streaming;
use tonic::transport::Endpoint;

/// As many as a client sees of the live ones.
const SHOWN: usize = 2000;
const LIVE: usize = 20_000;

#[tokio::test]
async fn bounds() {
    own_process!();
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    a_pause_is_for_all_until_one_resumes_or_its_client_is_gone().await;
    a_task_that_is_watched_stays_on_the_list().await;
    of_many_live_tasks_the_oldest_and_newest_are_shown().await;
    what_comes_and_goes_unseen_is_counted().await;
    much_is_told_in_several_messages().await;
    a_slow_client_is_let_go_and_counted(&log).await;
}

async fn state(states: &mut Streaming<State>) -> Temporality {
    let next = tokio::time::timeout(Duration::from_secs(20), states.message()).await;
    next.expect("it is told").unwrap().unwrap().temporality()
}

async fn a_pause_is_for_all_until_one_resumes_or_its_client_is_gone() {
    let mut watching = Console::attach().await;
    let mut pausing = Console::attach().await;
    let mut states = watching.client.watch_state(StateRequest {}).await.unwrap().into_inner();
    assert_eq!(state(&mut states).await, Temporality::Live);
    pausing.client.pause(PauseRequest {}).await.unwrap();
    assert_eq!(state(&mut states).await, Temporality::Paused);
    headcount::task("while-paused").spawn(async {}).await.unwrap();
    // Who comes now is told of the pause, and what was known before it.
    let mut late = Console::attach().await;
    let mut late_states = late.client.watch_state(StateRequest {}).await.unwrap().into_inner();
    assert_eq!(state(&mut late_states).await, Temporality::Paused);
    assert!(late.named("while-paused").is_empty());
    // Another resumes.
    late.client.resume(ResumeRequest {}).await.unwrap();
    for states in [&mut states, &mut late_states] {
        assert_eq!(state(states).await, Temporality::Live);
    }
    for console in [&mut watching, &mut late] {
        console.until("while-paused", is_dropped).await;
    }

    // A pause ends with the client that asked for it, though others stay.
    pausing.client.pause(PauseRequest {}).await.unwrap();
    for states in [&mut states, &mut late_states] {
        assert_eq!(state(states).await, Temporality::Paused);
    }
    headcount::task("while-paused-again").spawn(async {}).await.unwrap();
    drop(pausing);
    for states in [&mut states, &mut late_states] {
        assert_eq!(state(states).await, Temporality::Live);
    }
    for console in [&mut watching, &mut late] {
        console.until("while-paused-again", is_dropped).await;
    }
}

async fn a_task_that_is_watched_stays_on_the_list() {
    let spawn = |_| headcount::task("one-of-few").spawn(std::future::pending::<()>());
    let mut handles: Vec<_> = (0..SHOWN).map(spawn).collect();
    let mut console = Console::attach().await;
    let told = console.named("one-of-few");
    assert_eq!(told.len(), SHOWN);
    // The older half are the oldest whatever comes; of the newer half, the first are the first to go.
    let mut ids: Vec<u64> = told.iter().map(|(task, _)| task.id.unwrap().id).collect();
    ids.sort_unstable();
    let (watched, other) = (ids[SHOWN / 2], ids[SHOWN / 2 + 1]);
    let task = console.tasks[&watched].clone();
    let details = console.details(&task).await;
    handles.extend([
        headcount::task("newer").spawn(std::future::pending()),
        headcount::task("newer").spawn(std::future::pending()),
    ]);
    while !is_withdrawn(&console.stats[&other]) {
        console.next().await;
    }
    assert!(!is_dropped(&console.stats[&watched]));
    console.until("1 more live tasks, not shown", |stats| !is_dropped(stats)).await;
    drop(details);
    while !is_withdrawn(&console.stats[&watched]) {
        console.next().await;
    }
    for handle in handles {
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
    }
    while !console.stats.values().all(is_dropped) {
        console.next().await;
    }
}

async fn of_many_live_tasks_the_oldest_and_newest_are_shown() {
    let before = headcount::snapshot().live;
    let spawn = |_| headcount::task("one-of-many").spawn(std::future::pending::<()>());
    let handles: Vec<_> = (0..LIVE).map(spawn).collect();
    let in_all = usize::try_from(before).unwrap() + LIVE;
    let mut console = Console::attach().await;
    let is_told = |console: &Console, wanted: usize| console.named("one-of-many").len() == wanted;
    while !is_told(&console, SHOWN) {
        console.next().await;
    }
    let more = format!("{} more live tasks, not shown", in_all - SHOWN);
    let (line, _) = console.until(&more, |_| true).await;
    assert_eq!((line.id, text(&line, "task.id")), (Some(Id { id: 0 }), String::new()));

    // A newer task takes the place of one that was among the newest, which leaves the list.
    let newest = headcount::task("newest").spawn(std::future::pending::<()>());
    console.until("newest", |_| true).await;
    assert_eq!(console.stats.values().filter(|stats| is_withdrawn(stats)).count(), 1);

    newest.abort();
    handles.iter().for_each(tokio::task::JoinHandle::abort);
    for handle in handles {
        assert!(handle.await.unwrap_err().is_cancelled());
    }
    // All that was shown ends, and the line goes.
    let is_over = |console: &Console| console.stats.values().all(is_dropped);
    while !is_over(&console) {
        console.next().await;
    }
    // One that was withdrawn may have ended unseen.
    let accounted_for = accounted_for(&mut console, "one-of-many").await;
    assert!((LIVE..=LIVE + 1).contains(&accounted_for), "{accounted_for} of {LIVE} told or missed");
}

async fn what_comes_and_goes_unseen_is_counted() {
    let mut console = Console::attach().await;
    let handles: Vec<_> = (0..LIVE).map(|_| headcount::task("brief").spawn(async {})).collect();
    for handle in handles {
        handle.await.unwrap();
    }
    assert_eq!(accounted_for(&mut console, "brief").await, LIVE);
    let told = console.named("brief").len();
    // On a busy machine more passes come between them.
    assert!((1..LIVE).contains(&told), "{told} told");
}

/// How many of the many were told, or told to be missed, once no more are: that follows a pass later.
async fn accounted_for(console: &mut Console, name: &str) -> usize {
    let count = |console: &Console| usize::try_from(console.missed).unwrap() + console.named(name).len();
    for _ in 0..20 {
        if LIVE <= count(console) {
            break;
        }
        console.next().await;
    }
    for _ in 0..2 {
        console.next().await;
    }
    count(console)
}

async fn a_slow_client_is_let_go_and_counted(log: &Log) {
    // Much to tell in each pass, so that what lies between the two ends is soon full.
    let (stir, stirred) = watch::channel(());
    let stirs = |_| {
        let mut stirred = stirred.clone();
        headcount::task("busy").spawn(async move { while stirred.changed().await.is_ok() {} })
    };
    let handles: Vec<_> = (0..SHOWN).map(stirs).collect();
    let narrow = Endpoint::from_shared(address()).unwrap().initial_stream_window_size(65_535);
    let mut slow = InstrumentClient::new(narrow.connect().await.unwrap());
    let mut slow = slow.watch_updates(InstrumentRequest {}).await.unwrap().into_inner();
    let mut console = Console::attach().await;
    let mut told = 0;
    // The other one is told all the while.
    while !log.has("Disconnected a console that was too slow (1 since the start)") {
        stir.send(()).unwrap();
        console.next().await;
        told += 1;
        assert!(told < 60, "nobody was let go");
    }
    // What lay between the two comes still, then the end.
    while slow.message().await.unwrap().is_some() {}
    console.next().await;
    drop(stir);
    for handle in handles {
        handle.await.unwrap();
    }
}

/// More than the 4 MiB that a client takes at once.
async fn much_is_told_in_several_messages() {
    let fields = |task: headcount::TaskBuilder| {
        (0..16).fold(task, |task, n| task.field(format!("field-{n}"), "x".repeat(200)))
    };
    let spawn = |_| fields(headcount::task("wordy")).spawn(std::future::pending::<()>());
    let handles: Vec<_> = (0..SHOWN).map(spawn).collect();
    let mut console = Console::attach().await;
    while console.named("wordy").len() < SHOWN {
        console.next().await;
    }
    let bytes: usize = console.tasks.values().map(prost::Message::encoded_len).sum();
    assert!(4 << 20 < bytes, "{bytes} bytes");
    handles.iter().for_each(tokio::task::JoinHandle::abort);
    for handle in handles {
        assert!(handle.await.unwrap_err().is_cancelled());
    }
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text)
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
