//! An open dashboard: an event each second, and a page of tasks after each, at 1,000,000 live tasks.

use std::sync::atomic::{AtomicUsize, Ordering};

use headcount::Headcount;

use crate::gaps::{self, Reader};
use crate::http::{Client, Events};
use crate::population;
use crate::report::{Goal, Report, Section};
use crate::runtime::beside_a_reader;
use crate::settings::{ANY_PORT, Settings};

/// What the view of tasks asks for.
const PAGE: &str = "/api/v1/tasks?limit=50&sort=age";

pub fn run(settings: Settings) -> Report {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let address = hc.admin_addr().expect("the admin server listens");
    let runtime = beside_a_reader();
    let live = settings.scaled(1_000_000);
    population::in_groups(&runtime, live);
    let (events, client) = (Events::follow(address, "/api/v1/events?delta=true"), Client::new(address));
    // The first says hello, the second is whole; each later one has what changed.
    events.next();
    events.next();
    let (event, page) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let update = || {
        event.fetch_max(events.next(), Ordering::Relaxed);
        page.fetch_max(client.get(PAGE), Ordering::Relaxed);
    };
    let reader = Reader {
        title: format!("An open dashboard at {live} live tasks"),
        name: "a page that follows the events",
        read: &update,
        longer: 4,
    };
    let (section, mut goals) = gaps::measure(&reader, &runtime, settings);
    let [event, page] = [event, page].map(|bytes| bytes.into_inner() as f64 / 1e3);
    let text = format!(
        "The event of each second has {event:.0} kB, the page of tasks fetched after it {page:.0} kB, both uncompressed. {}",
        section.text
    );
    let update = format!("one update of the page at {live} live tasks, uncompressed");
    goals.insert(0, Goal::new(update, 64.0, event + page, "kB"));
    runtime.shutdown_background();
    std::mem::forget(hc);
    Report { sections: vec![Section { text, ..section }], goals, ..Report::default() }
}
