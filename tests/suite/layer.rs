//! How a request under the tower layer ends, over a real connection.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get as on_get};
use futures_util::{StreamExt, stream};
use headcount::TrackLayer;
use headcount::snapshot::{Outcome, OutcomeCounts};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use crate::support::http::{send, try_send};
use crate::support::wait::until_yielding;

fn chunks(headers: &[(header::HeaderName, &str)]) -> Response {
    // A stream that does not end by itself: a server that knows the length does not wait for that.
    let chunks = stream::iter(["five ", "words"]).map(|text| Ok::<_, std::io::Error>(Bytes::from(text)));
    let body = Body::from_stream(chunks.chain(stream::pending()));
    let response =
        headers.iter().fold(Response::builder(), |response, (name, value)| response.header(name, *value));
    response.body(body).unwrap()
}

async fn serve() -> SocketAddr {
    let app = Router::new()
        .route("/text", on_get(|| async { "hello" }))
        .route("/empty", on_get(|| async {}))
        .route("/known", any(|| async { chunks(&[(header::CONTENT_LENGTH, "10")]) }))
        .route(
            "/chunked",
            on_get(|| async {
                Body::from_stream(
                    stream::iter(["a", "b"]).map(|text| Ok::<_, std::io::Error>(Bytes::from(text))),
                )
            }),
        )
        .route(
            "/no-content",
            on_get(|| async {
                (
                    StatusCode::NO_CONTENT,
                    Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
                )
            }),
        )
        .route(
            "/not-modified",
            on_get(|| async {
                (
                    StatusCode::NOT_MODIFIED,
                    Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
                )
            }),
        )
        .route("/broken", on_get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "broken") }))
        .route("/unavailable", on_get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/missing", on_get(|| async { StatusCode::NOT_FOUND }))
        .route("/endless", on_get(|| async { chunks(&[]) }))
        .layer(TrackLayer::new());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// How the requests of a route ended, once as many have.
async fn ended(route: &str, many: u64) -> OutcomeCounts {
    until_yielding(|| {
        let snapshot = headcount::snapshot();
        let group = snapshot.groups.into_iter().find(|group| &*group.name == route);
        group.filter(|group| many <= group.finished.total()).map(|group| group.finished).ok_or(route)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_ends_with_what_its_server_sends() {
    own_process!();
    let address = serve().await;
    let routes = ["/text", "/empty", "/known", "/chunked", "/no-content", "/not-modified", "/missing"];
    for route in routes {
        let head =
            tokio::task::spawn_blocking(move || send(address, "HEAD", route, &[("Connection", "close")], ""));
        head.await.unwrap();
        let get = tokio::task::spawn_blocking(move || send(address, "GET", route, &[], ""));
        get.await.unwrap();
        let ended = ended(route, 2).await;
        assert_eq!((ended.ok, ended.total()), (2, 2), "{route}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_of_5xx_is_an_error_and_a_client_that_leaves_cancels() {
    own_process!();
    let address = serve().await;
    for route in ["/broken", "/unavailable"] {
        tokio::task::spawn_blocking(move || send(address, "GET", route, &[], "")).await.unwrap();
        let ended = ended(route, 1).await;
        assert_eq!((ended.get(Outcome::Error), ended.total()), (1, 1), "{route}: {ended:?}");
    }
    let broken = headcount::snapshot().groups.into_iter().find(|group| &*group.name == "/broken").unwrap();
    assert_eq!(broken.last_failure.unwrap().message.as_deref(), Some("500 Internal Server Error"));

    tokio::task::spawn_blocking(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut &stream, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        std::io::Read::read_exact(&mut &stream, &mut [0; 64]).unwrap();
    })
    .await
    .unwrap();
    let ended = ended("/endless", 1).await;
    assert_eq!((ended.cancelled, ended.total()), (1, 1), "{ended:?}");
    let _ = try_send;
}

/// A layer has one location, and a name for each of its routes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_may_have_many_routes() {
    own_process!();
    let mut app = Router::new();
    for number in 0..40 {
        app = app.route(&format!("/route-{number}/{{id}}"), on_get(|| async { "hello" }));
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.layer(TrackLayer::new());
    tokio::spawn(async move { axum::serve(listener, app).await });
    for number in 0..40 {
        let path = format!("/route-{number}/7");
        tokio::task::spawn_blocking(move || send(address, "GET", &path, &[], "").expect(200)).await.unwrap();
    }
    for number in 0..40 {
        assert_eq!(ended(&format!("/route-{number}/{{id}}"), 1).await.ok, 1);
    }
    assert_eq!(headcount::snapshot().groups_overflowed, 0);
}

/// A route that another version of axum matched is a type unknown here: one line says what to do.
#[test]
fn answers_without_a_route_are_warned_of_once() {
    own_process!();
    let (lines, _guard) = crate::support::lines::Lines::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let service = tower::service_fn(|request: axum::http::Request<Body>| async move {
            let status = if request.uri().path() == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
            Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(Body::empty()).unwrap())
        });
        let ask = |layer: &TrackLayer, path: &str| {
            use tower::{Layer, ServiceExt};
            let request = axum::http::Request::builder().uri(path).body(Body::empty()).unwrap();
            layer.layer(service).oneshot(request)
        };
        let layer = TrackLayer::new();
        ask(&layer, "/missing").await.unwrap();
        assert_eq!(lines.take().len(), 0, "nothing to match");
        ask(&layer, "/").await.unwrap();
        ask(&layer, "/").await.unwrap();
        let [line] = &lines.take()[..] else { panic!("one line") };
        assert!(line.contains("WARN") && line.contains("name_with"), "{line}");
        ask(&TrackLayer::new().name_with(|_| "named"), "/").await.unwrap();
        assert_eq!(lines.take().len(), 0);
    });
}

/// They come behind the last byte.
#[tokio::test]
async fn what_trailers_say_counts_behind_a_body_of_known_length() {
    own_process!();
    let answer = || async {
        let trailers = async {
            let mut trailers = header::HeaderMap::new();
            trailers.insert("grpc-status", "13".parse().unwrap());
            Some(Ok(trailers))
        };
        let body = Full::new(Bytes::from("part")).with_trailers(trailers);
        Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
    };
    let mut app: Router = Router::new().route("/call", on_get(answer)).layer(TrackLayer::new());
    let response = app.call(Request::get("/call").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "part");
    let finished = headcount::snapshot().finished;
    assert_eq!((finished.ok, finished.error), (0, 1));
}
