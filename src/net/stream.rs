//! One connected socket, readable and writable at the same time by shared reference.
//!
//! Bytes move by bare system calls: libc's functions are points where a thread can be cancelled, and say so with
//! two locked instructions each.

use super::readiness::{Readiness, Registration};
use super::{Buffers, ReadBuffer};
use socket2::{SockRef, Socket};
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A connected TCP socket of this shard. Dropping it ends the connection at once.
#[derive(Debug)]
pub struct Stream {
    // Before the socket, so that it is dropped first.
    registration: Registration,
    socket: Socket,
}

impl Stream {
    /// A connection that was accepted, on which the peer may have spoken already.
    pub(super) fn accepted(socket: Socket, readiness: &Rc<Readiness>) -> io::Result<Self> {
        let registration = readiness.register(socket.as_raw_fd(), true)?;
        registration.assume_writable();
        Ok(Self { registration, socket })
    }

    /// A connection that is being made; [`Stream::connected`] tells when it is.
    pub(super) fn connecting(socket: Socket, readiness: &Rc<Readiness>) -> io::Result<Self> {
        let registration = readiness.register(socket.as_raw_fd(), false)?;
        Ok(Self { registration, socket })
    }

    /// Waits until the connection is made.
    pub(super) async fn connected(&self) -> io::Result<()> {
        poll_fn(|cx| if self.registration.poll_writable(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.socket.take_error()?.map_or(Ok(()), Err)
    }

    /// Reads into `into`, whose unread bytes stay below `limit`. Zero bytes read is the peer's end.
    ///
    /// While nothing has come, an empty `into` holds no memory.
    ///
    /// # Errors
    /// The socket's, and `OutOfMemory` when `limit` bytes are unread already.
    pub fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuffer,
        buffers: &Buffers,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        if !self.registration.poll_readable(cx) {
            into.release(buffers);
            return Poll::Pending;
        }
        let space = into.space(buffers, limit);
        if space.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        match self.receive(space) {
            Ok(count) => {
                if count < space.len() {
                    self.registration.drained();
                }
                into.filled(count);
                Poll::Ready(Ok(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.registration.drained();
                self.poll_fill(cx, into, buffers, limit)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// [`Stream::poll_fill`] as a future.
    ///
    /// # Errors
    /// As there.
    pub async fn fill(&self, into: &mut ReadBuffer, buffers: &Buffers, limit: usize) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, into, buffers, limit)).await
    }

    /// Writes a part of `bytes`.
    ///
    /// # Errors
    /// The socket's.
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        while self.registration.poll_writable(cx) {
            match self.send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.filled(),
                result => return Poll::Ready(result),
            }
        }
        Poll::Pending
    }

    /// Writes all of `bytes`: the peer's pace is the pace of the caller of this function.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        poll_fn(|cx| {
            while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                match self.poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => written += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Whether an idle connection is still good: nothing has come, not even the peer's end. No system call, unless
    /// the last read filled its buffer and so could not see whether there was more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.registration.is_readable() || self.has_nothing_to_read()
    }

    #[cold]
    fn has_nothing_to_read(&self) -> bool {
        let is_empty =
            matches!(self.receive(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if is_empty {
            self.registration.drained();
        }
        is_empty
    }

    /// The connection idles: no task waits for it.
    pub fn rest(&self) {
        self.registration.forget_waiting();
    }

    /// Tells the peer that nothing more will be written.
    pub fn close_write(&self) {
        // A peer that was faster needs to be told nothing.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Makes a pending read, and every later one, end as if the peer had closed.
    pub fn close_read(&self) {
        // As above.
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    /// Makes the connection end with a reset instead of an orderly close, so that a peer that waits for
    /// more can tell a broken message from a complete one.
    pub fn reset_on_drop(&self) {
        // A socket that is gone already needs no reset.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// The socket's, for instance when the peer has reset the connection.
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        // SAFETY: `space` is valid for writes of its length; the descriptor is open as long as `self` lives.
        let count = unsafe {
            let (space, length) = (space.as_mut_ptr(), space.len());
            libc::syscall(
                libc::SYS_recvfrom,
                self.socket.as_raw_fd(),
                space,
                length,
                libc::MSG_DONTWAIT,
                0,
                0,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: `bytes` is valid for reads of its length; the descriptor is open as long as `self` lives.
        let count = unsafe {
            let (bytes, length) = (bytes.as_ptr(), bytes.len());
            libc::syscall(libc::SYS_sendto, self.socket.as_raw_fd(), bytes, length, FLAGS, 0, 0)
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}
