//! Which length rule applies to a body (RFC 9112 6), and the two fields it is read from. Wherever the RFC leaves
//! a choice between mending and refusing, a message is refused: two readings of one length are a smuggled request.

use super::facts::Facts;
use super::head::HeadError;
use crate::http::{Version, trim};

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body: nothing frames one, or the message cannot have one.
    None,
    /// A body of exactly so many bytes, possibly zero: the message has a Content-Length.
    Length(u64),
    /// Chunks, up to the last one and its trailers.
    Chunked,
    /// Everything up to the end of the connection; only in responses.
    UntilClose,
}

impl BodyLength {
    /// Whether no body byte follows the head.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// The rule for a request.
pub(super) fn request_length(version: Version, facts: &Facts<'_>) -> Result<BodyLength, HeadError> {
    Ok(framed(version, facts)?.unwrap_or(BodyLength::None))
}

/// The rule for a response to a request with `request_method`.
pub(super) fn response_length(
    version: Version,
    status: u16,
    request_method: &str,
    facts: &Facts<'_>,
) -> Result<BodyLength, HeadError> {
    if request_method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
        return Ok(BodyLength::None);
    }
    Ok(framed(version, facts)?.unwrap_or(BodyLength::UntilClose))
}

fn framed(version: Version, facts: &Facts<'_>) -> Result<Option<BodyLength>, HeadError> {
    match (facts.chunked, facts.content_length) {
        (true, Some(_)) => Err(HeadError::bad("Content-Length together with Transfer-Encoding")),
        (true, None) if version == Version::Http10 => Err(HeadError::bad("Transfer-Encoding in HTTP/1.0")),
        (true, None) => Ok(Some(BodyLength::Chunked)),
        (false, length) => Ok(length.map(BodyLength::Length)),
    }
}

/// Reads a Content-Length: digits only, and no more than 64 bits can hold.
pub(super) fn parse_content_length(value: &[u8]) -> Result<u64, HeadError> {
    const INVALID: HeadError = HeadError::bad("invalid Content-Length");
    if value.is_empty() {
        return Err(INVALID);
    }
    value.iter().try_fold(0_u64, |length, &byte| {
        let digit = byte.is_ascii_digit().then_some(u64::from(byte & 0xF)).ok_or(INVALID)?;
        length.checked_mul(10).and_then(|length| length.checked_add(digit)).ok_or(INVALID)
    })
}

/// Reads a Transfer-Encoding, of which only `chunked` alone is understood.
pub(super) fn parse_transfer_encoding(value: &[u8]) -> Result<(), HeadError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut codings = value.split(|&byte| byte == b',').map(trim);
    let last = codings.next_back().unwrap_or_default();
    let ambiguous = codings.any(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"chunked"));
    if ambiguous || last.is_empty() {
        return Err(HeadError::bad("invalid Transfer-Encoding"));
    }
    Err(HeadError { status: 501, reason: "unsupported transfer coding" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_length_is_digits_only() {
        for (value, expected) in [("0", 0), ("5", 5), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(parse_content_length(value.as_bytes()), Ok(expected), "{value}");
        }
        for (value, why) in [
            ("", "empty"),
            ("+5", "plus sign"),
            ("-1", "minus sign"),
            ("5, 5", "list"),
            ("5,", "list with an empty element"),
            ("0x5", "hexadecimal"),
            ("5 5", "two numbers"),
            ("18446744073709551616", "2^64"),
            ("18446744073709551621", "2^64 + 5"),
            ("99999999999999999999999", "far too large"),
            ("1_000", "separator"),
            ("\u{665}", "a digit of another script"),
        ] {
            assert_eq!(parse_content_length(value.as_bytes()).unwrap_err().status, 400, "{value}: {why}");
        }
    }

    #[test]
    fn only_chunked_alone_is_a_transfer_encoding_we_take() {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            assert_eq!(parse_transfer_encoding(value.as_bytes()), Ok(()), "{value}");
        }
        for (value, status) in [
            ("", 400),
            (",chunked", 400),
            ("chunked,", 400),
            ("chunked, chunked", 400),
            ("chunked, identity", 400),
            ("gzip, chunked", 501),
            ("gzip,, chunked", 400),
            ("gzip", 501),
            ("identity", 501),
            ("xchunked", 501),
            ("chunked;q=1", 501),
            ("\"chunked\"", 501),
            ("chunked chunked", 501),
            ("\u{b}chunked", 501),
        ] {
            assert_eq!(parse_transfer_encoding(value.as_bytes()).unwrap_err().status, status, "{value:?}");
        }
    }
}
