//! HTTP/1.1 on the wire: functions on byte slices that own no buffer and await nothing.

mod body;
mod chunked;
mod copy;
mod decoder;
pub mod encode;
mod facts;
mod head;
mod limits;
mod parse;
mod scan;
mod trailers;

pub use body::BodyLength;
pub use chunked::{BodyError, ChunkedDecoder, MAX_EXTENSION_BYTES, MAX_TRAILER_BYTES, Step};
pub use decoder::BodyDecoder;
pub use facts::MAX_CONNECTION_OPTIONS;
pub use head::{HeadError, Header, HeaderSlots, MAX_HEADERS, Parsed, RequestHead, ResponseHead};
pub use limits::Limits;
pub use parse::{MAX_EMPTY_LINES, parse_request, parse_response};
pub use scan::HeadScan;
pub use trailers::{Trailers, trailers};
