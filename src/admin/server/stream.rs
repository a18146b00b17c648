//! A client's stream. It notes when a write waits, fails when the client does not read, and answers HTTP/2.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connections::Activity;

/// What a client sends that takes this for a server of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// SETTINGS, then GOAWAY with `HTTP_1_1_REQUIRED` and a text: the client may come again with HTTP/1.1.
const ANSWER: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x28\x07\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x0d\
    this server speaks HTTP/1.1 only";

/// A stream whose writes fail once not a byte of them went for as long as the limit.
#[derive(Debug)]
pub(super) struct ClientStream<S> {
    stream: S,
    limit: Duration,
    activity: Arc<Activity>,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// How much of the preface has come; `None` once something else has.
    preface: Option<usize>,
}

impl<S: Unpin> ClientStream<S> {
    pub(super) fn new(stream: S, limit: Duration, activity: Arc<Activity>) -> Self {
        Self { stream, limit, activity, waiting: None, preface: Some(0) }
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.activity.wrote();
            }
            return written;
        }
        self.activity.wait();
        let limit = self.limit;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }

    /// Takes in what was read; true once that is the whole preface.
    fn is_preface(&mut self, read: &[u8]) -> bool {
        let Some(seen) = self.preface else { return false };
        let expected = &PREFACE[seen..PREFACE.len().min(seen + read.len())];
        self.preface = read.starts_with(expected).then_some(seen + expected.len());
        self.preface == Some(PREFACE.len())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.is_preface(&buffer.filled()[before..]) {
            // It fits: nothing has been written before. To the server above, the client has nothing to ask.
            buffer.set_filled(before);
            let _ = Pin::new(&mut self.stream).poll_write(context, ANSWER);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (server, _client) = duplex(16);
        let mut server = ClientStream::new(server, LIMIT, Activity::new());
        let began = Instant::now();
        let problem = server.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((problem.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_not() {
        let (server, mut client) = duplex(16);
        let mut server = ClientStream::new(server, LIMIT, Activity::new());
        let reading = async {
            let mut byte = [0];
            for _ in 0..64 {
                sleep(LIMIT.mul_f64(0.9)).await;
                client.read_exact(&mut byte).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&[0; 64]), reading);
        written.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_speaks_http_2_is_answered() {
        let (server, mut client) = duplex(256);
        let mut server = ClientStream::new(server, LIMIT, Activity::new());
        let (first, rest) = PREFACE.split_at(5);
        client.write_all(first).await.unwrap();
        let mut read = [0; 64];
        assert_eq!(server.read(&mut read).await.unwrap(), 5);
        client.write_all(rest).await.unwrap();
        assert_eq!(server.read(&mut read).await.unwrap(), 0);
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, ANSWER);
        let length = usize::from(ANSWER[11]);
        assert_eq!(ANSWER.len(), 9 + 9 + length);
    }
}
