//! `console-subscriber`, for builds with `--cfg tokio_unstable`: made with the layer, served by install.

use std::net::TcpListener;
use std::time::Duration;

use console_subscriber::{ConsoleLayer, Server, ServerParts};
use parking_lot::Mutex;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Metadata, Subscriber, dispatcher, warn};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer};

use super::{announce, server};
use crate::observer::Worker;

/// How long finished tasks are kept. Its own default is an hour, in which short tasks fill the memory.
const RETENTION: Duration = Duration::from_secs(6);

/// What serves the layer that was made last, until install takes it.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

pub(super) fn layer<S>() -> impl layer::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (layer, server) = ConsoleLayer::builder().retention(RETENTION).build();
    *SERVER.lock() = Some(server);
    layer.with_filter(FilterFn::new(concerns_console))
}

/// Whether this is what tokio reports about its tasks, resources and wakers.
fn concerns_console(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target.starts_with("tokio") || target.starts_with("runtime") || metadata.name().starts_with("runtime.")
}

/// Serves the layer, or gives the listener back if it is not in place.
///
/// On a thread without a subscriber, since it works through each poll of each task and must not see itself.
pub(super) fn start(listener: TcpListener, worker: &Worker) -> Option<TcpListener> {
    let Some(server) = SERVER.lock().take().filter(|_| is_in_place()) else {
        warn!(
            target: "headcount",
            "`console` is set, and `headcount::console::layer()` is not among the layers of the subscriber: add it before `install()`"
        );
        return Some(listener);
    };
    if let Ok(address) = listener.local_addr() {
        let why =
            "this build has `--cfg tokio_unstable` and `headcount::console::layer()` is among the layers";
        announce(address, "console-subscriber", why);
    }
    // Spawned without it too: a task that it knows, and whose wakers it never sees, is one that lost them.
    let none = Dispatch::new(NoSubscriber::new());
    dispatcher::with_default(&none, || worker.spawn(serve(listener, server).with_subscriber(none.clone())));
    None
}

/// Warns if the setting is missing, since the layer then collects data that no client can read.
pub(super) fn warn_if_unused() {
    if SERVER.lock().is_some() {
        warn!(
            target: "headcount",
            "`headcount::console::layer()` is among the layers, and the setting `console` is not there: no client can attach"
        );
    }
}

fn is_in_place() -> bool {
    dispatcher::get_default(Dispatch::is::<ConsoleLayer>)
}

async fn serve(listener: TcpListener, server: Server) {
    let ServerParts { instrument_server, aggregator, .. } = server.into_parts();
    tokio::spawn(aggregator.run().with_subscriber(NoSubscriber::new()));
    // Nothing is logged here, because there is no subscriber. The client sees that it is disconnected.
    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
        let _ = server::serve_instrument(listener, instrument_server).await;
    }
}
