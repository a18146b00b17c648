//! The socket of the service manager: a datagram for each notification.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// It never blocks.
#[derive(Debug)]
pub(super) struct Socket {
    datagrams: UnixDatagram,
    manager: SocketAddr,
}

impl Socket {
    /// The socket of this name, as `NOTIFY_SOCKET` has it.
    pub(super) fn open(name: &OsStr) -> io::Result<Self> {
        let manager = address(name)?;
        let datagrams = UnixDatagram::unbound()?;
        datagrams.set_nonblocking(true)?;
        Ok(Self { datagrams, manager })
    }

    /// Sends one datagram, or fails at once.
    pub(super) fn send(&self, text: &str) -> io::Result<()> {
        self.datagrams.send_to_addr(text.as_bytes(), &self.manager).map(drop)
    }
}

/// A path, or behind `@` a name that no file system holds.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(Path::new(name)),
        [b'@', rest @ ..] if !rest.is_empty() => unnamed(rest),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a path, or a name behind `@`")),
    }
}

#[cfg(target_os = "linux")]
fn unnamed(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has sockets without a path"))
}
