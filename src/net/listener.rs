//! Listening sockets: one per shard and server, all on the same port.

use super::Stream;
use super::readiness::{Readiness, Registration};
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::task::Poll;

/// Binds a socket that other shards may bind again (SO_REUSEPORT), and listens.
///
/// SO_REUSEADDR beside it, or connections in TIME_WAIT make the start-up probe refuse an ordinary restart.
/// Accepted sockets inherit TCP_NODELAY.
///
/// # Errors
/// The socket's.
pub fn bind(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
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
    registration: Registration,
    socket: Socket,
    readiness: Rc<Readiness>,
    is_closed: Cell<bool>,
}

impl Listener {
    /// Takes a socket of [`bind`] into this shard.
    ///
    /// # Errors
    /// When the kernel is out of memory or watches.
    pub fn new(socket: OwnedFd, readiness: &Rc<Readiness>) -> io::Result<Self> {
        let socket = Socket::from(socket);
        let registration = readiness.register(socket.as_raw_fd(), true)?;
        Ok(Self { registration, socket, readiness: Rc::clone(readiness), is_closed: Cell::new(false) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// The next connection; none once [`Listener::close`] was called.
    ///
    /// # Errors
    /// The socket's; EMFILE and its kin come back at once, so the caller has to pause.
    pub async fn accept(&self) -> io::Result<Option<Stream>> {
        poll_fn(|cx| {
            while self.registration.poll_readable(cx) {
                match self.socket.accept() {
                    Ok((socket, _)) => {
                        return Poll::Ready(Stream::accepted(socket, &self.readiness).map(Some));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.drained(),
                    // Reset while it waited; the next one may be fine.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(_) if self.is_closed.get() => return Poll::Ready(Ok(None)),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            if self.is_closed.get() { Poll::Ready(Ok(None)) } else { Poll::Pending }
        })
        .await
    }

    /// Stops listening: connection attempts are refused from now on, and the kernel resets those not accepted yet.
    pub fn close(&self) {
        self.is_closed.set(true);
        // Raises an event that ends a pending `accept`.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// As nginx: enough for a burst between two turns of a busy shard; the kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 1024;
