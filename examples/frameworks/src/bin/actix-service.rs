//! actix-web, whose workers are threads with a runtime and a `LocalSet` each: requests and what they leave
//! behind are tasks, and every runtime is watched.
//!
//!     cargo run --bin actix-service

use std::process::ExitCode;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::{App, HttpServer, web};
use headcount::{Headcount, task};

#[actix_web::main]
async fn main() -> std::io::Result<ExitCode> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install().map_err(std::io::Error::other)?;
    let app = || {
        App::new()
            // Requests by their route, as the tower layer does it elsewhere.
            .wrap_fn(|request, service| {
                let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
                task(route).field("path", request.path()).track(service.call(request))
            })
            .route("/orders/{id}", web::post().to(order))
            .route("/slow", web::get().to(slow))
    };
    // headcount hears the signals, and the server is stopped below.
    let server = HttpServer::new(app).workers(2).disable_signals().bind(("127.0.0.1", 0))?;
    println!("http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    hc.draining().await;
    // In this order: a worker that ends drops what runs on it.
    handle.pause().await;
    let report = hc.drain().await;
    handle.stop(true).await;
    serving.await.map_err(std::io::Error::other)??;
    Ok(report.exit_code.into())
}

async fn order() -> &'static str {
    // On this worker, since it need not be `Send`; `headcount::spawn` works as well.
    task("send-receipt").spawn_local(async { tokio::time::sleep(Duration::from_secs(3)).await });
    "ordered"
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(5)).await;
    "at last"
}
