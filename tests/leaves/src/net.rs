//! Leaves of sockets, hyper, reqwest, tonic and tower. The peer is a listener that accepts and says nothing.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes};
use futures::FutureExt;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tower::{Service, ServiceExt};

use crate::{HOUR, Leaves, leaf};

async fn tcp_read(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 8]).await; // waits
}

async fn tcp_read_exact(mut stream: TcpStream) {
    let _ = stream.read_exact(&mut [0; 8]).await; // waits
}

async fn tcp_write(mut stream: TcpStream) {
    let many = vec![0; 64 << 20];
    let _ = stream.write_all(&many).await; // waits
}

async fn tcp_accept(listener: TcpListener) {
    let _ = listener.accept().await; // waits
}

async fn udp_recv(socket: UdpSocket) {
    let _ = socket.recv(&mut [0; 8]).await; // waits
}

async fn unix_read(mut stream: UnixStream) {
    let _ = stream.read(&mut [0; 8]).await; // waits
}

async fn duplex_read(mut stream: tokio::io::DuplexStream) {
    let _ = stream.read(&mut [0; 8]).await; // waits
}

async fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = tokio::io::copy(&mut from, &mut to).await; // waits
}

async fn hyper_client(peer: SocketAddr) {
    let stream = TcpStream::connect(peer).await.expect("the peer accepts");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("no handshake");
    tokio::spawn(connection);
    let request = http::Request::get("/").body(Empty::<Bytes>::new()).expect("a request");
    let _ = sender.send_request(request).await; // waits
}

async fn hyper_server(stream: TcpStream) {
    let service =
        hyper::service::service_fn(|_| pending::<Result<http::Response<Empty<Bytes>>, Infallible>>());
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.await; // waits
}

async fn reqwest_get(peer: SocketAddr) {
    let _ = reqwest::get(format!("http://{peer}/")).await; // waits
}

async fn tonic_unary(peer: SocketAddr) {
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{peer}")).expect("an address").connect_lazy();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("a lazy channel");
    let path = http::uri::PathAndQuery::from_static("/shop.Mail/Send");
    let _ = client.unary(tonic::Request::new(()), path, Nothing).await; // waits
}

async fn tower_buffer() {
    let never = tower::service_fn(|(): ()| tokio::time::sleep(HOUR).map(Ok::<_, Infallible>));
    let mut service = tower::buffer::Buffer::new(never, 1);
    let call = service.ready().await.expect("room").call(());
    let _ = call.await; // waits
}

async fn tower_limit() {
    let never = tower::service_fn(|(): ()| pending::<Result<(), Infallible>>());
    let mut service = tower::limit::ConcurrencyLimit::new(never, 1);
    let call = service.ready().await.expect("room").call(());
    let _ = service.ready().await; // waits
    drop(call);
}

/// A codec of nothing.
struct Nothing;

impl Codec for Nothing {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Nothing {
    type Item = ();
    type Error = tonic::Status;

    fn encode(&mut self, (): (), buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put_slice(&[]);
        Ok(())
    }
}

impl Decoder for Nothing {
    type Item = ();
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, tonic::Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}

/// A listener that accepts, keeps what it accepts, and says nothing.
pub(crate) async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            std::mem::forget(stream);
        }
    });
    address
}

pub(crate) async fn spawn(leaves: &mut Leaves) {
    let peer = silent().await;
    let connect = || async { TcpStream::connect(peer).await.expect("the peer accepts") };
    leaf!(leaves, tcp_read(connect().await), "read");
    leaf!(leaves, tcp_read_exact(connect().await), "read");
    leaf!(leaves, tcp_write(connect().await), "WriteAll");
    leaf!(leaves, tcp_accept(TcpListener::bind("127.0.0.1:0").await.expect("a port")), "TcpListener::accept");
    leaf!(leaves, udp_recv(UdpSocket::bind("127.0.0.1:0").await.expect("a port")), "UdpSocket::recv");
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    std::mem::forget(theirs);
    leaf!(leaves, unix_read(ours), "read");
    let (ours, theirs) = duplex(8);
    std::mem::forget(theirs);
    leaf!(leaves, duplex_read(ours), "read");
    leaf!(leaves, copy(connect().await, connect().await), "copy::copy");
    leaf!(leaves, hyper_client(peer), "");
    let served = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut client = TcpStream::connect(served.local_addr().expect("an address")).await.expect("it accepts");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
    let (stream, _) = served.accept().await.expect("a connection");
    std::mem::forget(client);
    leaf!(leaves, hyper_server(stream), "");
    leaf!(leaves, reqwest_get(peer), "reqwest::get");
    leaf!(leaves, tonic_unary(peer), "Grpc::unary");
    leaf!(leaves, tower_buffer(), "ResponseFuture");
    leaf!(leaves, tower_limit(), "Ready");
}
