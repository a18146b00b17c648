//! A deploy tool that asks before it stops a service: what would a SIGTERM cut now?
//!
//! Run a service such as `quickstart` first, then:
//!
//!     cargo run --example deploy_check -- 127.0.0.1:7717 25s 60
//!
//! It asks `/api/v1/forecast?within=25s` each second, for 60 seconds at most, until a stop would abandon
//! nothing. Then it sends SIGTERM to the process that answered, which must be one of this machine. If the
//! time is over it says what stands in the way, and stops nothing.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a deploy accepts to lose, in tasks.
const ACCEPTED: f64 = 0.5;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7717".to_owned());
    let within = arguments.next().unwrap_or_else(|| "25s".to_owned());
    let patience = Duration::from_secs(arguments.next().map_or(Ok(60), |text| text.parse())?);
    let began = Instant::now();
    loop {
        let Answer { instance, body: forecast } =
            get(&address, &format!("/api/v1/forecast?within={within}"))?;
        println!("{}", forecast["sentence"].as_str().unwrap_or_default());
        let lost = forecast["expected_abandoned"].as_f64().ok_or("no forecast")?;
        let unknown = forecast["unknown"].as_u64().ok_or("no forecast")?;
        if lost < ACCEPTED && unknown == 0 {
            return stop(&address, &instance);
        }
        if patience <= began.elapsed() {
            println!("A stop would abandon about {lost:.1} tasks, and {unknown} are unknown: not stopped.");
            return Ok(ExitCode::FAILURE);
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Sends SIGTERM, as Kubernetes, systemd and `docker stop` do, to the instance that gave the forecast.
fn stop(address: &str, instance: &str) -> Result<ExitCode, Box<dyn Error>> {
    let summary = get(address, "/api/v1/summary")?;
    if summary.instance != instance {
        return Err("Another process answers than the one that gave the forecast: not stopped".into());
    }
    // For `kill`, 0 and numbers below it are groups of processes.
    let pid = summary.body["pid"].as_u64().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.filter(|pid| 0 < *pid).ok_or("No pid in the answer: not stopped")?;
    println!("Stopping process {pid}");
    let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
    Ok(if sent.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a process answers, and which one it is: another start has another instance.
struct Answer {
    instance: String,
    body: Value,
}

/// The JSON at a path. Real tools have an HTTP client; HTTP/1.0 keeps this one short.
fn get(address: &str, path: &str) -> Result<Answer, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    if !stream.peer_addr()?.ip().to_canonical().is_loopback() {
        return Err(format!("{address} is not on this machine, where its pid means another process").into());
    }
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no answer"))?;
    if !head.starts_with("HTTP/1.0 200") {
        return Err(format!("{path}: {body}").into());
    }
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let mut instances = headers.filter(|(name, _)| name.eq_ignore_ascii_case("Headcount-Instance"));
    let (_, instance) = instances.next().ok_or("no instance in the answer")?;
    Ok(Answer { instance: instance.to_owned(), body: serde_json::from_str(body)? })
}
