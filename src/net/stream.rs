//! One connected socket, readable and writable at the same time by shared reference.

use super::{Buffers, ReadBuffer};
use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A connected TCP socket of this shard. Dropping it ends the connection at once.
#[derive(Debug)]
pub struct Stream {
    /// Borrowed within one poll only, so that both directions can be polled by one task.
    inner: RefCell<TcpStream>,
    descriptor: RawFd,
    resets: Cell<bool>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream) -> Self {
        let descriptor = inner.as_raw_fd();
        Self { inner: RefCell::new(inner), descriptor, resets: Cell::new(false) }
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
        let space = into.space(buffers, limit);
        if space.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        match Pin::new(&mut *self.inner.borrow_mut()).poll_read(cx, space) {
            Poll::Ready(Ok(count)) => {
                into.filled(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                into.release(buffers);
                Poll::Pending
            }
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
        Pin::new(&mut *self.inner.borrow_mut()).poll_write(cx, bytes)
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

    /// Waits until the socket can be written, which for a connecting one means: until it is connected.
    pub(super) async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx, &[])).await.map(|_| ())
    }

    /// Whether an idle connection is still good: nothing has come, not even the peer's end.
    ///
    /// Costs no system call unless something has come: the readiness poll of the last read is still armed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut *self.inner.borrow_mut()).poll_read(&mut cx, &mut byte).is_pending()
    }

    /// Tells the peer that nothing more will be written.
    pub fn close_write(&self) {
        self.shut(libc::SHUT_WR);
    }

    /// Makes a pending read, and every later one, end as if the peer had closed.
    pub fn close_read(&self) {
        self.shut(libc::SHUT_RD);
    }

    /// Makes the connection end with a reset instead of an orderly close, so that a peer that waits for
    /// more can tell a broken message from a complete one.
    pub fn reset_on_drop(&self) {
        // SAFETY: the descriptor is open as long as `self` lives.
        let socket = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        // A socket that is gone already needs no reset.
        let _ = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
        self.resets.set(true);
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.borrow().local_addr().map_err(io::Error::from)
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// The socket's, for instance when the peer has reset the connection.
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        self.inner.borrow().peer_addr().map_err(io::Error::from)
    }

    fn shut(&self, how: libc::c_int) {
        // SAFETY: the descriptor is open as long as `self` lives. ENOTCONN means that the peer was faster.
        unsafe { libc::shutdown(self.descriptor, how) };
    }
}

impl Drop for Stream {
    /// A readiness poll in the ring keeps the socket open until the ring has cancelled it; shutting it down
    /// first lets the peer see the end now. (A reset must not be preceded by that orderly end.)
    fn drop(&mut self) {
        if !self.resets.get() {
            self.shut(libc::SHUT_RDWR);
        }
    }
}
