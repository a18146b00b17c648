//! A tunnel's server and client in one process, and an echo behind them that is asked 20 times.

mod common;

use std::net::{SocketAddr, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

async fn echo(address: SocketAddr) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    loop {
        let (mut socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = headcount::draining() => return Ok(()),
        };
        headcount::task("echo-connection").connection().spawn(async move {
            let (mut from, mut to) = socket.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<headcount::Report, Box<dyn std::error::Error>> {
    let headcount = headcount::Headcount::install()?;
    let (control, outside, inside) = (free()?, free()?, free()?);
    let config = format!(
        "[server]\nbind_addr = \"{control}\"\ndefault_token = \"t\"\n[server.services.echo]\nbind_addr = \"{outside}\"\n\
         [client]\nremote_addr = \"{control}\"\ndefault_token = \"t\"\n[client.services.echo]\nlocal_addr = \"{inside}\"\n"
    );
    let path = std::env::temp_dir().join(format!("rathole-{}.toml", std::process::id()));
    std::fs::write(&path, config)?;
    headcount::task("echo").spawn_fallible(echo(inside));
    let (stop, _) = broadcast::channel(1);
    for is_server in [true, false] {
        let mut arguments = rathole::Cli::default();
        arguments.config_path = Some(path.clone());
        (arguments.server, arguments.client) = (is_server, !is_server);
        let stopped = stop.subscribe();
        headcount::task(if is_server { "server" } else { "client" }).spawn(async move {
            let _ = rathole::run(arguments, stopped).await;
        });
    }
    for _ in 0..20 {
        for _ in 0..200 {
            let Ok(mut socket) = TcpStream::connect(outside).await else {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            };
            socket.write_all(b"ping").await?;
            if socket.read_exact(&mut [0; 4]).await.is_ok() {
                break;
            }
        }
    }
    headcount::task("stop").spawn(async move {
        headcount::draining().await;
        let _ = stop.send(true);
    });
    let report = common::until_stopped(&headcount).await;
    let _ = std::fs::remove_file(path);
    Ok(report)
}
