//! The header `l5d-ctx-trace`, read and written independently of the proxy.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What the header says. Ids are numbers; a root's parent is its own id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) span: u64,
    pub(crate) parent: u64,
    pub(crate) trace: u64,
    pub(crate) flags: u64,
    /// The high half of a 128-bit trace id.
    pub(crate) high: Option<u64>,
}

impl Context {
    #[track_caller]
    pub(crate) fn decode(header: Option<&str>) -> Self {
        let text = header.expect("a header l5d-ctx-trace");
        let bytes = BASE64_STANDARD.decode(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (words, []) = bytes.as_chunks::<8>() else { panic!("{text}: {} bytes", bytes.len()) };
        let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (span, parent, trace, flags, high) = match words[..] {
            [span, parent, trace, flags] => (span, parent, trace, flags, None),
            [span, parent, trace, flags, high] => (span, parent, trace, flags, Some(high)),
            _ => panic!("{text}: {} words", words.len()),
        };
        Self { span, parent, trace, flags, high }
    }

    pub(crate) fn encode(&self) -> String {
        let words = [Some(self.span), Some(self.parent), Some(self.trace), Some(self.flags), self.high];
        let bytes: Vec<u8> = words.into_iter().flatten().flat_map(u64::to_be_bytes).collect();
        BASE64_STANDARD.encode(bytes)
    }
}

/// An id as spans and `l5d-reqid` have it.
pub(crate) fn hex16(id: u64) -> String {
    format!("{id:016x}")
}
