//! The process under test: does what its arguments say.
//!
//! Tasks, which work so long after draining began: `wait NAME MS`, `panic NAME MS`, `fail NAME MS`, `last
//! NAME MS`, `last-grace NAME MS`. Others: `forever NAME`, `status NAME`, `cancel NAME`, `cancel-stuck NAME
//! MS`, `detach NAME MS`, `grace NAME MS`, `blocking NAME MS`, `stuck NAME MS`, `many NAME COUNT`, `usual
//! NAME MS`, `overdue NAME`, `late NAME`, `late-burst NAME COUNT`, `idles NAME`, `drains NAME`,
//! `drains-twice NAME`, `drains-and-drops NAME`, `drains-a-while NAME MS`, `labelled NAME`, `queued NAME
//! COUNT`, `times-out NAME MS`, `requests NAME COUNT`, `family NAME COUNT`, `drains-tracked NAME`,
//! `drains-wrapped NAME`, `drains-connection NAME`, `connection NAME`, `closes NAME MS`, `plain NAME`,
//! `tracker NAME MS`, `moves NAME MS`, `timed NAME MS`, `opens NAME`, `listens NAME`, `panics-if-asked
//! NAME`; services and timers are in `child_services`. What `main` does: `--main drain | ignore | hang |
//! return | in-a-task | account | spawns-after | own-signal | daemon | daemon-spawns | daemon-asks |
//! daemon-times`, `--after MS`. What begins it: `--call REASON`. Before it installs headcount:
//! `--critical-before NAME`. When it calls `set_ready`: `--set-ready MS`.

use std::io::{self, Write};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use headcount::{Headcount, OnShutdown, Report};

use super::child_services;
use super::wait::until_true;

/// What the process is to do; set in no other.
pub(super) const ARGUMENTS: &str = "SUITE_ARGUMENTS";

struct Options {
    tasks: Vec<Vec<String>>,
    main: String,
    after: Duration,
    calls: Vec<String>,
    hook: Option<String>,
    floods: bool,
    fills: bool,
    prints: bool,
    serve: Option<String>,
    recorder_blocks: bool,
    critical_before: Option<String>,
    set_ready: Option<Duration>,
}

/// Does what [`command`](super::process::command) says, in a process that it started.
#[test]
fn child() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    // Behind what the test harness wrote on its line.
    say("");
    start_log();
    if std::env::var_os("PANIC_ABORTS").is_some() {
        // As a program compiled with `panic = "abort"` does.
        std::panic::set_hook(Box::new(|_| std::process::abort()));
    }
    let options = Options::parse(&arguments);
    if options.main == "daemon-times" {
        return daemon_with_timeouts();
    }
    if options.main.starts_with("daemon") {
        return daemon(&options.main);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let waits_for_closures = options.main != "account";
    let report = runtime.block_on(run(options));
    if waits_for_closures {
        drop(runtime);
    } else {
        runtime.shutdown_background();
    }
    std::process::exit(report.map_or(0, |report| code_of_main(&report)));
}

/// Installs headcount, goes to the background, and only then begins to work, which is the wrong order.
fn daemon(main: &str) {
    let hc = Headcount::builder().service("child").install().expect("headcount installs");
    nix::unistd::daemon(true, true).unwrap();
    if main == "daemon-asks" {
        let stops = headcount::shutdown_requested();
        say(&format!("daemon {} stops {stops}", std::process::id()));
        std::thread::sleep(Duration::MAX);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if main == "daemon-spawns" {
            let done = headcount::task("job").spawn(async {}).await.is_ok();
            say(&format!("daemon {} spawned {done}", std::process::id()));
        } else {
            let report = hc.drain().await;
            say(&format!("daemon {} got {} {report}", std::process::id(), report.exit_code));
        }
        std::future::pending::<()>().await;
    });
}

/// Gives a task a timeout, goes to the background, and does so again. It installs nothing: a lock that a
/// thread of headcount holds at the fork would be held for good.
fn daemon_with_timeouts() {
    let hour = Duration::from_secs(3600);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    headcount::task("early").timeout(hour).spawn_on(std::future::pending::<()>(), runtime.handle());
    // The thread that waits for deadlines sleeps once it has ended this one.
    headcount::testing::advance(hour);
    nix::unistd::daemon(true, true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let late = headcount::task("late").timeout(Duration::from_millis(1));
        let error = late.spawn(std::future::pending::<()>()).await.unwrap_err();
        say(&format!("daemon {} ends it by {}", std::process::id(), headcount::outcome_of(&error)));
        std::future::pending::<()>().await;
    });
}

/// The exit code of a `main` that returns the report.
fn code_of_main(report: &Report) -> i32 {
    let code = Termination::report(report.clone());
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(report.exit_code)));
    report.exit_code.into()
}

/// The log of most services, or what the variable `LOG_AS` says: `json`, `both`, `warn`, or one whose writer
/// panics.
fn start_log() {
    use tracing_subscriber::fmt;
    use tracing_subscriber::prelude::*;

    let text = || fmt().with_ansi(false).without_time().with_writer(log_to());
    match std::env::var("LOG_AS").as_deref() {
        Ok("json") => fmt().json().with_writer(log_to()).init(),
        Ok("both") => {
            let layers = tracing_subscriber::registry().with(fmt::layer().with_ansi(false).without_time());
            layers.with(fmt::layer().json().with_writer(io::stderr)).init();
        }
        Ok("warn") => text().with_max_level(tracing::Level::WARN).init(),
        Ok("panics") => text().with_writer(|| Panics).init(),
        _ => text().init(),
    }
}

/// A writer that cannot write what is waited for.
struct Panics;

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!String::from_utf8_lossy(bytes).contains("Waiting for"), "no space left on device");
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log goes to standard output where the test says so, as it does in most services.
fn log_to() -> tracing_subscriber::fmt::writer::BoxMakeWriter {
    use tracing_subscriber::fmt::writer::BoxMakeWriter;
    if std::env::var_os("LOG_TO_STDOUT").is_some() {
        BoxMakeWriter::new(io::stdout)
    } else {
        BoxMakeWriter::new(io::stderr)
    }
}

impl Options {
    fn parse(arguments: &str) -> Self {
        let mut options = Self {
            tasks: Vec::new(),
            main: "drain".to_owned(),
            after: Duration::ZERO,
            calls: Vec::new(),
            hook: None,
            floods: false,
            fills: false,
            prints: false,
            serve: None,
            recorder_blocks: false,
            critical_before: None,
            set_ready: None,
        };
        // Each line is one thing, its words separated by spaces.
        for argument in arguments.lines() {
            let words: Vec<String> = argument.split(' ').map(str::to_owned).collect();
            match words[0].as_str() {
                "--main" => options.main.clone_from(&words[1]),
                "--after" => options.after = millis(&words[1]),
                "--call" => options.calls.push(words[1].replace("\\n", "\n")),
                "--hook" => options.hook = Some(words[1].clone()),
                "--flood" => options.floods = true,
                "--fill" => options.fills = true,
                "--print" => options.prints = true,
                "--critical-before" => options.critical_before = Some(words[1].clone()),
                "--set-ready" => options.set_ready = Some(millis(&words[1])),
                "--recorder-blocks" => options.recorder_blocks = true,
                "--serve" => options.serve = Some(words[1].clone()),
                _ => options.tasks.push(words),
            }
        }
        options
    }
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

pub(super) fn say(text: &str) {
    let mut out = io::stdout().lock();
    // Its reader may be gone, or never have been.
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

async fn run(options: Options) -> Option<Report> {
    if let Some(name) = options.critical_before {
        child_services::critical(name, Duration::ZERO).ended().await;
    }
    if options.recorder_blocks {
        metrics::set_global_recorder(Blocks).unwrap();
    }
    let mut builder = Headcount::builder().service("child");
    if let Some(hook) = options.hook.clone() {
        builder = builder.on_abandon(move |task| hand_over(&hook, task));
    }
    let hc = Arc::new(builder.install().expect("headcount installs"));
    if let Some(address) = hc.admin_addr() {
        say(&format!("admin {address}"));
    }
    for words in &options.tasks {
        begin(words, &hc).await;
    }
    if options.floods {
        flood();
    }
    if options.fills {
        fill();
    }
    if options.prints {
        print_lines();
    }
    if !["ignore", "in-a-task"].contains(&options.main.as_str()) {
        // Asked before the test can send a signal: otherwise a drain with nothing to wait for may end the
        // process first.
        let _ = hc.draining().now_or_never();
    }
    if let Some(after) = options.set_ready {
        let hc = Arc::clone(&hc);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            hc.set_ready();
        });
    }
    say("ready");
    if let Some(layers) = options.serve {
        return Some(serve(&layers, &hc).await);
    }
    for reason in options.calls {
        headcount::shutdown(reason);
    }
    stop(&options.main, options.after, &hc).await
}

async fn stop(main: &str, after: Duration, hc: &Arc<Headcount>) -> Option<Report> {
    match main {
        "drain" => {
            hc.draining().await;
            tokio::time::sleep(after).await;
            let report = hc.drain().await;
            say(&format!("report {}", serde_json::to_string(&report).unwrap()));
            Some(report)
        }
        "drain-then-close" => {
            hc.draining().await;
            let report = hc.drain().await;
            tokio::time::sleep(after).await;
            say("closed");
            Some(report)
        }
        "in-a-task" => {
            let hc = Arc::clone(hc);
            let real_main = async move {
                hc.draining().await;
                let report = hc.drain().await;
                tokio::time::sleep(after).await;
                say("flushed");
                report
            };
            Some(headcount::task("real-main").spawn(real_main).await.unwrap())
        }
        "account" => {
            hc.draining().await;
            let report = hc.drain().await;
            say(&format!("metrics {}", serde_json::to_string(&hc.render_metrics()).unwrap()));
            // The test asks the API meanwhile, and then lets it go on.
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            say(&format!("report {}", serde_json::to_string(&report).unwrap()));
            say(&format!("goes on {}", listener.local_addr().unwrap()));
            listener.accept().await.unwrap();
            Some(report)
        }
        "spawns-after" => {
            hc.draining().await;
            let report = hc.drain().await;
            for _ in 0..3 {
                let refused = headcount::task("clean-up").spawn(async {}).await;
                say(&format!("clean-up refused {}", refused.is_err()));
            }
            tokio::time::sleep(after).await;
            Some(report)
        }
        // As it was before headcount, which only observes.
        "own-signal" => {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terms = signal(SignalKind::terminate()).unwrap();
            say("listens");
            terms.recv().await;
            say("stopped by its own signal");
            None
        }
        "drain-at-once" => Some(hc.drain().await),
        "return" => {
            hc.draining().await;
            None
        }
        "hang" => {
            hc.draining().await;
            std::future::pending().await
        }
        "ignore" => std::future::pending().await,
        unknown => panic!("no way to stop: {unknown}"),
    }
}

fn hand_over(hook: &str, task: &headcount::snapshot::TaskInfo) {
    say(&format!("handed {} {}", task.name, task.status.as_deref().unwrap_or("-")));
    say(&format!("handed-id {}", task.id));
    match hook {
        "hangs" => loop {
            std::thread::park();
        },
        "panics" => panic!("no room for more"),
        "slow" => std::thread::sleep(Duration::from_millis(30)),
        _ => {}
    }
}

/// Fills the pipe of the log until its writers hang.
fn flood() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    std::thread::spawn(|| {
        loop {
            tracing::info!("{}", "x".repeat(4_000));
        }
    });
    let has_room = || {
        let out = io::stdout();
        poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO).unwrap() != 0
    };
    // Nobody reads it, so once it is full it stays so.
    until_true("full", || !has_room());
    eprintln!("the log is full");
}

/// Fills the pipe of the log with lines of its own, up to where its writers hang.
fn fill() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    let mut log = io::stderr();
    let line = [&[b'x'; 4_095][..], b"\n"].concat();
    while poll(&mut [PollFd::new(io::stderr().as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO).unwrap() != 0
    {
        log.write_all(&line).unwrap();
    }
}

/// A recorder that does not return from its first call.
struct Blocks;

impl Blocks {
    fn block() -> ! {
        say("the recorder blocks");
        loop {
            std::thread::park();
        }
    }
}

impl metrics::Recorder for Blocks {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {
        Self::block()
    }

    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {
        Self::block()
    }

    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {
        Self::block()
    }

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        Self::block()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        Self::block()
    }

    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        Self::block()
    }
}

/// What an application writes while headcount draws below it.
fn print_lines() {
    std::thread::spawn(|| {
        for number in 1.. {
            println!("own line {number} to the end");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

/// A service: `plain`, `tracked`, or `limited-to-N`.
async fn serve(layers: &str, hc: &Headcount) -> Report {
    use axum::extract::Path;
    use axum::routing::get;

    async fn quick() -> &'static str {
        "quick"
    }
    async fn slow(Path(ms): Path<u64>) -> &'static str {
        say(&format!("asked /slow/{ms}"));
        work(Duration::from_millis(ms)).await;
        "slow"
    }
    async fn stream(Path(ms): Path<u64>) -> axum::body::Body {
        let chunks = futures_util::stream::unfold(0, move |step| async move {
            say("streaming");
            match step {
                0 => Some(("the beginning ", 1)),
                1 => {
                    work(Duration::from_millis(ms)).await;
                    Some(("the end", 2))
                }
                _ => None,
            }
        });
        axum::body::Body::from_stream(futures_util::StreamExt::map(chunks, Ok::<_, std::convert::Infallible>))
    }
    async fn nowhere(uri: axum::http::Uri) -> axum::http::StatusCode {
        say(&format!("asked {uri}"));
        work(Duration::from_millis(100)).await;
        axum::http::StatusCode::NOT_FOUND
    }

    let app = axum::Router::new()
        .route("/quick", get(quick))
        .route("/slow/{ms}", get(slow))
        .route("/stream/{ms}", get(stream))
        .fallback(nowhere);
    let app = match layers.strip_prefix("limited-to-") {
        Some(limit) => app.layer(headcount::RequestLimitLayer::new(limit.parse().unwrap())),
        None if layers == "tracked" => app.layer(headcount::TrackLayer::new()),
        None => app,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    say(&format!("serving {}", listener.local_addr().unwrap()));
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await.unwrap();
    hc.drain().await
}

/// Work that is sure to be there when the shutdown begins, and ends so long after.
async fn work(time: Duration) {
    headcount::draining().await;
    tokio::time::sleep(time).await;
}

/// Waits until a number of tasks live.
async fn alive(tasks: u128) {
    while u128::from(headcount::snapshot().live) < tasks {
        tokio::task::yield_now().await;
    }
}

async fn begin(words: &[String], hc: &Arc<Headcount>) {
    let [what, name, ..] = words else { panic!("{words:?}") };
    let time = words.get(2).map_or(Duration::ZERO, |text| millis(text));
    let task = headcount::task(name.clone());
    match what.as_str() {
        "wait" => drop(task.spawn(work(time))),
        "forever" => drop(task.spawn(std::future::pending::<()>())),
        "status" => {
            let (said, is_said) = std::sync::mpsc::channel();
            drop(task.spawn(async move {
                let current = headcount::current().unwrap();
                current.set_status("batch 3/10");
                current.set_progress(3, 10);
                said.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            // What is ready has said what it does.
            is_said.recv().unwrap();
        }
        "cancel" => drop(task.on_shutdown(OnShutdown::Cancel).spawn(std::future::pending::<()>())),
        "cancel-stuck" => {
            let (begun, begins) = std::sync::mpsc::channel();
            drop(task.on_shutdown(OnShutdown::Cancel).spawn(async move {
                begun.send(()).unwrap();
                std::thread::sleep(time);
            }));
            begins.recv().unwrap();
        }
        "detach" => drop(task.on_shutdown(OnShutdown::Detach).spawn(tokio::time::sleep(time))),
        "last" => drop(task.on_shutdown(OnShutdown::Last).spawn(async move {
            headcount::draining().await;
            say("last told");
            tokio::time::sleep(time).await;
            say("last done");
        })),
        "connection" => drop(task.connection().spawn(std::future::pending::<()>())),
        "closes" => drop(task.connection().spawn(async move {
            headcount::draining().await;
            tokio::time::sleep(time).await;
        })),
        "plain" => drop(tokio::spawn(std::future::pending::<()>())),
        "last-grace" => {
            let last = task.on_shutdown(OnShutdown::Last).grace(time);
            drop(last.spawn(std::future::pending::<()>()));
        }
        "grace" => drop(task.grace(time).spawn(std::future::pending::<()>())),
        "panic" => drop(task.spawn(async move {
            work(time).await;
            panic!("as told");
        })),
        "fail" => drop(task.spawn_fallible(async move {
            work(time).await;
            Err::<(), _>("as told")
        })),
        "blocking" => drop(task.spawn_blocking(move || std::thread::sleep(time))),
        "stuck" => drop(task.spawn(async move { std::thread::sleep(time) })),
        "many" => {
            for _ in 0..time.as_millis() {
                headcount::task(name.clone()).spawn(headcount::draining());
            }
        }
        "requests" => {
            begin_requests(time.as_millis());
            alive(time.as_millis()).await;
        }
        "family" => {
            task.spawn(async move {
                let child = || headcount::task("child").track(std::future::pending::<()>());
                let mut children: tokio::task::JoinSet<()> = tokio::task::JoinSet::new();
                (0..time.as_millis()).for_each(|_| drop(children.spawn(child())));
                children.join_next().await;
            });
            alive(time.as_millis() + 1).await;
        }
        _ if ["service", "timer", "critical"].iter().any(|kind| what.starts_with(kind)) => {
            child_services::begin(what, name.clone(), time).await;
        }
        _ if what.starts_with("drains") => await_drain(what, task, time, Arc::clone(hc)),
        _ => begin_another(what, name.clone(), task, time).await,
    }
}

async fn begin_another(what: &str, name: String, task: headcount::TaskBuilder, time: Duration) {
    match what {
        "labelled" => {
            drop(task.label("team", "search").field("shard", 7).spawn(std::future::pending::<()>()));
        }
        "queued" => begin_closures(&name, time.as_millis()),
        // Four fifths of its time are over, by the clock of timeouts.
        "timed" => {
            let (begun, begins) = std::sync::mpsc::channel();
            drop(task.timeout(time).spawn(async move {
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            begins.recv().unwrap();
            headcount::testing::advance(time * 4 / 5);
        }
        "times-out" => drop(task.spawn(async move {
            headcount::draining().await;
            let brief = headcount::task("brief").timeout(time).spawn(std::future::pending::<()>());
            let _ = brief.await;
        })),
        "moves" => drop(task.spawn(async move {
            headcount::draining().await;
            let steps = time.as_millis() / 300;
            for step in 1..=steps {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let (step, steps) = (step.try_into().unwrap(), steps.try_into().unwrap());
                headcount::current().unwrap().set_progress(step, steps);
            }
        })),
        "usual" => begin_usual(&name, time).await,
        "overdue" => {
            for is_last in [false, false, false, false, false, false, true] {
                // All are spawned at one place, so that they are of one group.
                let work = async move {
                    if is_last {
                        std::future::pending::<()>().await;
                    }
                };
                let task = headcount::task(name.clone()).spawn(work);
                if !is_last {
                    task.await.unwrap();
                }
            }
        }
        "opens" => {
            // A pipe that nothing writes to.
            let path = std::env::temp_dir().join(format!("headcount-secret-{}", std::process::id()));
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            drop(task.spawn(async move { drop(std::fs::File::open(path)) }));
        }
        "listens" => {
            // A peer that says nothing.
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            drop(task.spawn_blocking(move || {
                let mut peer = std::net::TcpStream::connect(address).unwrap();
                let _ = io::Read::read(&mut peer, &mut [0]);
                drop(listener);
            }));
            say(&format!("peer {address}"));
        }
        "panics-if-asked" => {
            let mut polls = 0;
            drop(task.spawn(std::future::poll_fn(move |_| {
                polls += 1;
                assert!(polls < 2, "asked, on purpose");
                std::task::Poll::<()>::Pending
            })));
        }
        "late" => drop(task.spawn(async {
            headcount::draining().await;
            let late = headcount::task("late-one").spawn(tokio::time::sleep(Duration::from_millis(50)));
            say(&format!("late {}", late.await.is_ok()));
        })),
        "late-burst" => drop(task.spawn(async move {
            headcount::draining().await;
            for _ in 0..time.as_millis() {
                drop(headcount::task("late-one").spawn(async {}));
            }
        })),
        "tracker" => {
            let tracker = tokio_util::task::TaskTracker::new();
            tracker.spawn(task.track(work(time)));
            tracker.spawn(std::future::pending::<()>());
            alive(1).await;
            std::mem::forget(tracker);
        }
        "idles" => drop(task.spawn(async {
            headcount::draining().await;
            headcount::idle().await;
            say("idle");
        })),
        unknown => panic!("no task: {unknown}"),
    }
}

/// Five that have ended, and one of the same place that takes eight times as long from the begin of draining
/// on. It does not listen for that itself: then it would be done at once by any forecast.
async fn begin_usual(name: &str, time: Duration) {
    let (begun, begins) = tokio::sync::watch::channel(());
    tokio::spawn(async move {
        headcount::draining().await;
        drop(begun);
    });
    for nth in 1..=6 {
        let (is_last, mut begins) = (nth == 6, begins.clone());
        let task = headcount::task(name.to_owned()).spawn(async move {
            if is_last {
                let _ = begins.changed().await;
            }
            tokio::time::sleep(if is_last { 8 * time } else { time }).await;
        });
        if !is_last {
            task.await.unwrap();
        }
    }
}

/// Closures without an end, of which one runs and the others wait for its thread.
fn begin_closures(name: &str, count: u128) {
    let mut pool = tokio::runtime::Builder::new_multi_thread();
    let runtime = pool.worker_threads(1).max_blocking_threads(1).build().unwrap();
    let runtime = Box::leak(Box::new(runtime));
    for _ in 0..count {
        let task = headcount::task(name.to_owned());
        drop(task.spawn_blocking_on(|| std::thread::sleep(Duration::MAX), runtime.handle()));
    }
}

/// Requests without an end, none of which comes through a server.
fn begin_requests(count: u128) {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower_service::Service;

    let mut app: Router = Router::new()
        .route("/pending", get(|| async { std::future::pending::<()>().await }))
        .layer(headcount::TrackLayer::new());
    for _ in 0..count {
        let response = app.call(Request::get("/pending").body(Body::empty()).unwrap());
        tokio::spawn(async move { drop(response.await) });
    }
}

/// Tasks that await the report themselves.
fn await_drain(what: &str, task: headcount::TaskBuilder, time: Duration, hc: Arc<Headcount>) {
    match what {
        "drains-connection" => drop(task.connection().spawn(async move {
            hc.draining().await;
            let _report = hc.drain().await;
        })),
        "drains" => drop(task.spawn(async move {
            hc.draining().await;
            let report = hc.drain().await;
            say(&format!("task got {}", report.exit_code));
        })),
        "drains-tracked" => drop(task.spawn(async move {
            hc.draining().await;
            let report = headcount::track(async { hc.drain().await }).await;
            say(&format!("task got {}", report.exit_code));
        })),
        "drains-wrapped" => {
            let made_outside = headcount::track(async move {
                hc.draining().await;
                say(&format!("task got {}", hc.drain().await.exit_code));
            });
            drop(task.spawn(made_outside));
        }
        "drains-twice" => drop(task.spawn(async move {
            let own = || headcount::snapshot::task(headcount::current().unwrap().id()).unwrap();
            hc.draining().await;
            // In this order at each poll, unlike `tokio::join!`.
            let _reports = futures_util::future::join(hc.drain(), hc.drain()).await;
            let headcount::snapshot::TaskLookup::Live(task) = own().task else { unreachable!() };
            say(&format!("it is {} again", task.on_shutdown.as_str()));
        })),
        "drains-and-drops" => drop(task.spawn(async move {
            hc.draining().await;
            let (mut first, mut second) = (Box::pin(hc.drain()), Box::pin(hc.drain()));
            tokio::select! {
                biased;
                _ = &mut first => {}
                _ = &mut second => {}
                () = std::future::ready(()) => {}
            }
            drop(first);
            say(&format!("task got {}", second.await.exit_code));
        })),
        "drains-a-while" => drop(task.spawn(async move {
            // Which begins it.
            let report = tokio::time::timeout(Duration::from_millis(50), hc.drain()).await;
            tokio::time::sleep(time).await;
            say(&format!("gave up {}, and is done", report.is_err()));
        })),
        unknown => panic!("no task: {unknown}"),
    }
}
