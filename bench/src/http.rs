//! Reads a path over HTTP and says how many bytes its body had.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

/// One connection that is kept open, and opened again where the server closed it for being idle.
pub struct Client {
    address: SocketAddr,
    stream: Mutex<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: Mutex::new(connect(address)) }
    }

    /// The size of the body of `path`.
    ///
    /// # Panics
    ///
    /// If the answer is not 200 with a length, which is all that these scenarios ask for.
    pub fn get(&self, path: &str) -> usize {
        let mut stream = self.stream.lock().expect("no reader panics");
        let line = ask(&mut stream, path).unwrap_or_else(|_| {
            *stream = connect(self.address);
            ask(&mut stream, path).expect("a new connection is answered")
        });
        assert!(line.contains(" 200 "), "{line}");
        let length = content_length(&mut *stream);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("the whole body");
        length
    }
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a connected stream");
    BufReader::new(stream)
}

/// The status of an answer to a request on a connection of its own; `None` if there was none.
pub fn status_of(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = BufReader::new(TcpStream::connect(address).ok()?);
    write!(stream.get_mut(), "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    stream.read_to_end(&mut Vec::new()).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

/// Sends a request, and gives the status line of the answer.
fn ask(stream: &mut BufReader<TcpStream>, path: &str) -> io::Result<String> {
    write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut line = String::new();
    match stream.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

fn content_length(stream: &mut impl BufRead) -> usize {
    let mut line = String::new();
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a header line");
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    length.expect("a length")
}

/// The stream of server-sent events, as the dashboard follows it.
pub struct Events(Mutex<BufReader<TcpStream>>);

impl Events {
    /// Follows the stream at `path`.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn follow(address: SocketAddr, path: &str) -> Self {
        let mut stream = BufReader::new(TcpStream::connect(address).expect("the server listens"));
        // Of 1.0, so that the events come as they are, not in chunks.
        write!(stream.get_mut(), "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("the server reads");
        let mut line = String::new();
        stream.read_line(&mut line).expect("a status line");
        assert!(line.contains(" 200 "), "{line}");
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).expect("a header line");
        }
        Self(Mutex::new(stream))
    }

    /// Waits for the next event, and gives its size.
    pub fn next(&self) -> usize {
        let mut stream = self.0.lock().expect("no reader panics");
        let (mut line, mut size) = (String::new(), 0);
        loop {
            line.clear();
            let read = stream.read_line(&mut line).expect("the stream goes on");
            size += read;
            if line.trim().is_empty() && read < size {
                return size;
            }
            assert!(0 < read, "the stream ended");
        }
    }
}
