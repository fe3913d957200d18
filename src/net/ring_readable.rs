//! Waits in the shard's ring until a descriptor that is no socket becomes readable.
//!
//! glommio offers readiness only as a part of reading a stream. Making a stream of a descriptor puts a poll of it
//! into the ring; once that poll has completed, the stream's read fails, because the descriptor is no socket, and
//! has released the poll. What is left of the stream then is the descriptor, which is not the stream's to close.

use futures_lite::io::AsyncRead;
use glommio::net::TcpStream;
use std::future::poll_fn;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::pin::Pin;

/// Waits until `descriptor` is readable. Await it to the end: dropped before, it leaves its poll in the ring until
/// the executor ends.
pub(super) async fn ring_readable(descriptor: RawFd) {
    // SAFETY: the stream neither reads nor writes the descriptor, nor closes it, for it is never dropped.
    let mut stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) });
    // The error (ENOTSOCK) is the message.
    let _ = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut [0])).await;
}
