//! A client that takes in all it is told.

use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;

/// Reads updates until the server is gone, and prints a line after the first.
pub(crate) fn read_all(address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = InstrumentClient::connect(address.to_owned()).await.expect("it is served");
        let updates = client.watch_updates(InstrumentRequest {}).await.expect("it is answered");
        let mut updates = updates.into_inner();
        let mut is_told = false;
        while let Ok(Some(_)) = updates.message().await {
            if !std::mem::replace(&mut is_told, true) {
                println!("told");
            }
        }
    });
}
