//! How many clients there may be: in a process of its own, since all of a process count.

use crate::support::console::{Console, client};
use console_api::instrument::{InstrumentRequest, TaskDetailsRequest};
use console_api::tasks::Task;
use tonic::Code;

#[tokio::test]
async fn the_ninth_client_is_refused() {
    own_process!();
    let mut consoles = Vec::new();
    for _ in 0..8 {
        consoles.push(Console::attach().await);
    }
    let refused = client().await.watch_updates(InstrumentRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let handles: Vec<_> =
        (0..9).map(|_| headcount::task("looked-at").spawn(std::future::pending::<()>())).collect();
    consoles[0].next().await;
    while consoles[0].named("looked-at").len() < handles.len() {
        consoles[0].next().await;
    }
    let tasks = consoles[0].named("looked-at");
    let (task, _) = &tasks[0];
    let mut details = Vec::new();
    for console in &mut consoles {
        details.push(console.details(task).await);
    }
    assert_eq!(refusal(task).await, Some(Code::ResourceExhausted), "of one task, eight may be told");

    for (task, _) in &tasks[1..8] {
        details.push(consoles[0].details(task).await);
    }
    let (ninth, _) = &tasks[8];
    assert_eq!(refusal(ninth).await, Some(Code::ResourceExhausted), "eight tasks may be looked at");
    details.pop();
    while let Some(code) = refusal(ninth).await {
        assert_eq!(code, Code::ResourceExhausted);
        consoles[0].next().await;
    }

    // A client that leaves makes room for another.
    consoles.pop();
    while let Err(refused) = client().await.watch_updates(InstrumentRequest {}).await {
        assert_eq!(refused.code(), Code::ResourceExhausted);
        consoles[0].next().await;
    }
    handles.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Why details of a task are refused, if they are.
async fn refusal(task: &Task) -> Option<Code> {
    let request = TaskDetailsRequest { id: task.id };
    client().await.watch_task_details(request).await.err().map(|refused| refused.code())
}
