//! Trailer fields: the lines behind the last chunk, and which of them may go on.

use super::head::Header;
use crate::http::{Known, carries_context, classify, is_field_value, is_token, trim};

/// Reads trailer lines that a `ChunkedDecoder` has checked, leaving out those that must not go on.
///
/// RFC 9110 6.5.1 forbids trailers that frame, route, modify or authenticate a message, or end at this hop, and
/// some recipients treat trailers as if they were headers. So no name the proxy knows is passed on, and nothing
/// that carries context.
#[must_use]
pub const fn trailers(lines: &[u8]) -> Trailers<'_> {
    Trailers { lines }
}

/// Iterates over the trailer fields that may go on.
#[derive(Clone, Debug)]
pub struct Trailers<'b> {
    lines: &'b [u8],
}

impl<'b> Iterator for Trailers<'b> {
    type Item = Header<'b>;

    fn next(&mut self) -> Option<Header<'b>> {
        loop {
            let end = self.lines.iter().position(|&byte| byte == b'\n')?;
            let (line, rest) = self.lines.split_at_checked(end + 1)?;
            self.lines = rest;
            let Some((name, value)) = split_line(line.strip_suffix(b"\r\n").unwrap_or(line)) else {
                continue;
            };
            if classify(name) == Known::Other && !carries_context(name) {
                return Some(Header { known: Known::Other, name, value: trim(value) });
            }
        }
    }
}

/// Whether `line`, without its line end, is a field line (RFC 9112 5).
pub(super) fn is_trailer_line(line: &[u8]) -> bool {
    split_line(line).is_some_and(|(name, value)| is_token(name) && is_field_value(value))
}

fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name, value.strip_prefix(b":")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_routing_and_context_fields_do_not_go_on() {
        let lines =
            b"X-Sum: 1\r\nContent-Length: 100\r\nTransfer-Encoding: identity\r\nHost: evil.example\r\n\
            l5d-dtab: /svc => /$/inet/192.0.2.1/9\r\nl5d-unknown: 1\r\nConnection: close\r\nTE: x\r\n\
            X-B3-TraceId: 1\r\nAuthorization: x\r\ngrpc-status:0\r\n";
        let passed: Vec<_> = trailers(lines).map(|field| (field.name, field.value)).collect();
        assert_eq!(passed, [(&b"X-Sum"[..], &b"1"[..]), (b"grpc-status", b"0")]);
    }

    #[test]
    fn a_section_without_lines_has_no_fields() {
        assert_eq!(trailers(b"").next(), None);
    }

    #[test]
    fn a_trailer_line_is_a_field_line() {
        for line in ["a:b", "a:", "A-1: \t b c \t", "a:caf\u{e9}"] {
            assert!(is_trailer_line(line.as_bytes()), "{line}");
        }
        for (line, why) in [
            ("", "empty"),
            ("a", "no colon"),
            (":b", "no name"),
            ("a b:c", "blank in name"),
            ("a :c", "blank before the colon"),
            (" a:c", "folded"),
            ("a:b\rc", "bare CR"),
            ("a:b\0", "NUL"),
            ("a:b\u{7f}", "DEL"),
            ("a(b):c", "name is no token"),
        ] {
            assert!(!is_trailer_line(line.as_bytes()), "{line:?}: {why}");
        }
    }
}
