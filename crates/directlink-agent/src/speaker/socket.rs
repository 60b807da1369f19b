//! The two kinds of sockets that a session has, made inside its namespace.

use super::{SessionConfig, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
};

/// What of a session its sockets depend on.
#[derive(Clone, Debug)]
pub(super) struct SocketConfig {
    local: IpAddr,
    peer: IpAddr,
    key: Option<directlink_net::BgpKey>,
    ttl_security: bool,
}

impl From<&SessionConfig> for SocketConfig {
    fn from(config: &SessionConfig) -> Self {
        Self {
            local: config.local_addr,
            peer: config.peer_addr,
            key: config.key.clone(),
            ttl_security: config.ttl_security,
        }
    }
}

impl SocketConfig {
    /// Where the peer listens.
    pub(super) const fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer, PORT)
    }

    /// Accepts at our own address only.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = self.open(PORT)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    /// Bound to our own address and to no port, not yet connected.
    pub(super) fn for_dialling(&self) -> io::Result<TcpStream> {
        Ok(self.open(0)?.into())
    }

    fn open(&self, port: u16) -> io::Result<Socket> {
        let own = SocketAddr::new(self.local, port);
        let socket = Socket::new(Domain::for_address(own), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Connections of the last session may still be in TIME_WAIT.
        socket.set_reuse_address(port != 0)?;
        socket.set_tcp_nodelay(true)?;
        // RFC 5082 wants 255 to be sent; otherwise one hop is all that a packet of ours needs.
        let ttl = if self.ttl_security { u8::MAX } else { 1 };
        match self.local {
            IpAddr::V4(_) => {
                socket.set_ttl_v4(ttl.into())?;
                socket.set_tos_v4(CS6)?;
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                socket.set_unicast_hops_v6(ttl.into())?;
                socket.set_tclass_v6(CS6)?;
            }
        }
        if self.ttl_security {
            sockopt::set_min_ttl(&socket, self.local, u8::MAX)?;
        }
        if let Some(key) = &self.key {
            sockopt::set_key(&socket, self.peer, Some(key))?;
        }
        socket.bind(&SockAddr::from(own))?;
        Ok(socket)
    }
}

/// RFC 4271 §8.
const PORT: u16 = 179;

/// Only one peer dials, and seldom more than once at a time.
const BACKLOG: i32 = 8;

/// DSCP class selector 6 (RFC 4594 §3.1: routing protocols), as it stands in the TOS octet.
pub(super) const CS6: u32 = 48 << 2;
