//! HTTP/1.1 on the wire: functions on byte slices that own no buffer and await nothing.

mod body;
mod chunked;
mod copy;
mod decoder;
pub mod encode;
mod facts;
mod head;
mod parse;
mod scan;
mod trailers;

pub use body::BodyLength;
pub use chunked::{BodyError, ChunkedDecoder, MAX_EXTENSION_BYTES, MAX_TRAILER_BYTES, Step};
pub use decoder::BodyDecoder;
pub use facts::MAX_CONNECTION_OPTIONS;
pub use head::{HeadError, Header, HeaderSlots, MAX_HEADERS, Parsed, RequestHead, ResponseHead};
pub use parse::{MAX_EMPTY_LINES, parse_request, parse_response};
pub use scan::HeadScan;
pub use trailers::{Trailers, trailers};

/// Limits on a message head (`maxInitialLineKB`, `maxHeadersKB`), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request or status line, without its line end.
    pub initial_line: usize,
    /// Longest header section: all header lines together, with their line ends.
    pub headers: usize,
}

impl Limits {
    /// Most bytes an unfinished head can take up: a buffer of this size is never full while the parsers ask for more.
    #[must_use]
    pub const fn longest_head(&self) -> usize {
        let line_ends = 2 * (MAX_EMPTY_LINES + 2);
        self.initial_line.saturating_add(self.headers).saturating_add(line_ends)
    }
}

impl Default for Limits {
    /// Linkerd's: 4 KiB and 8 KiB.
    fn default() -> Self {
        Self { initial_line: 4 * 1024, headers: 8 * 1024 }
    }
}
