//! How much is measured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where admin servers listen: whatever port is free.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How much is measured: all of it, or a look of about a minute.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Fewer rounds of fewer tasks.
    pub quick: bool,
}

impl Settings {
    /// Rounds of each scenario; the median is taken over these.
    pub fn rounds(self) -> usize {
        if self.quick { 3 } else { 15 }
    }

    /// `full`, or a tenth of it for a quick look.
    pub fn scaled(self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }
}
