//! hyper's servers and clients on [`headcount::executor`]: connections, HTTP/2 streams and upgrades are
//! tasks, and nothing remains untracked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use headcount::snapshot::{GroupInfo, TaskQuery, tasks};
use headcount::{Headcount, OnShutdown, executor, task};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::wait::until_yielding;

type Answer = Response<Full<Bytes>>;

async fn answer(mut request: Request<Incoming>) -> Result<Answer, Infallible> {
    let upgrade = hyper::upgrade::on(&mut request);
    let is_connect = request.method() == Method::CONNECT;
    if is_connect || request.headers().contains_key("upgrade") {
        task("upgraded").connection().spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut text = [0; 4];
            while io.read_exact(&mut text).await.is_ok() {
                io.write_all(&text).await.unwrap();
            }
        });
        let status = if is_connect { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
        let response =
            Response::builder().status(status).header("upgrade", "echo").header("connection", "upgrade");
        let response = if is_connect { Response::builder().status(status) } else { response };
        return Ok(response.body(Full::default()).unwrap());
    }
    if request.uri().path() == "/slow" {
        headcount::draining().await;
    }
    Ok(Response::new(Full::new("hello".into())))
}

/// A server of both versions of HTTP.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async move {
        let server = auto::Builder::new(executor("stream"));
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let io = TokioIo::new(socket);
            let connection = server.serve_connection_with_upgrades(io, service_fn(answer)).into_owned();
            task("connection").connection().spawn(connection);
        }
    };
    task("accept").on_shutdown(OnShutdown::Cancel).spawn(accept);
    address
}

fn group(name: &str) -> Option<GroupInfo> {
    headcount::snapshot().groups.into_iter().find(|group| &*group.name == name)
}

fn live(name: &str) -> u64 {
    group(name).map_or(0, |group| group.live)
}

#[track_caller]
fn install(connection_grace: Duration) -> Headcount {
    Headcount::builder()
        .ignore_env()
        .admin(None)
        .signals(false)
        .connection_grace(connection_grace)
        .install()
        .unwrap()
}

const BRIEF: Duration = Duration::from_millis(200);

/// Waits until no task of the runtime is unknown, and so many of the name live.
async fn settled(hc: &Headcount, name: &str, many: u64) {
    until_yielding(|| {
        let metrics = hc.render_metrics();
        let untracked = metrics.lines().find_map(|line| line.strip_prefix("headcount_tasks_untracked "));
        let seen = (untracked.map(str::to_owned), live(name));
        if seen == (Some("0".to_owned()), many) { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn streams_of_http2_are_tasks_and_a_stop_waits_for_them() {
    own_process!();
    // The streams have their answers before it.
    let hc = install(Duration::from_secs(4));
    let address = serve().await;
    let connections = task("client").connection().executor();
    let client: Client<_, Empty<Bytes>> = Client::builder(connections).http2_only(true).build_http();
    let get = |path: &str| {
        let (client, uri) = (client.clone(), format!("http://{address}{path}").parse().unwrap());
        async move {
            let response = client.get(uri).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            response.into_body().collect().await.unwrap().to_bytes()
        }
    };
    assert_eq!(get("/").await, "hello");
    settled(&hc, "connection", 1).await;
    let slow: Vec<_> = (0..3).map(|_| task("caller").spawn(get("/slow"))).collect();
    settled(&hc, "stream", 3).await;
    let page = tasks(&TaskQuery::default().name("stream")).unwrap();
    assert!(page.items.iter().all(|stream| stream.location.contains("tests/suite/executor.rs")), "{page:?}");
    assert!(0 < live("client"));
    let report = hc.drain().await;
    for answer in slow {
        assert_eq!(answer.await.unwrap(), "hello");
    }
    assert_eq!((report.exit_code, report.abandoned_total), (0, 0), "{report}");
    settled(&hc, "stream", 0).await;
    assert_eq!(group("stream").unwrap().finished.ok, 4);
}

#[tokio::test]
async fn an_upgrade_of_http1_is_a_task() {
    own_process!();
    let hc = install(BRIEF);
    let mut socket = TcpStream::connect(serve().await).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    socket.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");
    settled(&hc, "upgraded", 1).await;
    let report = hc.drain().await;
    assert_eq!(report.exit_code, 0, "{report}");
    settled(&hc, "upgraded", 0).await;
    assert_eq!(group("upgraded").unwrap().finished.cancelled, 1, "a connection's grace is over");
}

/// hyper gives its executor one more task for each upgraded stream.
#[tokio::test]
async fn an_upgrade_of_http2_is_a_task() {
    own_process!();
    let hc = install(BRIEF);
    let socket = TcpStream::connect(serve().await).await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(executor("client"));
    let (mut client, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(socket)).await.unwrap();
    task("client-connection").connection().spawn(connection);
    let request = Request::connect("localhost:7").body(Empty::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    io.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    io.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"ping");
    settled(&hc, "upgraded", 1).await;
    assert!(0 < live("stream"), "the server's side of the upgraded stream");
    assert!(0 < live("client"), "the client's");
    drop((io, client));
    let report = hc.drain().await;
    assert_eq!(report.exit_code, 0, "{report}");
    settled(&hc, "upgraded", 0).await;
}

#[tokio::test]
async fn an_executor_without_a_name_names_tasks_after_their_code() {
    own_process!();
    async fn work() {
        tokio::task::yield_now().await;
    }
    executor("").spawn(work()).await.unwrap();
    executor("named").spawn(work()).await.unwrap();
    let labelled = task("labelled").label("side", "client").executor();
    labelled.clone().spawn(work()).await.unwrap();
    labelled.spawn(work()).await.unwrap();
    let names: Vec<_> =
        headcount::snapshot().groups.iter().map(|group| (group.name.to_string(), group.spawned)).collect();
    let work = "suite::executor::an_executor_without_a_name_names_tasks_after_their_code::work";
    assert_eq!(names, [(work.to_owned(), 1), ("named".to_owned(), 1), ("labelled".to_owned(), 2)]);
}
