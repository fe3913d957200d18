//! Moves one message body from one connection to another at the receiver's pace; no body is ever held whole.

use crate::http1::encode::{CRLF, LAST_CHUNK, chunk_head, last_chunk};
use crate::http1::{BodyDecoder, BodyError, Step, trailers};
use crate::net::{Buffers, ReadBuffer, Stream};
use std::io;
use std::task::{Context, Poll};

/// One direction of an exchange: the encoded head first, then the body, decoded and framed anew.
pub(super) struct Transfer<'a> {
    from: &'a Stream,
    to: &'a Stream,
    buffers: &'a Buffers,
    decoder: BodyDecoder,
    framing: Framing,
    /// Encoded and not yet written: `written..`.
    output: Vec<u8>,
    written: usize,
    /// Bytes at the front of the input that go out as they are.
    direct: usize,
    /// The decoder has to see more input before it can go on.
    starved: bool,
    ended: bool,
    /// Why it cannot go on, to be told once the head is out.
    broken: Option<TransferError>,
}

/// How the bytes of a body are marked toward the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Not at all: the head tells the length, or the end of the connection does.
    AsIs,
    /// As chunks.
    Chunked,
}

/// Which side a transfer failed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// The sender's connection failed or ended before the body was complete.
    #[error("the sender of the body is gone: {0}")]
    Sender(io::Error),
    /// The sender broke the framing of its body.
    #[error("the body is not framed as its head said: {0}")]
    Framing(BodyError),
    /// The receiver's connection failed.
    #[error("the receiver of the body is gone: {0}")]
    Receiver(io::Error),
}

impl<'a> Transfer<'a> {
    /// A transfer that begins with `output`, the encoded head.
    pub(super) const fn new(
        from: &'a Stream,
        to: &'a Stream,
        buffers: &'a Buffers,
        decoder: BodyDecoder,
        framing: Framing,
        output: Vec<u8>,
    ) -> Self {
        Self {
            from,
            to,
            buffers,
            decoder,
            framing,
            output,
            written: 0,
            direct: 0,
            starved: false,
            ended: false,
            broken: None,
        }
    }

    /// Whether everything has been written.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.is_flushed() && self.direct == 0
    }

    /// Whether the whole body of the sender was read, written or not.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the head, and what of the body was encoded with it, has been written.
    pub(super) fn is_flushed(&self) -> bool {
        self.written == self.output.len()
    }

    /// Whether nothing at all has been written.
    pub(super) const fn is_untouched(&self) -> bool {
        self.written == 0 && !self.output.is_empty()
    }

    /// The output buffer, to be given back to the shard.
    pub(super) fn into_output(self) -> Vec<u8> {
        self.output
    }

    /// Moves bytes until the encoded head is out, even if what follows it turns out to be broken.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadBuffer,
    ) -> Poll<Result<(), TransferError>> {
        if self.broken.is_none() {
            self.broken = self.gather(input).err();
        }
        std::task::ready!(self.poll_flush(cx))?;
        Poll::Ready(self.broken.take().map_or(Ok(()), Err))
    }

    /// Moves bytes until all of the body is out.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadBuffer,
    ) -> Poll<Result<(), TransferError>> {
        for _ in 0..READS_PER_TURN {
            self.gather(input)?;
            std::task::ready!(self.poll_flush(cx))?;
            std::task::ready!(self.poll_direct(cx, input))?;
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
            if self.starved {
                let filled = self.from.poll_fill(cx, input, self.buffers, usize::MAX);
                let is_end = std::task::ready!(filled).map_err(TransferError::Sender)? == 0;
                if is_end && !self.decoder.end_of_input() {
                    return Poll::Ready(Err(TransferError::Sender(io::ErrorKind::UnexpectedEof.into())));
                }
                self.starved = false;
            }
        }
        // Two fast peers must not keep the other connections of this shard waiting.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Decodes what has been read: into the output when it has to be framed or is small enough to share a
    /// write with what is there, else marked to go out directly.
    fn gather(&mut self, input: &mut ReadBuffer) -> Result<(), TransferError> {
        while !self.ended
            && !self.starved
            && self.direct == 0
            && self.output.len() - self.written < GATHER_BYTES
        {
            match self.decoder.step(input.unread()).map_err(TransferError::Framing)? {
                Step::Data { skip, len } => {
                    input.consume(skip);
                    self.take_data(input, len);
                    // Known before the last byte is written: its receiver may answer before the next turn.
                    self.ended = self.decoder.is_spent();
                }
                Step::NeedMore { consumed } => {
                    input.consume(consumed);
                    self.starved = true;
                }
                Step::End { consumed, trailers: lines } => {
                    if self.framing == Framing::Chunked {
                        let lines = input.unread().get(lines).unwrap_or_default();
                        encode_end(lines, &mut self.output);
                    }
                    input.consume(consumed);
                    self.ended = true;
                }
            }
        }
        Ok(())
    }

    fn take_data(&mut self, input: &mut ReadBuffer, len: usize) {
        let data = input.unread().get(..len).unwrap_or_default();
        let is_chunked = self.framing == Framing::Chunked;
        if is_chunked {
            chunk_head(&mut self.output, len);
            self.output.extend_from_slice(data);
            self.output.extend_from_slice(CRLF);
        } else if !self.is_flushed() && len <= GATHER_BYTES {
            self.output.extend_from_slice(data);
        } else {
            self.direct = len;
            return;
        }
        input.consume(len);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransferError>> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            self.written += written(std::task::ready!(self.to.poll_write(cx, rest)))?;
        }
        // What is complete stays: a request without a body may have to be sent once more.
        if self.written > 0 && !self.ended {
            self.output.clear();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_direct(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadBuffer,
    ) -> Poll<Result<(), TransferError>> {
        while self.direct > 0 {
            let data = input.unread().get(..self.direct).unwrap_or_default();
            let count = written(std::task::ready!(self.to.poll_write(cx, data)))?;
            input.consume(count);
            self.direct -= count;
        }
        Poll::Ready(Ok(()))
    }
}

fn encode_end(lines: &[u8], output: &mut Vec<u8>) {
    if lines.is_empty() {
        output.extend_from_slice(LAST_CHUNK);
    } else {
        last_chunk(output, trailers(lines));
    }
}

fn written(result: io::Result<usize>) -> Result<usize, TransferError> {
    match result {
        Ok(0) => Err(TransferError::Receiver(io::ErrorKind::WriteZero.into())),
        Ok(count) => Ok(count),
        Err(error) => Err(TransferError::Receiver(error)),
    }
}

/// Encoded bytes that may wait for one write; also the largest piece worth copying to save a system call.
const GATHER_BYTES: usize = 16 * 1024;
/// After this many reads in one turn the task lets others run.
const READS_PER_TURN: usize = 16;
