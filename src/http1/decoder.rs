//! Finds the bytes of a body, whichever way its end is told.

use super::body::BodyLength;
use super::chunked::{BodyError, ChunkedDecoder, Step};

/// The state of one body that is being read.
#[derive(Debug)]
pub enum BodyDecoder {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(ChunkedDecoder),
    /// Everything until the connection ends.
    UntilClose {
        /// The connection has ended.
        ended: bool,
    },
}

impl BodyDecoder {
    /// A decoder before the first byte of a body.
    #[must_use]
    pub const fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::Length(0),
            BodyLength::Length(length) => Self::Length(length),
            BodyLength::Chunked => Self::Chunked(ChunkedDecoder::new()),
            BodyLength::UntilClose => Self::UntilClose { ended: false },
        }
    }

    /// Looks at `input`, the bytes behind those already consumed; [`ChunkedDecoder::step`] tells how.
    ///
    /// # Errors
    /// The input is not what may follow at this place.
    #[inline]
    pub fn step(&mut self, input: &[u8]) -> Result<Step, BodyError> {
        match self {
            Self::Chunked(decoder) => decoder.step(input),
            Self::Length(0) | Self::UntilClose { ended: true } => {
                Ok(Step::End { consumed: 0, trailers: 0..0 })
            }
            _ if input.is_empty() => Ok(Step::NeedMore { consumed: 0 }),
            Self::Length(left) => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= len as u64;
                Ok(Step::Data { skip: 0, len })
            }
            Self::UntilClose { .. } => Ok(Step::Data { skip: 0, len: input.len() }),
        }
    }

    /// Whether all bytes of a body of known length were given out, so that no more input is needed to see its end.
    #[must_use]
    #[inline]
    pub const fn is_spent(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// Takes note that the connection has ended. False when that cuts the body short.
    #[must_use]
    pub const fn end_of_input(&mut self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_done(),
            Self::UntilClose { ended } => {
                *ended = true;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_known_length_ends_at_its_last_byte() {
        let mut body = BodyDecoder::new(BodyLength::Length(5));
        assert_eq!(body.step(b"hel"), Ok(Step::Data { skip: 0, len: 3 }));
        assert!(!body.end_of_input(), "two bytes are missing");
        assert_eq!(body.step(b""), Ok(Step::NeedMore { consumed: 0 }));
        assert!(!body.is_spent());
        assert_eq!(body.step(b"loGET /"), Ok(Step::Data { skip: 0, len: 2 }));
        assert!(body.is_spent());
        assert_eq!(body.step(b"GET /"), Ok(Step::End { consumed: 0, trailers: 0..0 }));
        assert!(body.end_of_input());
    }

    #[test]
    fn a_message_without_a_body_ends_at_once() {
        for length in [BodyLength::None, BodyLength::Length(0)] {
            assert_eq!(
                BodyDecoder::new(length).step(b"GET /"),
                Ok(Step::End { consumed: 0, trailers: 0..0 })
            );
        }
    }

    #[test]
    fn a_body_until_the_connection_ends_takes_everything_and_ends_there() {
        let mut body = BodyDecoder::new(BodyLength::UntilClose);
        assert_eq!(body.step(b"all"), Ok(Step::Data { skip: 0, len: 3 }));
        assert!(body.end_of_input());
        assert_eq!(body.step(b""), Ok(Step::End { consumed: 0, trailers: 0..0 }));
    }

    #[test]
    fn a_chunked_body_that_stops_before_its_last_chunk_is_cut_short() {
        let mut body = BodyDecoder::new(BodyLength::Chunked);
        assert_eq!(body.step(b"3\r\nabc"), Ok(Step::Data { skip: 3, len: 3 }));
        assert!(!body.end_of_input());
    }
}
