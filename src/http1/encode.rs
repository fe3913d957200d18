//! Appends pieces of HTTP/1.1 messages to the caller's buffer. Names, values and targets come from a parser or
//! from the proxy itself, so nothing is checked or escaped here.

use super::head::{HeadError, Header};
use crate::http::{Version, reason};

/// Ends a head, and the payload of a chunk.
pub const CRLF: &[u8] = b"\r\n";

/// Ends a chunked body that has no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends a request line. The target is given in pieces, which saves joining a changed one beforehand.
#[inline]
pub fn request_line(out: &mut Vec<u8>, method: &str, target: &[&[u8]], version: Version) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    for piece in target {
        out.extend_from_slice(piece);
    }
    out.push(b' ');
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(CRLF);
}

/// Appends a status line.
#[inline]
pub fn status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    out.extend_from_slice(version.as_str().as_bytes());
    out.push(b' ');
    push_decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(CRLF);
}

/// Appends a header or trailer line.
#[inline]
pub fn push_header(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(CRLF);
}

/// Appends a Content-Length line.
#[inline]
pub fn push_content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    push_decimal(out, length);
    out.extend_from_slice(CRLF);
}

/// Appends the line before the `len` payload bytes of a chunk. They are followed by [`CRLF`]. An empty payload
/// has no chunk: its head would end the body.
#[inline]
pub fn chunk_head(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "an empty chunk ends the body");
    push_hex(out, len as u64);
    out.extend_from_slice(CRLF);
}

/// Appends the end of a chunked body, with its trailers.
pub fn last_chunk<'b>(out: &mut Vec<u8>, trailers: impl Iterator<Item = Header<'b>>) {
    out.extend_from_slice(b"0\r\n");
    for field in trailers {
        push_header(out, field.name, field.value);
    }
    out.extend_from_slice(CRLF);
}

/// Appends the answer to a request whose head is refused: no body, and the connection ends.
pub fn rejection(out: &mut Vec<u8>, error: &HeadError) {
    status_line(out, Version::Http11, error.status, reason(error.status).as_bytes());
    out.extend_from_slice(b"Content-Length: 0\r\nConnection: close\r\n\r\n");
}

/// Appends `number` in decimal.
#[inline]
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    push_digits::<10>(out, number);
}

/// Appends `number` in lower-case hexadecimal, without leading zeros.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, number: u64) {
    push_digits::<16>(out, number);
}

/// Appends the digits of `number` in base `BASE`, 10 or 16.
#[inline]
fn push_digits<const BASE: u64>(out: &mut Vec<u8>, number: u64) {
    // 2^64 - 1 has 20 digits in decimal.
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below 16 fits a byte")]
        let value = (rest % BASE) as u8;
        *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        start -= 1;
        rest /= BASE;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::{
        ChunkedDecoder, HeaderSlots, Limits, Parsed, Step, parse_request, parse_response, trailers,
    };
    use super::*;
    use crate::http1::BodyLength;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn a_request_line_and_its_headers_parse_back() {
        let mut out = Vec::new();
        request_line(&mut out, "OPTIONS", &[b"/", b"?a=b"], Version::Http10);
        push_header(&mut out, b"host", b"web");
        push_content_length(&mut out, u64::MAX);
        out.extend_from_slice(CRLF);
        assert_eq!(
            out,
            b"OPTIONS /?a=b HTTP/1.0\r\nhost: web\r\ncontent-length: 18446744073709551615\r\n\r\n"
        );
        let mut slots = HeaderSlots::new();
        let parsed = parse_request(&out, &Limits::default(), &mut slots).unwrap();
        assert!(matches!(parsed, Parsed::Complete { head, .. } if head.body == BodyLength::Length(u64::MAX)));
    }

    #[test]
    fn a_rejection_says_why_and_that_the_connection_ends() {
        let mut out = Vec::new();
        rejection(&mut out, &HeadError { status: 431, reason: "header section too long" });
        assert_eq!(
            out,
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let mut slots = HeaderSlots::new();
        let parsed = parse_response(&out, &Limits::default(), "GET", &mut slots).unwrap();
        assert!(matches!(parsed, Parsed::Complete { head, .. } if !head.keep_alive));
    }

    #[test]
    fn a_chunked_body_with_trailers_decodes_back() {
        let mut out = Vec::new();
        chunk_head(&mut out, 26);
        assert_eq!(out, b"1a\r\n");
        out.extend_from_slice(b"abcdefghijklmnopqrstuvwxyz\r\n");
        last_chunk(&mut out, trailers(b"X-Sum:  1\r\n"));
        let mut decoder = ChunkedDecoder::new();
        assert_eq!(decoder.step(&out), Ok(Step::Data { skip: 4, len: 26 }));
        let end = decoder.step(&out[30..]).unwrap();
        assert_eq!(end, Step::End { consumed: 17, trailers: 5..15 });
        assert_eq!(&out[35..45], b"X-Sum: 1\r\n");
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(number in any::<u64>()) {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            out.push(b' ');
            push_hex(&mut out, number);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{number} {number:x}"));
        }
    }

    #[test]
    fn zero_has_one_digit() {
        let mut out = Vec::new();
        push_decimal(&mut out, 0);
        push_hex(&mut out, 0);
        assert_eq!(out, b"00");
    }
}
