//! What the quickstart needs and a service would not: flags, chance, and callers.

use std::net::SocketAddr;
use std::time::Duration;

use headcount::OnShutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing_subscriber::EnvFilter;

/// What the command line says.
pub(crate) struct Flags {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    /// The time between two calls to itself.
    pub(crate) load: Option<Duration>,
    pub(crate) seconds_per_number: Duration,
    pub(crate) limit_max_requests: Option<u64>,
}

impl Flags {
    pub(crate) fn from_arguments() -> Self {
        let mut flags = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            admin: None,
            load: None,
            seconds_per_number: Duration::from_secs(1),
            limit_max_requests: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            let known = match flag.as_str() {
                "--listen" => value.parse().map(|address| flags.listen = address).is_ok(),
                "--admin" => value.parse().map(|address| flags.admin = Some(address)).is_ok(),
                "--load" => {
                    let calls: Option<f64> = value.parse().ok();
                    flags.load = calls.and_then(|calls| seconds(1.0 / calls)).filter(|time| !time.is_zero());
                    flags.load.is_some() || calls == Some(0.0)
                }
                "--seconds-per-number" => {
                    let time = value.parse().ok().and_then(seconds);
                    time.map(|time| flags.seconds_per_number = time).is_some()
                }
                "--limit-max-requests" => {
                    let limit = value.parse().ok().filter(|limit| *limit != 0);
                    flags.limit_max_requests = limit;
                    limit.is_some()
                }
                _ => false,
            };
            if !known {
                eprintln!(
                    "{flag} {value}: expected --listen ADDR, --admin ADDR, --load N, --seconds-per-number S or \
                     --limit-max-requests N (1 or more)"
                );
                std::process::exit(2);
            }
        }
        flags
    }
}

/// That long, if it is a time at all.
fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// INFO, unless `RUST_LOG` says otherwise.
pub(crate) fn log_filter() -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"))
}

/// True that often.
pub(crate) fn chance(share: f64) -> bool {
    fastrand::f64() < share
}

/// Something between the two.
pub(crate) fn random(least: f64, most: f64) -> f64 {
    least + (most - least) * fastrand::f64()
}

/// Waits for some seconds between the two, as if for another service.
pub(crate) async fn pause(least: f64, most: f64) {
    tokio::time::sleep(Duration::from_secs_f64(random(least, most))).await;
}

/// Calls the service again and again, that far apart: mostly to sign up, now and then to count.
pub(crate) fn generate_load(service: SocketAddr, every: Option<Duration>) {
    if let Some(every) = every {
        let calls = async move {
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                // A call that fails is made up for by the next.
                let _ = call(service, if chance(0.02) { "GET /" } else { "POST /signup" }).await;
            }
        };
        headcount::task("load").on_shutdown(OnShutdown::Cancel).spawn(calls);
    }
}

async fn call(service: SocketAddr, what: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(service).await?;
    let request =
        format!("{what} HTTP/1.1\r\nHost: {service}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
