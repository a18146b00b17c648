//! `/metrics` and a page of the API, at 1,000 and 1,000,000 live tasks of 100 groups.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use headcount::Headcount;

use crate::gaps::{self, Reader};
use crate::http::Client;
use crate::population;
use crate::report::{Goal, Report, Section};
use crate::rounds::median;
use crate::runtime::beside_a_reader;
use crate::settings::{ANY_PORT, Settings};

const PAGE: &str = "/api/v1/tasks?limit=100";
/// The youngest first: most tasks come before those that are kept.
const SLOWEST: &str = "/api/v1/tasks?limit=100&sort=age&order=asc";
/// Nothing has it, so each task is looked at in full.
const SEARCH: &str = "/api/v1/tasks?limit=100&q=unheard-of";

/// What one kind of reading takes and gives.
struct Reading {
    what: &'static str,
    milliseconds: f64,
    bytes: usize,
}

pub fn run(settings: Settings) -> Report {
    let hc = Headcount::builder().admin(ANY_PORT).install().expect("installed once");
    let runtime = beside_a_reader();
    let client = Client::new(hc.admin_addr().expect("the admin server listens"));
    let mut report = Report::default();
    let mut rows = Vec::new();
    let mut live = 0;
    for step in [1_000, settings.scaled(1_000_000)] {
        population::in_groups(&runtime, step - live);
        live = step;
        let readings = read(&hc, &client, settings);
        rows.extend(readings.iter().map(|reading| reading.row(live)));
        report.goals.extend(goals(&readings, live));
    }
    report.sections.push(Section {
        title: "Scrapes and pages, 100 groups".to_owned(),
        head: ["live tasks", "", "ms", "bytes"].map(str::to_owned).to_vec(),
        rows,
        ..Section::default()
    });
    let reader = Reader {
        title: format!("A scrape and a page of {live} live tasks"),
        name: "`/metrics` and a page without pause",
        read: &|| {
            black_box((client.get("/metrics"), client.get(PAGE)));
        },
        longer: 1,
    };
    let (section, goals) = gaps::measure(&reader, &runtime, settings);
    report.sections.push(section);
    report.goals.extend(goals);
    let scraper = Reader {
        title: format!("Ten scrapes a second of {live} live tasks"),
        name: "`/metrics` ten times a second",
        read: &|| {
            black_box(client.get("/metrics"));
            thread::sleep(Duration::from_millis(100));
        },
        longer: 2,
    };
    let (section, goals) = gaps::measure(&scraper, &runtime, settings);
    report.sections.push(section);
    report.goals.extend(goals);
    runtime.shutdown_background();
    std::mem::forget(hc);
    report
}

fn read(hc: &Headcount, client: &Client, settings: Settings) -> [Reading; 5] {
    [
        Reading::of("`hc.render_metrics()`", || hc.render_metrics().len(), settings),
        Reading::of("`GET /metrics`", || client.get("/metrics"), settings),
        Reading::of("`GET /api/v1/tasks?limit=100`", || client.get(PAGE), settings),
        Reading::of("the same, `&sort=age&order=asc`", || client.get(SLOWEST), settings),
        Reading::of("the same, `&q=unheard-of`", || client.get(SEARCH), settings),
    ]
}

fn goals(readings: &[Reading; 5], live: usize) -> Vec<Goal> {
    let [_, metrics, page, slowest, search] = readings;
    let mut goals = Vec::new();
    let limit = if live <= 1_000 { 2.0 } else { 15.0 };
    goals.push(Goal::new(format!("`/metrics` at {live} live tasks"), limit, metrics.milliseconds, "ms"));
    if 1_000 < live {
        let worst = [page, slowest, search].map(|page| page.milliseconds).into_iter().fold(0.0, f64::max);
        goals.push(Goal::new(format!("a page of 100 at {live} live tasks, the slowest"), 50.0, worst, "ms"));
        goals.push(Goal::new("a page of 100", 64.0, page.bytes as f64 / 1e3, "kB"));
    }
    goals
}

impl Reading {
    fn of(what: &'static str, read: impl Fn() -> usize, settings: Settings) -> Self {
        let mut bytes = read();
        let mut samples: Vec<f64> = (0..settings.rounds())
            .map(|_| {
                let start = Instant::now();
                bytes = read();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        Self { what, milliseconds: median(&mut samples), bytes }
    }

    fn row(&self, live: usize) -> Vec<String> {
        vec![
            live.to_string(),
            self.what.to_owned(),
            format!("{:.2}", self.milliseconds),
            self.bytes.to_string(),
        ]
    }
}
