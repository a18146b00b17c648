//! Whether forecasts hold: drains real processes with mixed loads, and compares the forecast of each with
//! what it took.
//!
//! `headcount-bench-forecast [DRAINS]` runs as many processes of itself and prints the tables of
//! docs/FORECAST.md; `headcount-bench-forecast child SEED` is one of them.
//!
//! Times are about a hundredth of those of a service: tasks take 30 ms to 2 s instead of seconds to minutes.

use std::collections::BTreeMap;
use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use headcount::{Headcount, OnShutdown};
use serde_json::{Value, json};

/// Processes at once. They sleep most of the time.
const AT_ONCE: usize = 16;

/// What question, start and end of a drain take on a busy machine, in seconds. It does not shrink with the
/// times of the tasks.
const ALLOWED: f64 = 0.015;

fn main() {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("child") => child(arguments.next().and_then(|seed| seed.parse().ok()).unwrap_or(1)),
        drains => print_tables(&run(drains.and_then(|drains| drains.parse().ok()).unwrap_or(1000))),
    }
}

/// A generator of random numbers: `SplitMix64`.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.next() < chance
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.next()).ln()
    }

    /// By the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// How long the tasks of a group take.
#[derive(Clone, Copy, Debug)]
enum Law {
    Constant,
    Uniform,
    Exponential,
    Lognormal,
    TwoKinds,
}

impl Law {
    const ALL: [Self; 5] =
        [Self::Constant, Self::Uniform, Self::Exponential, Self::Lognormal, Self::TwoKinds];

    /// With a mean of about 1.
    fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Uniform => random.between(0.2, 1.8),
            Self::Exponential => random.exponential(),
            Self::Lognormal => (0.8 * random.normal() - 0.32).exp(),
            Self::TwoKinds if random.happens(0.15) => random.between(2.5, 4.5),
            Self::TwoKinds => random.between(0.3, 0.7),
        }
    }
}

/// One process: a load for some seconds, a forecast, a drain, a line of JSON.
#[tokio::main(worker_threads = 2)]
async fn child(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    // One in four has a deadline that may cut something.
    let timeout = if random.happens(0.25) { random.between(0.15, 0.8) } else { 20.0 };
    let timeout = Duration::from_millis((timeout * 1000.0) as u64);
    let headcount = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .drain_timeout(timeout)
        .signals(false)
        .log(headcount::settings::Log::Off)
        .install()
        .expect("installs");
    let stopping = Arc::new(AtomicBool::new(false));
    let groups = 1 + (3.0 * random.next()) as usize;
    for group in 0..groups {
        let law = Law::ALL[(5.0 * random.next()) as usize % 5];
        let (mean, live) = (random.between(0.08, 0.4), random.between(1.0, 12.0));
        spawn_group(format!("group-{group}"), law, mean, live, &mut random, &stopping);
    }
    spawn_special(&mut random);
    tokio::time::sleep(Duration::from_secs_f64(random.between(1.5, 4.0))).await;
    stopping.store(true, Ordering::Release);
    let address = headcount.admin_addr().expect("has an address");
    let within = timeout.as_secs_f64();
    let asked = Instant::now();
    let forecast = get(address, &format!("/api/v1/forecast?within={within}s"));
    // The forecast was made in the middle of the question, and counts from there.
    let answered_in = asked.elapsed() / 2;
    headcount::shutdown("calibration");
    let report = headcount.drain().await;
    let line = json!({
        "forecast": forecast,
        "took": asked.elapsed().saturating_sub(answered_in).as_secs_f64(),
        "ended": report.ended.total(),
        "abandoned": report.abandoned_total,
    });
    println!("{line}");
}

/// Spawns tasks at random times, so that about `live` of them live at once.
fn spawn_group(
    name: String,
    law: Law,
    mean: f64,
    live: f64,
    random: &mut Random,
    stopping: &Arc<AtomicBool>,
) {
    let mut random = Random(random.next().to_bits());
    let stopping = Arc::clone(stopping);
    tokio::spawn(async move {
        while !stopping.load(Ordering::Acquire) {
            let takes = Duration::from_secs_f64(mean * law.draw(&mut random));
            headcount::task(name.clone()).spawn(tokio::time::sleep(takes));
            tokio::time::sleep(Duration::from_secs_f64(random.exponential() * mean / live)).await;
        }
    });
}

/// Unusual tasks: progress, a grace, policies, a loop that listens, and the first of its kind.
fn spawn_special(random: &mut Random) {
    if random.happens(0.3) {
        let (units, mean, begins) =
            (40 + (60.0 * random.next()) as u64, random.between(0.02, 0.08), random.next());
        let mut random = Random(random.next().to_bits());
        headcount::task("import").spawn(async move {
            tokio::time::sleep(Duration::from_secs_f64(begins)).await;
            let task = headcount::current().expect("inside of a task");
            for unit in 0..units {
                task.set_progress(unit, units);
                tokio::time::sleep(Duration::from_secs_f64(mean * random.between(0.2, 1.8))).await;
            }
        });
    }
    if random.happens(0.15) {
        let grace = Duration::from_secs_f64(random.between(0.1, 0.5));
        headcount::task("poller").grace(grace).spawn(std::future::pending::<()>());
    }
    if random.happens(0.3) {
        headcount::task("cache").on_shutdown(OnShutdown::Last).spawn(headcount::draining());
    }
    if random.happens(0.3) {
        headcount::task("ticker").on_shutdown(OnShutdown::Cancel).spawn(std::future::pending::<()>());
    }
    if random.happens(0.3) {
        headcount::task("consumer").spawn(headcount::draining());
    }
    if random.happens(0.1) {
        let takes = Duration::from_secs_f64(random.between(3.0, 6.0));
        headcount::task("first-of-its-kind").spawn(tokio::time::sleep(takes));
    }
}

/// The JSON at a path of the admin server.
fn get(address: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answers");
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
}

/// Runs the processes, some at once.
fn run(drains: usize) -> Vec<Drain> {
    let program = env::current_exe().expect("has a path");
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::with_capacity(drains));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(drains) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if drains <= seed {
                        return;
                    }
                    let mut command = Command::new(&program);
                    command.args(["child", &(seed + 1).to_string()]).stderr(Stdio::inherit());
                    let output = command.output().expect("runs");
                    let line = String::from_utf8_lossy(&output.stdout);
                    let told: Value = serde_json::from_str(line.trim()).expect("a line of JSON");
                    all.lock().expect("no panic").push(Drain::new(&told));
                }
            });
        }
    });
    all.into_inner().expect("no panic")
}

/// The forecast of one process, and what it took.
#[derive(Clone, Copy, Debug)]
struct Drain {
    done_in: Option<f64>,
    band: Option<(f64, f64)>,
    unknown: u64,
    cut: u64,
    expected_abandoned: f64,
    took: f64,
    abandoned: f64,
}

impl Drain {
    fn new(told: &Value) -> Self {
        let forecast = &told["forecast"];
        let count = |list: &str| {
            let holds = forecast[list].as_array().expect("a list");
            holds.iter().filter_map(|hold| hold["count"].as_u64()).sum::<u64>()
        };
        let band = forecast["band_seconds"].as_array();
        Self {
            done_in: forecast["done_in_seconds"].as_f64(),
            band: band.and_then(|band| Some((band[0].as_f64()?, band[1].as_f64()?))),
            unknown: forecast["unknown"].as_u64().expect("a number"),
            cut: count("will_be_cut") + count("cannot_abort"),
            expected_abandoned: forecast["expected_abandoned"].as_f64().expect("a number"),
            took: told["took"].as_f64().expect("a number"),
            abandoned: told["abandoned"].as_f64().expect("a number"),
        }
    }

    /// Whether all that is waited for has a forecast, and none is expected to be cut.
    fn is_whole(&self) -> bool {
        self.unknown == 0 && self.cut == 0 && self.band.is_some()
    }

    /// Where it lies: below the band, in it, above it.
    fn place(&self) -> &'static str {
        let (low, high) = self.band.expect("is whole");
        match self.took {
            took if took + ALLOWED < low => "below",
            took if high + ALLOWED < took => "above",
            _ => "inside",
        }
    }
}

fn print_tables(drains: &[Drain]) {
    let whole: Vec<_> = drains.iter().filter(|drain| drain.is_whole()).collect();
    let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for drain in &whole {
        *places.entry(drain.place()).or_default() += 1;
    }
    let place = |name| places.get(name).copied().unwrap_or(0);
    println!("| Drains | Forecast whole | In the band of 90 % | Sooner | Later |");
    println!("|---|---|---|---|---|");
    println!(
        "| {} | {} | {} ({:.1} %) | {} ({:.1} %) | {} ({:.1} %) |",
        drains.len(),
        whole.len(),
        place("inside"),
        share(place("inside"), whole.len()),
        place("below"),
        share(place("below"), whole.len()),
        place("above"),
        share(place("above"), whole.len()),
    );
    let mut errors: Vec<f64> = whole
        .iter()
        .filter_map(|drain| Some((drain.took - drain.done_in?).abs() / drain.took.max(0.05)))
        .collect();
    errors.sort_by(f64::total_cmp);
    let early =
        whole.iter().filter(|drain| drain.done_in.is_some_and(|done_in| drain.took <= done_in)).count();
    println!();
    println!(
        "| Took no longer than the middle of the forecast | Middle of the errors | Nine of ten errors below |"
    );
    println!("|---|---|---|");
    let error = |share: f64| errors.get((share * errors.len() as f64) as usize).copied().unwrap_or(0.0);
    println!(
        "| {:.1} % | {:.0} % | {:.0} % |",
        share(early, whole.len()),
        100.0 * error(0.5),
        100.0 * error(0.9)
    );
    let known: Vec<_> = drains.iter().filter(|drain| drain.unknown == 0).collect();
    println!();
    println!("| Drains without an unknown task | Expected to be abandoned | Abandoned |");
    println!("|---|---|---|");
    println!(
        "| {} | {:.0} | {:.0} |",
        known.len(),
        known.iter().map(|drain| drain.expected_abandoned).sum::<f64>(),
        known.iter().map(|drain| drain.abandoned).sum::<f64>(),
    );
}
