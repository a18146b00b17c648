//! Each service as a process: asked, looked at through its own API, and stopped by SIGTERM.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const PATIENCE: Duration = Duration::from_secs(120);

struct Service {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Service {
    fn start(program: &str) -> Self {
        Self::start_as(Command::new(program))
    }

    fn start_as(mut command: Command) -> Self {
        let mut child = command
            .env("HEADCOUNT_ADMIN", "127.0.0.1:0")
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (log, output) = (Arc::new(Mutex::new(String::new())), child.stdout.take().unwrap());
        let (sender, addresses) = mpsc::channel();
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("http://") {
                    let _ =
                        sender.send((line.contains("Dashboard"), address.trim_end_matches('/').to_owned()));
                }
                lines.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let (mut address, mut admin) = (None, None);
        while address.is_none() || admin.is_none() {
            let (is_admin, found) = addresses.recv_timeout(PATIENCE).expect("it says where it is");
            let place = if is_admin { &mut admin } else { &mut address };
            *place = Some(found.parse().unwrap());
        }
        Self { child, address: address.unwrap(), admin: admin.unwrap(), log, reader: Some(reader) }
    }

    fn ask(&self, method: &str, path: &str) -> String {
        ask(self.address, method, path)
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(self.admin, what, is_so)
    }

    /// Stops it by SIGTERM: gives the exit code, the seconds that took, and the log.
    fn stop(mut self) -> (i32, f64, String) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "{}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = began.elapsed().as_secs_f64();
        self.reader.take().unwrap().join().unwrap();
        (status.code().unwrap_or(-1), took, self.log.lock().unwrap().clone())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the summary is as it should be.
#[track_caller]
fn wait_for(admin: SocketAddr, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = ask(admin, "GET", "/api/v1/summary");
        let summary = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        if is_so(&summary) {
            return summary;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: {summary:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A group of the summary: how many live and how many ended ok.
fn group(summary: &Value, name: &str) -> Option<(u64, u64)> {
    let group = summary["groups"].as_array()?.iter().find(|group| group["name"] == name)?;
    Some((group["live"].as_u64()?, group["finished"]["ok"].as_u64()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn axum_with_a_websocket() {
    let service = Service::start(env!("CARGO_BIN_EXE_axum-service"));
    assert!(service.ask("POST", "/orders/7").ends_with("ordered"));
    let url = format!("ws://{}/socket", service.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Message::text("ping")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("ping"));
    let now = service.wait_for("a socket", |now| {
        group(now, "socket") == Some((1, 0)) && now["untracked"] == 0 && group(now, "connection").is_some()
    });
    assert_eq!(group(&now, "/orders/{id}"), Some((0, 1)));
    assert!(service.ask("POST", "/orders/8").ends_with("ordered"));
    let stopping = tokio::task::spawn_blocking(|| service.stop());
    let close = socket.next().await.unwrap().unwrap();
    assert!(matches!(&close, Message::Close(Some(frame)) if frame.reason == "restarting"), "{close:?}");
    drop(socket);
    let (code, took, log) = stopping.await.unwrap();
    assert_eq!(code, 0, "{log}");
    assert!(
        took < 15.0 && log.contains("send-receipt") && !log.contains("does not track"),
        "{took} s: {log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tonic_with_a_stream() {
    let service = Service::start(env!("CARGO_BIN_EXE_tonic-service"));
    let channel =
        Channel::from_shared(format!("http://{}", service.address)).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    client.check(HealthCheckRequest::default()).await.unwrap();
    let broken = client.check(HealthCheckRequest { service: "broken".into() }).await.unwrap_err();
    assert_eq!(broken.code(), Code::Internal);
    let mut updates = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    updates.message().await.unwrap().unwrap();
    let now = service.wait_for("a stream", |now| group(now, "grpc.health.v1.Health/Watch") == Some((1, 0)));
    assert_eq!((&now["untracked"], group(&now, "connection")), (&0.into(), Some((1, 0))), "{now:#}");
    assert_eq!(group(&now, "http2-stream").unwrap().0, 1);
    let check =
        now["groups"].as_array().unwrap().iter().find(|group| group["name"] == "grpc.health.v1.Health/Check");
    let check = check.unwrap();
    assert_eq!((&check["finished"]["ok"], &check["finished"]["error"]), (&1.into(), &1.into()));
    assert_eq!(check["last_failure"]["message"], "grpc-status 13 the%20disk%20is%20full");
    let stopping = tokio::task::spawn_blocking(|| service.stop());
    let mut last = None;
    while let Some(update) = updates.message().await.unwrap() {
        last = Some(update.status);
    }
    assert_eq!(last, Some(2), "the stream's last message says that it stops");
    let (code, took, log) = stopping.await.unwrap();
    assert_eq!(code, 0, "{log}");
    assert!(took < 15.0 && !log.contains("does not track"), "{took} s: {log}");
}

/// What tonic's client spawns by itself, in this process.
#[tokio::test(flavor = "multi_thread")]
async fn tonic_as_a_client() {
    let service = Service::start(env!("CARGO_BIN_EXE_tonic-service"));
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = headcount::Headcount::builder().ignore_env().admin(nowhere).signals(false).install().unwrap();
    let executor = headcount::task("channel").connection().executor();
    let endpoint = Endpoint::from_shared(format!("http://{}", service.address)).unwrap().executor(executor);
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    client.check(HealthCheckRequest::default()).await.unwrap();
    wait_for(hc.admin_addr().unwrap(), "a channel", |now| {
        group(now, "channel").is_some_and(|(live, _)| 0 < live) && now["untracked"] == 0
    });
    // They only await their peer, so they hold up no stop for long.
    let report = hc.drain().await;
    assert_eq!(report.exit_code, 0, "{report}");
    assert!(0 < report.connections_closed, "{report}");
    let (code, _, log) = service.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn actix_with_tasks_on_its_workers() {
    let service = Service::start(env!("CARGO_BIN_EXE_actix-service"));
    assert!(service.ask("POST", "/orders/7").ends_with("ordered"));
    service.wait_for("a receipt", |now| group(now, "send-receipt") == Some((0, 1)));
    let address = service.address;
    let slow = std::thread::spawn(move || ask(address, "GET", "/slow"));
    let now = service.wait_for("a slow request", |now| group(now, "/slow") == Some((1, 0)));
    assert_eq!((&now["untracked"], group(&now, "/orders/{id}")), (&0.into(), Some((0, 1))), "{now:#}");
    let runtimes = now["runtimes"].as_array().unwrap();
    assert!(2 <= runtimes.len() && runtimes[1]["name"].as_str().unwrap().contains("actix"), "{runtimes:?}");
    // Begun on a worker, which must not end before it.
    assert!(service.ask("POST", "/orders/8").ends_with("ordered"));
    let (code, took, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(slow.join().unwrap().ends_with("at last"));
    assert!(took < 15.0 && log.contains("send-receipt #") && log.contains("(2 completed"), "{took} s: {log}");
}

#[test]
fn axum_of_the_version_before() {
    let service = Service::start(env!("CARGO_BIN_EXE_axum-previous"));
    assert!(service.ask("GET", "/orders/7").ends_with("an order"));
    service.wait_for("the route's name", |now| group(now, "/orders/:id") == Some((0, 1)));
    let (code, _, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("name_with"), "{log}");
}

#[test]
fn hyper_without_a_framework() {
    let service = Service::start(env!("CARGO_BIN_EXE_plain-hyper"));
    assert!(service.ask("GET", "/anything").ends_with("GET /anything\n"));
    service.wait_for("the request", |now| {
        group(now, "GET") == Some((0, 1)) && group(now, "connection") == Some((0, 1)) && now["untracked"] == 0
    });
    // A connection that is idle or has sent half a head does not hold up the stop.
    let _half = half_a_head(&service);
    let _idle = TcpStream::connect(service.address).unwrap();
    service.wait_for("two connections", |now| group(now, "connection") == Some((2, 1)));
    let (code, took, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(took < 15.0, "{took} s: {log}");
}

#[test]
fn half_a_head_does_not_hold_up_a_stop_of_axum() {
    let service = Service::start(env!("CARGO_BIN_EXE_axum-service"));
    let _half = half_a_head(&service);
    service.wait_for("a connection", |now| group(now, "connection") == Some((1, 0)));
    let (code, took, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(took < 15.0, "{took} s: {log}");
}

#[cfg(target_os = "linux")]
#[test]
fn hyper_outlives_a_lack_of_file_descriptors() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\"", env!("CARGO_BIN_EXE_plain-hyper")]);
    let service = Service::start_as(command);
    let many: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(service.address).unwrap()).collect();
    let last = std::path::PathBuf::from(format!("/proc/{}/fd/63", service.child.id()));
    let began = Instant::now();
    while last.symlink_metadata().is_err() {
        assert!(began.elapsed() < PATIENCE, "descriptors are left");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(many);
    assert!(service.ask("GET", "/anything").ends_with("GET /anything\n"));
    let (code, _, log) = service.stop();
    assert_eq!(code, 0, "{log}");
}

/// A client that does not end the head of its request.
fn half_a_head(service: &Service) -> TcpStream {
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(b"GET /anything HTTP/1.1\r\nHost: half-a-head.example\r\n").unwrap();
    stream
}
