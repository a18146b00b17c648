//! axum with HTTP/2 and a `WebSocket`, and no untracked task: connections and streams run on
//! `headcount::executor`, the upgraded socket is `track`ed.
//!
//!     cargo run --bin axum-service

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::{get, post};
use headcount::{Headcount, Report, TrackLayer};
use headcount_frameworks::{announce, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    let app = Router::new()
        .route("/orders/{id}", post(order))
        .route("/socket", get(socket))
        .layer(TrackLayer::new());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&listener)?;
    serve(listener, app).await;
    Ok(hc.drain().await)
}

async fn order() -> &'static str {
    headcount::task("send-receipt").spawn(async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    });
    "ordered"
}

/// axum spawns what follows an upgrade by itself; the future inside makes that task known.
async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| headcount::task("socket").track(talk(socket)))
}

async fn talk(mut socket: WebSocket) {
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    if socket.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            () = headcount::draining() => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
                let _ = socket.send(Message::Close(Some(goodbye))).await;
                return;
            }
        }
    }
}
