//! A command-line program: it ends when its tasks have ended, and Ctrl-C names those that have not.
//!
//!     cargo run --example command_line README.md LICENSE-MIT missing
//!
//! It counts lines. `--slow` takes a minute for each file, so that there is time for Ctrl-C.

use std::process::ExitCode;
use std::time::Duration;

use headcount::Headcount;

#[tokio::main]
async fn main() -> Result<ExitCode, headcount::Error> {
    // The log is for people, and what is counted goes to standard output.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();
    // No admin server: nothing listens while a program runs that ends by itself.
    let hc = Headcount::builder().admin(None).drain_timeout(Duration::from_secs(1)).install()?;
    let (options, paths): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word == "--slow");
    for path in paths {
        let (name, is_slow) = (path.clone(), !options.is_empty());
        headcount::task("count").field("path", name).spawn_fallible(count(path, is_slow));
    }
    tokio::select! {
        // Tasks that tasks have spawned are waited for as well, which a list of handles would miss.
        () = headcount::idle() => {}
        () = hc.draining() => return Ok(hc.drain().await.exit_code.into()),
    }
    let failed = headcount::snapshot().finished.error;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn count(path: String, is_slow: bool) -> std::io::Result<()> {
    let text = tokio::fs::read_to_string(&path).await?;
    if is_slow {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    println!("{:6} {path}", text.lines().count());
    Ok(())
}
