//! Requests that are no HTTP, or whose end two readers could see at different places: none reaches a destination.

use crate::support::Relay;
use crate::support::origin::OK;

/// Requests to refuse, with the status.
const REFUSED: &[(u16, &str, &str)] = &[
    (400, "no HTTP", "hello there\r\n\r\n"),
    (400, "bytes of TLS", "\x16\x03\x01\x02\r\n\r\n"),
    (400, "no version", "GET /\r\n\r\n"),
    (400, "two blanks", "GET  / HTTP/1.1\r\nhost: web\r\n\r\n"),
    (400, "bare line feeds", "GET / HTTP/1.1\nhost: web\n\n"),
    (400, "a bare line feed at the end", "GET / HTTP/1.1\r\nhost: web\r\n\n"),
    (400, "a bare CR in a value", "GET / HTTP/1.1\r\nhost: web\r\nx: a\rb\r\n\r\n"),
    (400, "NUL in a value", "GET / HTTP/1.1\r\nhost: web\r\nx: a\0b\r\n\r\n"),
    (400, "a folded value", "GET / HTTP/1.1\r\nhost: web\r\nx: a\r\n b\r\n\r\n"),
    (400, "a blank before the first header", "GET / HTTP/1.1\r\n x: a\r\nhost: web\r\n\r\n"),
    (400, "a blank before the colon", "GET / HTTP/1.1\r\nhost: web\r\nx : a\r\n\r\n"),
    (400, "a header without name", "GET / HTTP/1.1\r\nhost: web\r\n: a\r\n\r\n"),
    (400, "a header without colon", "GET / HTTP/1.1\r\nhost: web\r\nx\r\n\r\n"),
    (400, "a name that is no token", "GET / HTTP/1.1\r\nhost: web\r\nx(y): a\r\n\r\n"),
    (400, "a relative target", "GET index.html HTTP/1.1\r\nhost: web\r\n\r\n"),
    (400, "a fragment", "GET /a#b HTTP/1.1\r\nhost: web\r\n\r\n"),
    (400, "two hosts", "GET / HTTP/1.1\r\nhost: web\r\nhost: web\r\n\r\n"),
    (400, "userinfo in host", "GET / HTTP/1.1\r\nhost: me@web\r\n\r\n"),
    (400, "a slash in host", "GET / HTTP/1.1\r\nhost: web/../../$/inet/192.0.2.1/9\r\n\r\n"),
    (400, "a port above 65535", "GET / HTTP/1.1\r\nhost: web:99999\r\n\r\n"),
    (
        400,
        "two lengths",
        "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    ),
    (400, "a list of lengths", "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 5, 5\r\n\r\nhello"),
    (400, "a length with a sign", "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: +5\r\n\r\nhello"),
    (400, "an empty length", "GET / HTTP/1.1\r\nhost: web\r\ncontent-length:\r\n\r\n"),
    (
        400,
        "a length beyond 64 bits",
        "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 18446744073709551621\r\n\r\nhello",
    ),
    (
        400,
        "length and chunks",
        "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 48\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: web\r\n\r\n",
    ),
    (
        400,
        "chunked twice",
        "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        400,
        "chunked not last",
        "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    (
        501,
        "a coding under chunks",
        "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        501,
        "an unknown coding",
        "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (400, "chunks in 1.0", "POST / HTTP/1.0\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    (501, "CONNECT", "CONNECT web:443 HTTP/1.1\r\nhost: web:443\r\n\r\n"),
    (505, "HTTP/2.0", "GET / HTTP/2.0\r\nhost: web\r\n\r\n"),
    (505, "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
];

/// Chunked bodies to refuse: the head is good, so the destination may have seen it, but never a complete request.
const BROKEN_BODIES: &[(&str, &str)] = &[
    ("no hexadecimal size", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("a sign", "+5\r\nhello\r\n0\r\n\r\n"),
    ("an empty size", "\r\n\r\n"),
    ("a size beyond 64 bits", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
    ("a bare line feed behind the size", "5\nhello\r\n0\r\n\r\n"),
    ("a bare line feed behind the payload", "5\r\nhello\n0\r\n\r\n"),
    ("more payload than announced", "3\r\nhello\r\n0\r\n\r\n"),
    ("a folded trailer", "0\r\nx: a\r\n b\r\n\r\n"),
    ("a trailer without colon", "0\r\nx\r\n\r\n"),
    ("the second chunk", "5\r\nhello\r\nworld\r\n0\r\n\r\n"),
];

#[test]
fn malformed_requests_are_refused_and_the_connection_ends() {
    let relay = Relay::answering(OK);
    for (status, why, request) in REFUSED {
        let mut caller = relay.caller();
        let response = caller.exchange(request);
        assert_eq!(response.status(), *status, "{why}");
        assert_eq!(response.header("connection"), Some("close"), "{why}");
        caller.expect_end();
    }
    assert!(relay.origin.requests().is_empty(), "{:?}", relay.origin.requests());
    let refused = u64::try_from(REFUSED.len()).unwrap();
    assert_eq!(relay.proxy.metrics().count("shards/bad_heads"), refused);
}

#[test]
fn malformed_requests_are_refused_behind_a_good_one() {
    let relay = Relay::answering(OK);
    for (status, why, request) in REFUSED {
        let mut caller = relay.caller();
        caller.send(format!("GET / HTTP/1.1\r\nhost: web\r\n\r\n{request}"));
        assert_eq!(caller.response().status(), 200, "{why}");
        assert_eq!(caller.response().status(), *status, "{why}");
        caller.expect_end();
    }
    assert_eq!(relay.origin.requests().len(), REFUSED.len());
}

#[test]
fn a_body_that_breaks_its_framing_is_refused_and_never_completed() {
    for (why, body) in BROKEN_BODIES {
        let relay = Relay::answering(OK);
        let mut caller = relay.caller();
        caller.send(format!("POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n{body}"));
        let response = caller.response();
        assert_eq!((response.status(), response.header("connection")), (400, Some("close")), "{why}");
        assert!(response.header("l5d-err").is_some(), "{why}");
        caller.expect_end();
        assert!(relay.origin.requests().is_empty(), "{why}: {:?}", relay.origin.requests());
    }
}

#[test]
fn empty_lines_before_a_request_are_ignored_but_not_many() {
    let relay = Relay::answering(OK);
    for (lines, status) in [(1, 200), (4, 200), (5, 400)] {
        let request = "\r\n".repeat(lines) + "GET / HTTP/1.1\r\nhost: web\r\n\r\n";
        assert_eq!(relay.caller().exchange(request).status(), status, "{lines} lines");
    }
}
