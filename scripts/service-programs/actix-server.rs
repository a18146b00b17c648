//! An echo service on two workers, with five connections, one of which stays open.

mod common;

use std::io::{Read, Write};
use std::process::ExitCode;

use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::fn_service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    actix_rt::System::new().block_on(run())
}

async fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let headcount = headcount::Headcount::install()?;
    let free = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let echo = || {
        fn_service(|mut stream: TcpStream| async move {
            let mut text = [0; 4];
            while stream.read_exact(&mut text).await.is_ok() {
                stream.write_all(&text).await?;
            }
            Ok::<_, std::io::Error>(())
        })
    };
    let server = Server::build().workers(2).disable_signals().shutdown_timeout(1).bind("echo", free, echo)?.run();
    let handle = server.handle();
    let serving = actix_rt::spawn(server);
    let open = tokio::task::spawn_blocking(move || {
        let ask = |_| {
            let mut stream = std::net::TcpStream::connect(free)?;
            stream.write_all(b"ping")?;
            stream.read_exact(&mut [0; 4])?;
            Ok::<_, std::io::Error>(stream)
        };
        (0..5).map(ask).last()
    });
    let open = open.await?;
    // The workers are tasks themselves, so the server is stopped while the shutdown waits for them.
    headcount::task("stop").spawn_local(async move {
        headcount::draining().await;
        handle.stop(true).await;
    });
    let report = common::until_stopped(&headcount).await;
    serving.await??;
    drop(open);
    Ok(report.exit_code.into())
}
