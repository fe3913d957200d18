//! Takes chunked framing off a body (RFC 9112 7.1). The decoder looks at bytes where they lie and says which of
//! them are payload, so that a relay can send them on without copying. It accepts the grammar and nothing else:
//! every lenient reading of a chunk has been a smuggled request somewhere.

use super::trailers::is_trailer_line;
use crate::http::is_field_value;
use std::ops::Range;

/// Most bytes of chunk extensions in one body. They mean nothing to us and are dropped.
pub const MAX_EXTENSION_BYTES: u16 = 16 * 1024;

/// Most bytes of trailer lines, with their line ends, behind the last chunk. The caller's buffer must hold this
/// much and four bytes more, since trailers are given out as one piece.
pub const MAX_TRAILER_BYTES: u16 = 4 * 1024;

/// A chunk size has at most so many digits, leading zeros included: what 64 bits can hold.
const MAX_SIZE_DIGITS: u8 = 16;

/// What to do after looking at some input. Offsets count from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `len` payload bytes, at least one, begin at `skip`: consume both before the next call.
    Data {
        /// Framing bytes before the payload.
        skip: usize,
        /// Payload bytes.
        len: usize,
    },
    /// There is no payload in sight: consume `consumed` bytes, keep the rest and call again with more behind it.
    NeedMore {
        /// Framing bytes that are dealt with. What is left is an unfinished trailer section.
        consumed: usize,
    },
    /// The body is over after `consumed` bytes, among them the trailer lines, which `http1::trailers` reads.
    End {
        /// Bytes up to the end of the body.
        consumed: usize,
        /// Where the trailer lines are, with their line ends; empty if there are none.
        trailers: Range<usize>,
    },
}

/// Why a chunked body is refused. Where it would end is unknown, so its connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A chunk does not begin with a hexadecimal size.
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk size has more digits than 64 bits need.
    #[error("chunk size too large")]
    ChunkSizeTooLarge,
    /// A chunk extension holds a control character or does not begin with a semicolon.
    #[error("invalid chunk extension")]
    Extension,
    /// The extensions of all chunks together are longer than [`MAX_EXTENSION_BYTES`].
    #[error("chunk extensions too long")]
    ExtensionsTooLong,
    /// A chunk or its size is not followed by CRLF.
    #[error("invalid line end in chunked body")]
    LineEnd,
    /// A trailer line is not a field line that ends in CRLF.
    #[error("invalid trailer field")]
    Trailer,
    /// The trailer lines are longer than [`MAX_TRAILER_BYTES`].
    #[error("trailer section too long")]
    TrailersTooLong,
}

/// The state of one chunked body.
#[derive(Debug)]
pub struct ChunkedDecoder {
    /// `Size`: the size as read so far. `Data`: payload bytes of this chunk still to come.
    remaining: u64,
    /// Extension bytes seen in this body.
    extension_bytes: u16,
    /// Bytes at the start of the trailer section that are whole, valid lines.
    trailer_bytes: u16,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a chunk size of which `digits` have been read.
    Size { digits: u8 },
    /// In the blanks before the semicolon of a chunk extension.
    Blank,
    /// Behind the semicolon of a chunk extension.
    Extension,
    /// Behind the CR that ends the line of a chunk size.
    SizeLf,
    /// In the payload of a chunk.
    Data,
    /// Behind the payload of a chunk.
    DataCr,
    /// Behind the CR that ends a chunk.
    DataLf,
    /// Behind the last chunk.
    Trailers,
    /// Behind the whole body.
    Done,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkedDecoder {
    /// A decoder before the first byte of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self { remaining: 0, extension_bytes: 0, trailer_bytes: 0, state: State::Size { digits: 0 } }
    }

    /// Whether the whole body has been read. When the connection ends before that, the body is cut short.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Looks at `input`, the bytes behind those already consumed.
    ///
    /// # Errors
    ///
    /// The input is not what may follow at this place. The decoder is of no further use then.
    #[inline]
    pub fn step(&mut self, input: &[u8]) -> Result<Step, BodyError> {
        let mut at = 0;
        loop {
            match self.state {
                State::Data => {
                    let left = input.len() - at;
                    if left == 0 {
                        return Ok(Step::NeedMore { consumed: at });
                    }
                    let len = usize::try_from(self.remaining).map_or(left, |remaining| remaining.min(left));
                    self.remaining -= len as u64;
                    if self.remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Step::Data { skip: at, len });
                }
                State::Trailers => return self.step_trailers(input, at),
                State::Done => return Ok(Step::End { consumed: at, trailers: at..at }),
                _ => {
                    let Some(&byte) = input.get(at) else {
                        return Ok(Step::NeedMore { consumed: at });
                    };
                    self.state = self.step_framing(byte)?;
                    at += 1;
                }
            }
        }
    }

    /// The state after one byte of framing.
    fn step_framing(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::Size { digits: 1.. }, b'\r') => Ok(State::SizeLf),
            (State::Size { digits: 1.. } | State::Blank, b';') => self.count_extension(State::Extension),
            (State::Size { digits: 1.. } | State::Blank, b' ' | b'\t') => self.count_extension(State::Blank),
            (State::Size { digits }, _) => self.add_digit(digits, byte),
            (State::Blank, _) => Err(BodyError::Extension),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, _) if is_field_value(&[byte]) => self.count_extension(State::Extension),
            (State::Extension, _) => Err(BodyError::Extension),
            (State::SizeLf, b'\n') if self.remaining == 0 => Ok(State::Trailers),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { digits: 0 }),
            _ => Err(BodyError::LineEnd),
        }
    }

    fn add_digit(&mut self, digits: u8, byte: u8) -> Result<State, BodyError> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(BodyError::ChunkSize);
        };
        if digits == MAX_SIZE_DIGITS {
            return Err(BodyError::ChunkSizeTooLarge);
        }
        // No bit is lost: there are at most 16 digits, and `remaining` is 0 before the first.
        self.remaining = self.remaining << 4 | u64::from(digit);
        Ok(State::Size { digits: digits + 1 })
    }

    fn count_extension(&mut self, next: State) -> Result<State, BodyError> {
        self.extension_bytes += 1;
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return Err(BodyError::ExtensionsTooLong);
        }
        Ok(next)
    }

    /// Checks the lines of the trailer section, which begins at `start`, as far as they have arrived.
    fn step_trailers(&mut self, input: &[u8], start: usize) -> Result<Step, BodyError> {
        let section = input.get(start..).unwrap_or_default();
        loop {
            let checked = usize::from(self.trailer_bytes);
            let rest = section.get(checked..).unwrap_or_default();
            let Some(line_feed) = rest.iter().position(|&byte| byte == b'\n') else {
                // The last byte may be the CR of the empty line.
                if section.len() > usize::from(MAX_TRAILER_BYTES) + 1 {
                    return Err(BodyError::TrailersTooLong);
                }
                return Ok(Step::NeedMore { consumed: start });
            };
            match rest.get(..line_feed).and_then(|line| line.strip_suffix(b"\r")) {
                Some([]) => {
                    self.state = State::Done;
                    let end = start + checked;
                    return Ok(Step::End { consumed: end + 2, trailers: start..end });
                }
                Some(line) if is_trailer_line(line) => {
                    self.trailer_bytes = u16::try_from(checked + line_feed + 1)
                        .ok()
                        .filter(|&bytes| bytes <= MAX_TRAILER_BYTES)
                        .ok_or(BodyError::TrailersTooLong)?;
                }
                _ => return Err(BodyError::Trailer),
            }
        }
    }
}

#[cfg(test)]
mod tests;
