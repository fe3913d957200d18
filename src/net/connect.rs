//! Opening a connection without waiting longer than told.

use super::{Deadlines, Expired, Stream};
use glommio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::time::Duration;

/// Connects to `address`.
///
/// The socket is non-blocking from the start: on loopback and fast networks the connection is often there when
/// the call returns, and otherwise the wait is for writability, which can be given up at any time (a connect
/// operation of the ring could not).
///
/// # Errors
/// The socket's, and `TimedOut` after `limit`.
pub async fn connect(address: SocketAddr, deadlines: &Deadlines, limit: Duration) -> io::Result<Stream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    let connecting = match socket.connect(&address.into()) {
        Ok(()) => false,
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => true,
        Err(error) => return Err(error),
    };
    // SAFETY: the descriptor was just given up by `socket`, so the stream is its only owner.
    let stream = Stream::new(unsafe { TcpStream::from_raw_fd(socket.into_raw_fd()) });
    if connecting {
        match deadlines.within(limit, stream.writable()).await {
            Ok(connected) => connected?,
            Err(Expired) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    Ok(stream)
}
