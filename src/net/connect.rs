//! Opening a connection without waiting longer than told.

use super::{Deadlines, Expired, Readiness, Stream};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Connects to `address`.
///
/// # Errors
/// The socket's, and `TimedOut` after `limit`.
pub async fn connect(
    address: SocketAddr,
    readiness: &Rc<Readiness>,
    deadlines: &Deadlines,
    limit: Duration,
) -> io::Result<Stream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    // On loopback the connection is often there when the call returns; the set says so as for any other.
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let stream = Stream::connecting(socket, readiness)?;
    match deadlines.within(limit, stream.connected()).await {
        Ok(connected) => connected.map(|()| stream),
        Err(Expired) => Err(io::ErrorKind::TimedOut.into()),
    }
}
