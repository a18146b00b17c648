//! The calls of the console's protocol, and the streams that answer them.

use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use console_api::instrument::instrument_server::{Instrument, InstrumentServer};
use console_api::instrument::{
    InstrumentRequest, PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, State, StateRequest,
    TaskDetailsRequest, Update,
};
use console_api::tasks::TaskDetails;
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::publish::{Answer, Batch, Command, Publisher};
use super::wire::Hidden;
use crate::observer::Lines;

/// Commands that may wait to be obeyed.
const MAX_COMMANDS: usize = 16;
/// Calls that one connection may have open.
const MAX_CALLS: u32 = 32;
/// How often a client is asked whether it is still there, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Serves the registry until the process ends.
pub(super) async fn serve(listener: TcpListener, hidden: Hidden, lines: Lines) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
    tokio::spawn(Publisher::new(receiver, hidden, lines).run());
    serve_instrument(listener, InstrumentServer::new(Registry { commands })).await
}

/// Serves whatever answers the console's calls.
pub(super) async fn serve_instrument<T: Instrument>(
    listener: tokio::net::TcpListener,
    instrument: InstrumentServer<T>,
) -> std::io::Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(MAX_CALLS)
        .add_service(instrument)
        .serve_with_incoming(incoming)
        .await
        .map_err(std::io::Error::other)
}

/// Answers from the registry.
#[derive(Debug)]
struct Registry {
    commands: mpsc::Sender<Command>,
}

impl Registry {
    async fn command(&self, command: Command) -> Result<(), Status> {
        self.commands.send(command).await.map_err(|_| stopped())
    }

    async fn open<T>(&self, ask: impl FnOnce(Answer<T>) -> Command) -> Result<Response<Feed<T>>, Status> {
        let (answer, answered) = oneshot::channel();
        self.command(ask(answer)).await?;
        let receiver = answered.await.map_err(|_| stopped())??;
        Ok(Response::new(Feed { receiver, batch: Arc::new([]), next: 0 }))
    }
}

fn stopped() -> Status {
    Status::unavailable("the console has stopped")
}

#[tonic::async_trait]
impl Instrument for Registry {
    type WatchUpdatesStream = Feed<Update>;
    type WatchTaskDetailsStream = Feed<TaskDetails>;
    type WatchStateStream = Feed<State>;

    async fn watch_updates(
        &self,
        request: Request<InstrumentRequest>,
    ) -> Result<Response<Feed<Update>>, Status> {
        let peer = request.remote_addr();
        self.open(|answer| Command::Updates(peer, answer)).await
    }

    async fn watch_task_details(
        &self,
        request: Request<TaskDetailsRequest>,
    ) -> Result<Response<Feed<TaskDetails>>, Status> {
        let id = request.into_inner().id.ok_or_else(|| Status::invalid_argument("the id is missing"))?.id;
        self.open(|answer| Command::Details(id, answer)).await
    }

    async fn watch_state(&self, _: Request<StateRequest>) -> Result<Response<Feed<State>>, Status> {
        self.open(Command::State).await
    }

    async fn pause(&self, request: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        self.command(Command::Pause(request.remote_addr())).await?;
        Ok(Response::new(PauseResponse {}))
    }

    async fn resume(&self, _: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        self.command(Command::Resume).await?;
        Ok(Response::new(ResumeResponse {}))
    }
}

/// A stream of what the publisher sends in batches.
#[derive(Debug)]
pub(super) struct Feed<T> {
    receiver: mpsc::Receiver<Batch<T>>,
    batch: Batch<T>,
    next: usize,
}

impl<T: Clone> Stream for Feed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.batch.get(self.next).cloned() {
                self.next += 1;
                return Poll::Ready(Some(Ok(message)));
            }
            match std::task::ready!(self.receiver.poll_recv(context)) {
                Some(batch) => (self.batch, self.next) = (batch, 0),
                None => return Poll::Ready(None),
            }
        }
    }
}
