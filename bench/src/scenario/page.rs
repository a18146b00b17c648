//! An open dashboard: an event each second, and a page of tasks after each, at 1,000,000 live tasks.

use std::sync::atomic::{AtomicUsize, Ordering};

use headcount::Headcount;

use crate::gaps::{self, Reader};
use crate::http::{Client, Events};
use crate::population;
use crate::report::{Goal, Report};
use crate::runtime::beside_a_reader;
use crate::settings::{ANY_PORT, Settings};

pub fn run(settings: Settings) -> Report {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let address = hc.admin_addr().expect("the admin server listens");
    let runtime = beside_a_reader();
    let live = settings.scaled(1_000_000);
    population::in_groups(&runtime, live);
    let (events, client) = (Events::follow(address, "/api/v1/events"), Client::new(address));
    let largest = AtomicUsize::new(0);
    let update = || {
        let bytes = events.next() + client.get("/api/v1/tasks?limit=100");
        largest.fetch_max(bytes, Ordering::Relaxed);
    };
    let reader = Reader {
        title: format!("An open dashboard at {live} live tasks"),
        name: "a page that follows the events",
        read: &update,
        longer: 10,
    };
    let (section, mut goals) = gaps::measure(&reader, &runtime, settings);
    let kilobytes = largest.load(Ordering::Relaxed) as f64 / 1e3;
    goals.insert(0, Goal::new(format!("one update of the page at {live} live tasks"), 64.0, kilobytes, "kB"));
    runtime.shutdown_background();
    std::mem::forget(hc);
    Report { sections: vec![section], goals, ..Report::default() }
}
