//! Listening sockets: one per shard and server, all on the same port.

use super::Stream;
use glommio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Binds a socket that other shards may bind again (SO_REUSEPORT), and listens.
///
/// SO_REUSEADDR beside it, or connections in TIME_WAIT make the start-up probe refuse an ordinary restart.
/// Accepted sockets inherit TCP_NODELAY.
///
/// # Errors
/// The socket's.
pub fn bind(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A listening socket of this shard.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    descriptor: RawFd,
}

impl Listener {
    /// Takes a socket of [`bind`] into this shard.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        let descriptor = socket.into_raw_fd();
        // SAFETY: the descriptor was just given up by its owner, so the listener is its only one.
        let inner = unsafe { TcpListener::from_raw_fd(descriptor) };
        Self { inner, descriptor }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr().map_err(io::Error::from)
    }

    /// The next connection. Await it to the end: a connection that the kernel accepts for a dropped future is
    /// lost. [`Listener::close`] ends a pending one with an error.
    ///
    /// # Errors
    /// The socket's; EMFILE and its kin come back at once, so the caller has to pause.
    pub async fn accept(&self) -> io::Result<Stream> {
        Ok(Stream::new(self.inner.accept().await.map_err(io::Error::from)?))
    }

    /// Stops listening: connection attempts are refused from now on.
    pub fn close(&self) {
        // SAFETY: the descriptor is open as long as `self` lives.
        unsafe { libc::shutdown(self.descriptor.as_raw_fd(), libc::SHUT_RDWR) };
    }
}

/// As nginx: enough for a burst between two turns of a busy shard; the kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 1024;
