//! A client that reads all updates.

use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{InstrumentRequest, TaskDetailsRequest, Update};

/// Reads updates until the server is gone, and prints a line after the first. With `looks`, it looks at the
/// first task of it in detail.
pub(crate) fn read_all(address: &str, looks: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = InstrumentClient::connect(address.to_owned()).await.expect("it is served");
        let updates = client.watch_updates(InstrumentRequest {}).await.expect("it is answered");
        let mut updates = updates.into_inner();
        let first = updates.message().await.expect("it goes on").expect("there is something to tell");
        if looks {
            let request = TaskDetailsRequest { id: Some(first_task(first).expect("there is a task").into()) };
            let details = client.watch_task_details(request).await.expect("it is answered");
            let mut details = details.into_inner();
            details.message().await.expect("it goes on");
            tokio::spawn(async move { while let Ok(Some(_)) = details.message().await {} });
        }
        println!("updated");
        while let Ok(Some(_)) = updates.message().await {}
    });
}

fn first_task(update: Update) -> Option<u64> {
    Some(update.task_update?.new_tasks.first()?.id?.id)
}
