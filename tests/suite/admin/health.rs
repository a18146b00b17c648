//! What answers while every worker of the application is blocked.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::http::{get, until_it_answers};
use crate::support::samples::{samples, sum};
use crate::support::wait::until;
use headcount::Headcount;

const WORKERS: usize = 2;

/// A line of the log, told to the test.
struct Told(mpsc::Sender<String>);

impl Write for Told {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Nobody listens once the test is over.
        let _ = self.0.send(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the threads of headcount log, which are installed under it, and nobody else.
fn listen() -> (mpsc::Receiver<String>, tracing::subscriber::DefaultGuard) {
    let (sender, told) = mpsc::channel();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || Told(sender.clone()))
        .with_ansi(false)
        .without_time()
        .finish();
    (told, tracing::subscriber::set_default(subscriber))
}

/// The next line about an application that does not answer, or does again.
fn next_line(told: &mpsc::Receiver<String>) -> String {
    loop {
        let line = told.recv_timeout(Duration::from_secs(120)).unwrap();
        if line.contains("headcount::blocked: The application") {
            return line;
        }
    }
}

/// The tasks block until the test lets them go, so whatever is answered before is answered meanwhile.
#[test]
fn a_blocked_application_is_seen_and_named() {
    own_process!();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap();
    let guard = runtime.enter();
    let (told, listening) = listen();
    let hc = Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .blocked_after(Duration::from_millis(20))
        .unresponsive_after(Duration::from_secs(2))
        .install()
        .unwrap();
    drop((guard, listening));
    let admin = hc.admin_addr().unwrap();
    until_it_answers(admin);

    let (begun, has_begun) = mpsc::channel();
    let release: Vec<_> = (0..WORKERS).map(|worker| block(&runtime, worker, begun.clone())).collect();
    (0..WORKERS).for_each(|_| has_begun.recv().unwrap());

    // Nobody has asked yet. A busy machine may have kept the application silent before.
    let names_all = |text: &str| (0..WORKERS).all(|worker| text.contains(&format!("sleeper-{worker} #")));
    let does_not = " WARN headcount::blocked: The application does not answer: no task";
    loop {
        let line = next_line(&told);
        if line.starts_with(does_not) && names_all(&line) {
            break;
        }
        println!("before: {line}");
    }
    let detail = until(|| {
        let answer = get(admin, "/livez");
        if answer.status != 503 {
            return Err(answer);
        }
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        if names_all(&detail) { Ok(detail) } else { Err(answer) }
    });
    assert!(detail.contains("tests/suite/admin/health.rs:"), "{detail}");
    let begun = Instant::now();
    let blocked = get(admin, "/api/v1/tasks?state=blocked").expect(200).json();
    assert_eq!(blocked["total"], WORKERS);
    let metrics = samples(get(admin, "/metrics").expect(200).text());
    assert_eq!(sum(&metrics, "headcount_tasks_blocked", &[]), WORKERS as f64);
    let summary = get(admin, "/api/v1/summary").expect(200).json();
    assert_eq!(summary["groups"][0]["warnings"][0]["code"], "blocked");
    println!("four answers while every worker was blocked took {:?}", begun.elapsed());

    drop(release);
    until_it_answers(admin);
    let line = next_line(&told);
    assert!(
        line.starts_with(" INFO headcount::blocked: The application answers again, after"),
        "once: {line}"
    );
    runtime.block_on(headcount::idle());
    drop(runtime);
    until_it_answers(admin);
}

fn block(runtime: &tokio::runtime::Runtime, worker: usize, begun: mpsc::Sender<()>) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let _guard = runtime.enter();
    headcount::task(format!("sleeper-{worker}")).spawn(async move {
        begun.send(()).unwrap();
        // Until the sender is dropped.
        let _ = released.recv();
    });
    release
}
