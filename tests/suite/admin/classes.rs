//! Attacks on the own server: whatever others do, the application works, `/livez` answers, and a newcomer is
//! served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use headcount::Headcount;

use crate::support::alone;
use crate::support::http::{Answer, events, get, send};
use crate::support::samples::{samples, value};
use crate::support::wait::{until, until_yielding};

fn install() -> (Headcount, SocketAddr) {
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    (hc, admin)
}

/// A task of the application goes on, health answers in time, and so does what it is among.
#[track_caller]
fn all_is_well(admin: SocketAddr) {
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let asked = Instant::now();
        get(admin, "/livez").expect(200);
        get(admin, "/readyz").expect(200);
        slowest = slowest.max(asked.elapsed());
    }
    println!("two answers of health took {slowest:?} at most");
    // Milliseconds on a machine that does nothing else.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let (sender, ran) = std::sync::mpsc::channel();
    tokio::spawn(async move { sender.send(()) });
    ran.recv_timeout(Duration::from_secs(5)).expect("the application works");
}

/// A connection that has had its answer, and stays.
fn keep_alive(admin: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").unwrap();
    // A place was lost to others since, perhaps: that is what it is about.
    let _ = stream.read(&mut [0; 512]);
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_idle_between_requests_give_way() {
    own_process!();
    let (_hc, admin) = install();
    let idle: Vec<_> = (0..400).map(|_| keep_alive(admin, "/livez")).collect();
    all_is_well(admin);
    get(admin, "/api/v1/summary").expect(200);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_give_way() {
    own_process!();
    let (_hc, admin) = install();
    let slow: Vec<_> = (0..5_000)
        .map(|_| {
            let mut stream = TcpStream::connect(admin).unwrap();
            let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nHo");
            stream
        })
        .collect();
    all_is_well(admin);
    get(admin, "/metrics").expect(200);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_never_read_lose_their_places() {
    own_process!();
    let (_hc, admin) = install();
    for number in 0..50 {
        // Three places, since each leaves room for others.
        drop(headcount::task("many").label("number", number.to_string()).track(async {}));
        drop(headcount::task("more").label("number", number.to_string()).track(async {}));
        drop(headcount::task("most").label("number", number.to_string()).track(async {}));
    }
    assert_eq!(headcount::snapshot().groups.len(), 150);
    let follow = |_| {
        let mut stream = TcpStream::connect(admin).unwrap();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {admin}\r\n\r\n").unwrap();
        stream
    };
    let began = Instant::now();
    let unread: Vec<_> = (0..200).map(follow).collect();
    all_is_well(admin);
    // Each frame is some 50 kB, so that their windows are full soon.
    drop(until_yielding(|| events(admin, "/api/v1/events").ok_or("they keep their places")).await);
    println!("a place was free after {:?}", began.elapsed());
    all_is_well(admin);
    let samples = samples(get(admin, "/metrics").expect(200).text());
    assert!(0.0 < value(&samples, "headcount_sse_dropped_total", &[]));
    drop(unread);
}

#[test]
fn a_peer_with_all_places_of_the_events_shares_them() {
    own_process!();
    let hc =
        Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).sse_clients(2).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let oldest = events(admin, "/api/v1/events").expect("a place is free");
    let _newer = events(admin, "/api/v1/events").expect("a place is free");
    assert!(events(admin, "/api/v1/events").is_none(), "the same peer has its share");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    if socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).is_err() {
        println!("this machine has one address: nothing to see");
        return;
    }
    socket.connect(&admin.into()).unwrap();
    let mut other = TcpStream::from(socket);
    write!(other, "GET /api/v1/events HTTP/1.0\r\nHost: {admin}\r\n\r\n").unwrap();
    let mut head = [0; 15];
    other.read_exact(&mut head).unwrap();
    assert!(head.ends_with(b"200 OK"), "{}", String::from_utf8_lossy(&head));
    // Its stream ends.
    assert!(0 < oldest.count());
}

/// The test below, under a limit of 128 file descriptors.
#[test]
fn child_with_few_files() {
    if std::env::var_os("FEW_FILES").is_none() {
        return;
    }
    let (_hc, admin) = install();
    let silent: Vec<_> = (0..100).map_while(|_| TcpStream::connect(admin).ok()).collect();
    println!("{} connections", silent.len());
    drop(silent);
    let held: Vec<_> = (0..40).map(|_| TcpStream::connect(admin).unwrap()).collect();
    get(admin, "/livez").expect(200);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    // These 40 have two ends each in this process.
    assert!(open < 128 - 16, "{open} files are open");
    let files: Vec<_> = (0..16).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    drop((held, files));
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_leaves_file_descriptors_to_the_application() {
    own_process!();
    let child = alone::command("admin::classes::child_with_few_files");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""]).arg(child.get_program());
    let output = limited.args(child.get_args()).env("FEW_FILES", "yes").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("connections"), "{said}");
}

#[test]
fn http_2_without_a_word_before_is_answered() {
    own_process!();
    let (_hc, admin) = install();
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"\0\0\0\x04"), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");
}

#[test]
fn health_has_an_address_of_its_own_without_names() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _runtime = runtime.enter();
    // Another process may take the port first.
    let (free, hc) = until(|| {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let builder = Headcount::builder()
            .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
            .health(SocketAddr::from(([0, 0, 0, 0], free.port())))
            .unresponsive_after(Duration::from_millis(200));
        builder.install().map(|hc| (free, hc))
    });
    let hosted = [("Host", "probe.example")];
    // A busy machine may keep the application silent for a while.
    let until_livez = |address: SocketAddr, is_so: &dyn Fn(&Answer) -> bool| {
        until(|| {
            let answer = send(address, "GET", "/livez", &hosted, "");
            if is_so(&answer) { Ok(answer) } else { Err(answer) }
        })
    };
    until_livez(free, &|answer| answer.status == 200);
    send(free, "GET", "/readyz", &hosted, "").expect(200);
    for path in ["/", "/metrics", "/api/v1/summary", "/api/v1/tasks", "/assets/index.js"] {
        let answer = send(free, "GET", path, &hosted, "");
        assert!([404, 421].contains(&answer.status), "{path}: {}", answer.status);
    }
    let (release, released) = std::sync::mpsc::channel::<()>();
    headcount::task("secret-name").spawn(async move { assert!(released.recv().is_err()) });
    until_livez(hc.admin_addr().unwrap(), &|answer| {
        answer.status == 503 && answer.text().contains("secret-name")
    });
    let silent = until_livez(free, &|answer| answer.status == 503);
    assert!(!silent.text().contains("secret-name"), "{}", silent.text());
    drop(release);
    runtime.shutdown_background();
}
