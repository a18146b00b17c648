//! Server-sent events and `WebSocket`s that end when the process stops: left alone, each would hold up the
//! shutdown until the deadline.
//!
//!     cargo run --example streams
//!     curl -N http://127.0.0.1:8000/events         then Ctrl-C in the first terminal
//!
//! The WebSocket is at `ws://127.0.0.1:8000/socket`.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};
use headcount::{Headcount, Report, TrackLayer};
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    // With the layer an open stream is a task: listed while it lives, named while it is waited for, cut at
    // the deadline.
    let app =
        Router::new().route("/events", get(events)).route("/socket", get(socket)).layer(TrackLayer::new());
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("http://127.0.0.1:8000/events");
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;
    Ok(hc.drain().await)
}

async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let numbers = stream::unfold(0_u64, |number| async move {
        sleep(Duration::from_secs(1)).await;
        Some((Ok(Event::default().data(number.to_string())), number + 1))
    });
    // A last event tells the client to come back, which the next process answers.
    let goodbye = stream::once(async { Ok(Event::default().event("goodbye").data("reconnect")) });
    Sse::new(numbers.take_until(headcount::draining()).chain(goodbye))
}

/// What follows the upgrade is no longer a request: it is a task of its own, which axum spawns where
/// headcount does not see it.
async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| headcount::task("socket").track(talk(socket))).into_response()
}

async fn talk(mut socket: WebSocket) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        let sent = tokio::select! {
            _ = ticks.tick() => socket.send(Message::text("tick")).await,
            () = headcount::draining() => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
                // The client may have gone first.
                let _ = socket.send(Message::Close(Some(goodbye))).await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
