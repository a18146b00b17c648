//! A pool whose connections are numbers, used by 20 tasks.

mod common;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

struct Numbers(AtomicU32);

impl bb8::ManageConnection for Numbers {
    type Connection = u32;
    type Error = Infallible;

    async fn connect(&self) -> Result<u32, Infallible> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed))
    }

    async fn is_valid(&self, _: &mut u32) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

#[tokio::main]
async fn main() -> Result<headcount::Report, Box<dyn std::error::Error>> {
    let headcount = headcount::Headcount::install()?;
    let pool = bb8::Pool::builder().max_size(4).min_idle(2).build(Numbers(AtomicU32::new(0))).await?;
    for _ in 0..20 {
        let pool = pool.clone();
        headcount::task("query").spawn(async move {
            let _connection = pool.get().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    Ok(common::until_stopped(&headcount).await)
}
