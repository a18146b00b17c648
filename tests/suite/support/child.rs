//! The process under test: does what its arguments say.
//!
//! Each line of them is a task, as [`child_tasks`] lists them, or an option. What `main` does: `--main drain
//! | ignore | hang | return | in-a-task | account | spawns-after | own-signal | daemon | daemon-spawns |
//! daemon-asks | daemon-times`, `--after MS`. What begins it: `--call REASON`. Before it installs headcount:
//! `--critical-before NAME`. It is ready once the tasks of `wait` await the drain:
//! `--listen`. When it calls `set_ready`: `--set-ready MS`.

use std::io::{self, Write};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use headcount::{Headcount, Report};

use super::child_services;
use super::child_tasks::{self, work};
use super::wait::until_true;

/// What the process is to do; set in no other.
pub(super) const ARGUMENTS: &str = "SUITE_ARGUMENTS";

struct Options {
    tasks: Vec<Vec<String>>,
    main: String,
    after: Duration,
    calls: Vec<String>,
    hook: Option<String>,
    listens: bool,
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
            listens: false,
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
                "--listen" => options.listens = true,
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

pub(super) fn millis(text: &str) -> Duration {
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
        child_tasks::begin(words, &hc).await;
    }
    if options.listens {
        child_tasks::listen(&options.tasks).await;
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
    // It has its next part ready at each poll.
    async fn endless() -> axum::body::Body {
        say("streaming");
        let part = || Ok::<_, std::convert::Infallible>("a part ".repeat(1_000));
        axum::body::Body::from_stream(futures_util::stream::repeat_with(part))
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
        .route("/endless", get(endless))
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
