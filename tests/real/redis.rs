//! A service that consumes a stream of a real Redis server, which is stopped and started again under it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::{Backoff, Headcount, Outcome, Restart, ServiceState, service};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const STREAM: &str = "orders";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the distribution's package, with its data in a directory of its own. Every write is on the
/// disk before it is answered, so a server that is killed loses nothing that a client knows of.
struct Server {
    address: SocketAddr,
    directory: PathBuf,
    child: Child,
}

impl Server {
    async fn start(address: SocketAddr, directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(directory);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.expect("redis-server, which scripts/setup installs");
        let server = Self { address, directory: directory.to_owned(), child };
        let up = async {
            while !server.answers().await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("the server comes up");
        server
    }

    async fn answers(&self) -> bool {
        let Ok(mut client) = Client::connect(self.address).await else { return false };
        client.call(&["PING"]).await.is_ok()
    }

    fn stop(mut self, with: Signal) -> (SocketAddr, PathBuf) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), with).unwrap();
        self.child.wait().unwrap();
        (self.address, self.directory.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As much of the protocol as the test needs.
struct Client(BufReader<TcpStream>);

#[derive(Clone, Debug, PartialEq)]
enum Reply {
    Text(String),
    Number(i64),
    Nothing,
    List(Vec<Reply>),
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(address).await?)))
    }

    async fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut command = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| command += &format!("${}\r\n{word}\r\n", word.len()));
        self.0.get_mut().write_all(command.as_bytes()).await?;
        self.reply().await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        match (kind, rest) {
            ("+", text) => Ok(Reply::Text(text.to_owned())),
            ("-", text) => Err(io::Error::other(text.to_owned())),
            (":", _) => Ok(Reply::Number(number()?)),
            ("$" | "*", "-1") => Ok(Reply::Nothing),
            ("$", _) => {
                let mut bytes = vec![0; usize::try_from(number()?).unwrap() + 2];
                self.0.read_exact(&mut bytes).await?;
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Text(String::from_utf8(bytes).unwrap()))
            }
            _ => {
                let mut items = Vec::new();
                for _ in 0..number()? {
                    items.push(Box::pin(self.reply()).await?);
                }
                Ok(Reply::List(items))
            }
        }
    }

    async fn produce(&mut self, orders: std::ops::RangeInclusive<u32>) {
        for order in orders {
            self.call(&["XADD", STREAM, "*", "number", &order.to_string()]).await.unwrap();
        }
    }
}

/// The ids and numbers of the entries in the reply of `XREADGROUP`.
fn entries(reply: &Reply) -> Vec<(String, u32)> {
    let list = |reply: &Reply| match reply {
        Reply::List(items) => items.clone(),
        _ => Vec::new(),
    };
    let text = |reply: &Reply| match reply {
        Reply::Text(text) => text.clone(),
        _ => String::new(),
    };
    let streams = list(reply);
    let found = streams.iter().flat_map(|stream| list(&list(stream)[1]));
    found.map(|entry| (text(&list(&entry)[0]), text(&list(&list(&entry)[1])[1]).parse().unwrap())).collect()
}

/// Takes orders from the stream until the process stops: first those that an earlier run took and did not
/// acknowledge, then new ones.
async fn consume(server: SocketAddr, seen: Arc<Mutex<Vec<u32>>>) -> io::Result<()> {
    let mut client = Client::connect(server).await?;
    if let Err(problem) = client.call(&["XGROUP", "CREATE", STREAM, "shop", "0", "MKSTREAM"]).await {
        if !problem.to_string().contains("BUSYGROUP") {
            return Err(problem);
        }
    }
    let mut from = "0";
    while !headcount::shutdown_requested() {
        let read =
            ["XREADGROUP", "GROUP", "shop", "one", "COUNT", "10", "BLOCK", "50", "STREAMS", STREAM, from];
        let entries = entries(&client.call(&read).await?);
        if entries.is_empty() {
            from = ">";
        }
        for (id, order) in entries {
            seen.lock().unwrap().push(order);
            client.call(&["XACK", STREAM, "shop", &id]).await?;
        }
    }
    Ok(())
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what} does not come"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_outlives_its_server() {
    own_process!("HEADCOUNT_ADMIN" = "none");
    let hc = Headcount::install().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let directory = std::env::temp_dir().join(format!("headcount-redis-{}-{port}", std::process::id()));
    let mut server = Server::start(address, &directory).await;
    Client::connect(address).await.unwrap().produce(1..=100).await;

    let seen = Arc::<Mutex<Vec<u32>>>::default();
    let known = || seen.lock().unwrap().iter().copied().collect::<BTreeSet<u32>>();
    let backoff = Backoff::exponential(Duration::from_millis(20), Duration::from_millis(200)).jitter();
    let taken = Arc::clone(&seen);
    let consumer = service("consumer", move || consume(address, Arc::clone(&taken)));
    let consumer = consumer.restart(Restart::OnFailure, backoff).spawn().unwrap();
    until("the first hundred", || known().len() == 100).await;
    let metric = |name: &str, value: u64| {
        let line = format!("{name}{{task=\"consumer\",kind=\"service\"}} {value}\n");
        hc.render_metrics().contains(&line)
    };
    assert!(metric("headcount_service_up", 1) && metric("headcount_service_restarts_total", 0));

    // Once it is killed, once it is stopped in order; both times while orders are on their way.
    for (round, signal) in [Signal::SIGKILL, Signal::SIGTERM].into_iter().enumerate() {
        let first = 101 + 200 * u32::try_from(round).unwrap();
        Client::connect(address).await.unwrap().produce(first..=first + 99).await;
        let before = consumer.info().failures;
        let (address, directory) = server.stop(signal);
        until("three failures", || before + 3 <= consumer.info().failures).await;
        let info = consumer.info();
        let last = info.last.unwrap();
        assert_eq!(last.outcome, Outcome::Error, "{last:?}");
        assert!(last.message.is_some_and(|message| message.contains("refused")));
        until("a back-off in the metrics", || metric("headcount_service_up", 0)).await;

        server = Server::start(address, &directory).await;
        Client::connect(address).await.unwrap().produce(first + 100..=first + 199).await;
        until("every order", || known().len() == first as usize + 199).await;
        assert_eq!(consumer.state(), ServiceState::Running);
    }
    assert_eq!(known(), (1..=500).collect());
    let mut client = Client::connect(address).await.unwrap();
    let pending = async {
        while client.call(&["XPENDING", STREAM, "shop"]).await.unwrap()
            != Reply::List(vec![Reply::Number(0), Reply::Nothing, Reply::Nothing, Reply::Nothing])
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, pending).await.expect("every order is acknowledged");

    // The stop is no failure: the run is told, and ends as it should.
    let restarts = consumer.info().restarts;
    let report = hc.drain().await;
    assert_eq!((report.exit_code, report.ended.ok), (0, 1), "{report}");
    assert_eq!(consumer.ended().await, ServiceState::Stopped);
    assert_eq!((consumer.outcome(), consumer.info().restarts), (Some(Outcome::Ok), restarts));
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}
