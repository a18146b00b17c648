//! Sixty-four searches at once of 1,000,000 tasks: what tasks feel, how soon `/livez` answers, and how soon
//! a forced stop is over.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use headcount::Headcount;

use crate::gaps::{self, Reader};
use crate::http::{Client, status_of};
use crate::population;
use crate::process;
use crate::report::{Goal, Report, Section};
use crate::runtime::beside_a_reader;
use crate::settings::{ANY_PORT, Settings};

const AT_ONCE: usize = 64;
/// Nothing has it, so each task is looked at in full.
const SEARCH: &str = "/api/v1/tasks?limit=100&q=unheard-of";
/// A signal within less is taken for the same one.
const BETWEEN_SIGNALS: Duration = Duration::from_millis(500);

type Milliseconds = f64;

pub fn run(settings: Settings) -> Report {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let admin = hc.admin_addr().expect("the admin server listens");
    let runtime = beside_a_reader();
    let live = settings.scaled(1_000_000);
    population::in_groups(&runtime, live);

    let mut lives = beside_searches(admin, || livez(admin, settings));
    lives.sort_by(f64::total_cmp);
    let p99 = lives[lives.len() - 1 - lives.len() / 100];
    let searches = || {
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(move || status_of(admin, SEARCH));
            }
        });
    };
    let reader = Reader {
        title: format!("{AT_ONCE} searches at once of {live} live tasks"),
        name: "the searches without pause",
        read: &searches,
        longer: 2,
    };
    let (section, mut goals) = gaps::measure(&reader, &runtime, settings);
    let alone = force_time("force-alone", settings);
    let beside = force_time("force-beside-searches", settings);
    let text = format!(
        "`/livez` answers in {:.1} ms (median) and {p99:.1} ms (p99) meanwhile. From the second signal to the return of `drain()` a \
         forced stop takes {alone:.0} ms alone, and {beside:.0} ms beside the searches. {}",
        lives[lives.len() / 2],
        section.text
    );
    goals.push(Goal::new(format!("{}: p99 of `/livez`", reader.title), 50.0, p99, "ms"));
    goals.push(Goal::new(format!("{}: more for a forced stop", reader.title), 500.0, beside - alone, "ms"));
    runtime.shutdown_background();
    std::mem::forget(hc);
    Report { sections: vec![Section { text, ..section }], goals, ..Report::default() }
}

fn force_time(part: &str, settings: Settings) -> Milliseconds {
    process::run("headcount-bench", part, settings).expect("the child ends well")
}

/// One forced stop, alone or beside the searches.
pub fn force(settings: Settings, searched: bool) -> Milliseconds {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let admin = hc.admin_addr().expect("the admin server listens");
    let runtime = beside_a_reader();
    population::in_groups(&runtime, settings.scaled(1_000_000));
    let stop = || {
        let drained = runtime.spawn(async move {
            let _ = hc.drain().await;
            Instant::now()
        });
        thread::sleep(BETWEEN_SIGNALS);
        terminate();
        thread::sleep(BETWEEN_SIGNALS);
        let forced = Instant::now();
        terminate();
        let over = runtime.block_on(drained).expect("drain() does not panic");
        (over - forced).as_secs_f64() * 1e3
    };
    if searched { beside_searches(admin, stop) } else { stop() }
}

fn terminate() {
    let own = std::process::id().to_string();
    Command::new("kill").args(["-TERM", &own]).status().expect("kill is there");
}

/// Does something while threads search without pause. A refused search is asked again.
fn beside_searches<R>(admin: SocketAddr, act: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // 503 above the number of long reads at once, and nothing once the process stops.
                    if status_of(admin, SEARCH) != Some(200) {
                        thread::sleep(Duration::from_millis(10));
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        let done = act();
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// Milliseconds of each call, on a connection that is kept.
fn livez(admin: SocketAddr, settings: Settings) -> Vec<Milliseconds> {
    let client = Client::new(admin);
    (0..settings.scaled(2_000))
        .map(|_| {
            let start = Instant::now();
            client.get("/livez");
            let taken = start.elapsed();
            thread::sleep(Duration::from_millis(2));
            taken.as_secs_f64() * 1e3
        })
        .collect()
}
