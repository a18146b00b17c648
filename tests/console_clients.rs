//! How many clients there may be: in a process of its own, since all of a process count.
#![cfg(all(feature = "console", not(tokio_unstable)))]
#![allow(clippy::unwrap_used)]

#[path = "support/console.rs"]
mod support;

use console_api::instrument::{InstrumentRequest, TaskDetailsRequest};
use support::{Console, client};
use tonic::Code;

#[tokio::test]
async fn the_ninth_client_is_refused() {
    let mut consoles = Vec::new();
    for _ in 0..8 {
        consoles.push(Console::attach().await);
    }
    let refused = client().await.watch_updates(InstrumentRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let handle = headcount::task("looked-at").spawn(std::future::pending::<()>());
    let (task, _) = consoles[0].until("looked-at", |_| true).await;
    let mut details = Vec::new();
    for console in &mut consoles {
        details.push(console.details(&task).await);
    }
    let again = TaskDetailsRequest { id: task.id };
    let refused = client().await.watch_task_details(again).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    handle.abort();
}
