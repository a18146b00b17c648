//! What the console is bounded by, and what one client does to the others: one test, since all of it is the process's.
#![cfg(all(feature = "console", not(tokio_unstable)))]
#![allow(clippy::unwrap_used)]

#[path = "support/console.rs"]
mod support;

use console_api::Id;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{
    InstrumentRequest, PauseRequest, ResumeRequest, State, StateRequest, Temporality,
};
use support::{Console, address, is_dropped, is_withdrawn, text};
use tonic::Streaming;
use tonic::transport::Endpoint;

/// As many as a client sees of the live ones.
const SHOWN: usize = 2000;
const LIVE: usize = 20_000;

#[tokio::test]
async fn bounds() {
    one_client_pauses_all_until_it_leaves().await;
    of_many_live_tasks_the_oldest_and_newest_are_shown().await;
    what_comes_and_goes_unseen_is_counted().await;
    a_slow_client_is_let_go().await;
}

async fn state(states: &mut Streaming<State>) -> Temporality {
    states.message().await.unwrap().unwrap().temporality()
}

async fn one_client_pauses_all_until_it_leaves() {
    let mut watching = Console::attach().await;
    let mut pausing = Console::attach().await;
    let mut states = watching.client.watch_state(StateRequest {}).await.unwrap().into_inner();
    assert_eq!(state(&mut states).await, Temporality::Live);
    pausing.client.pause(PauseRequest {}).await.unwrap();
    assert_eq!(state(&mut states).await, Temporality::Paused);
    let handle = headcount::task("while-paused").spawn(async {});
    handle.await.unwrap();
    pausing.client.resume(ResumeRequest {}).await.unwrap();
    assert_eq!(state(&mut states).await, Temporality::Live);
    watching.until("while-paused", is_dropped).await;

    pausing.client.pause(PauseRequest {}).await.unwrap();
    assert_eq!(state(&mut states).await, Temporality::Paused);
    drop((watching, pausing));
    assert_eq!(state(&mut states).await, Temporality::Live);
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
    assert!(console.missed < LIVE as u64, "those shown were not missed");
}

async fn what_comes_and_goes_unseen_is_counted() {
    let mut console = Console::attach().await;
    let handles: Vec<_> = (0..LIVE).map(|_| headcount::task("brief").spawn(async {})).collect();
    for handle in handles {
        handle.await.unwrap();
    }
    while usize::try_from(console.missed).unwrap() + console.named("brief").len() < LIVE {
        console.next().await;
    }
    let told = console.named("brief").len();
    assert!((500..=5_000).contains(&told), "{told} told");
    console.next().await;
    assert_eq!(usize::try_from(console.missed).unwrap() + console.named("brief").len(), LIVE);
}

async fn a_slow_client_is_let_go() {
    // Much to tell in each pass, so that what lies between the two ends is soon full.
    let busy = |_| async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let handles: Vec<_> = (0..SHOWN).map(|n| headcount::task("busy").spawn(busy(n))).collect();
    let narrow = Endpoint::from_shared(address()).unwrap().initial_stream_window_size(65_535);
    let mut slow = InstrumentClient::new(narrow.connect().await.unwrap());
    let mut slow = slow.watch_updates(InstrumentRequest {}).await.unwrap().into_inner();
    let mut console = Console::attach().await;
    let mut told = 0;
    // The other one is told all the while.
    while told < 14 {
        console.next().await;
        told += 1;
    }
    let mut held_back = 0;
    while slow.message().await.unwrap().is_some() {
        held_back += 1;
    }
    assert!(held_back < told, "{held_back} messages lay between the two");
    handles.iter().for_each(tokio::task::JoinHandle::abort);
}
