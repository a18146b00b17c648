//! Long reads of the API delay nothing: neither health, nor the shutdown, nor the application.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headcount::Headcount;

use crate::support::http::{get, try_send};

/// Few enough for an unoptimised build: a search goes through their fields for a tenth of a second.
const TASKS: usize = 100_000;
const SEARCHERS: usize = 64;

fn percentile(times: &mut [Duration], of_100: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * of_100 / 100).min(times.len() - 1)]
}

#[test]
fn health_answers_and_the_stop_is_on_time_while_64_clients_search() {
    own_process!();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .drain_timeout(Duration::from_millis(500))
        .exit_after(None)
        .install()
        .unwrap();
    let admin = hc.admin_addr().unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| headcount::task("crowd").field("number", number).track(std::future::pending::<()>()))
        .collect();
    let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let searchers: Vec<_> = (0..SEARCHERS)
        .map(|_| {
            let (over, refused) = (Arc::clone(&over), Arc::clone(&refused));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok(answer) = try_send(admin, "GET", "/api/v1/tasks?q=nothing-has-this", &[], "")
                    else {
                        continue;
                    };
                    if answer.status == 503 {
                        assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.text());
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(100));
                    } else {
                        assert_eq!(answer.status, 200, "{}", answer.text());
                    }
                }
            })
        })
        .collect();
    while refused.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let asked = Instant::now();
            get(admin, "/livez").expect(200);
            asked.elapsed()
        })
        .collect();
    let (median, late) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("health: {median:?} at the median, {late:?} at p99, {refused:?} searches refused");
    // Far below 50 ms on a machine that does nothing else.
    assert!(late < Duration::from_secs(10), "{late:?}");
    get(admin, "/metrics").expect(200);

    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(hc.drain());
    println!("the stop took {:?}", began.elapsed());
    assert_eq!(report.abandoned_total, TASKS as u64);
    // Deadline, hook, grace: 2.5 s, and what an unoptimised build takes to name so many on a busy machine.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    over.store(true, Ordering::Relaxed);
    searchers.into_iter().for_each(|searcher| searcher.join().unwrap());
    drop(tasks);
}
