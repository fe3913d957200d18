//! Which fields go on to the next hop.

use super::{Verdict, request_verdict, with_request, with_response};
use crate::http::Known;
use crate::http1::{HeadError, Header, Limits, MAX_CONNECTION_OPTIONS};

/// The names of the headers that go on, joined by blanks.
fn remaining(headers: &[Header<'_>], is_hop_by_hop: impl Fn(&Header<'_>) -> bool) -> String {
    let names: Vec<_> =
        headers.iter().filter(|header| !is_hop_by_hop(header)).map(|header| header.name).collect();
    String::from_utf8(names.join(&b' ')).unwrap()
}

#[test]
fn fields_that_end_at_this_hop_are_told_apart() {
    for (lines, expected) in [
        (
            "Connection: x\r\nProxy-Authenticate: x\r\nProxy-Authorization: x\r\nTE: x\r\nTrailer: x\r\nUpgrade: x\r\n",
            "",
        ),
        ("Connection: Keep-Alive, Foo, Bar\r\nKeep-Alive: timeout=30\r\nFoo: abc\r\nBar: def\r\n", ""),
        ("Keep-Alive: timeout=5\r\nX-A: 1\r\n", "Keep-Alive X-A"),
        ("Proxy-Connection: keep-alive\r\nte: trailers\r\n", "Proxy-Connection"),
        (
            "X-Hop: 1\r\nX-Other: 2\r\nX-Keep: 3\r\nConnection: x-other\r\nConnection: ,, X-Hop ,\r\n",
            "X-Keep",
        ),
        ("Transfer-Encoding: chunked\r\nX-A: 1\r\n", "X-A"),
        ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", ""),
        (
            "Connection: Host, Content-Length, Via, l5d-dtab, l5d-new, x-b3-traceid, X-Forwarded-Port\r\nHost: a\r\n\
             Content-Length: 0\r\nVia: x\r\nl5d-dtab: /a=>/b\r\nl5d-new: 1\r\nX-B3-TraceId: 1\r\nX-Forwarded-Port: 1\r\n",
            "Host Content-Length Via l5d-dtab l5d-new X-B3-TraceId X-Forwarded-Port",
        ),
        ("Connection: a b, (c)\r\nA: 1\r\nC: 1\r\n", "A C"),
    ] {
        with_request(&format!("GET /a HTTP/1.1\r\n{lines}\r\n"), |head| {
            assert_eq!(remaining(head.headers, |header| head.is_hop_by_hop(header)), expected, "{lines:?}");
        });
        with_response("GET", &format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), |head| {
            assert_eq!(remaining(head.headers, |header| head.is_hop_by_hop(header)), expected, "{lines:?}");
        });
    }
}

#[test]
fn a_length_ends_here_where_the_status_forbids_one() {
    for (method, status, expected) in [
        ("GET", 204, ""),
        ("GET", 103, ""),
        ("GET", 200, "Content-Length"),
        ("GET", 304, "Content-Length"),
        ("HEAD", 200, "Content-Length"),
    ] {
        with_response(method, &format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n"), |head| {
            assert_eq!(remaining(head.headers, |header| head.is_hop_by_hop(header)), expected, "{status}");
        });
    }
}

#[test]
fn the_options_of_connection_are_counted() {
    for (count, refused) in [(MAX_CONNECTION_OPTIONS, false), (MAX_CONNECTION_OPTIONS + 1, true)] {
        let lines = "Connection: x, y\r\n".repeat(count / 2) + &"Connection: z\r\n".repeat(count % 2);
        let input = format!("GET /a HTTP/1.1\r\n{lines}\r\n");
        let verdict = request_verdict(input.as_bytes(), &Limits::default());
        assert_eq!(matches!(verdict, Verdict::Refused(HeadError { status: 400, .. })), refused, "{count}");
    }
}

#[test]
fn kept_lines_are_copied_as_they_were_received() {
    let input = "GET /a HTTP/1.1\r\nA:1\r\nConnection: close\r\nHost:  h \r\nB: 2\r\nC:\r\nVia: x\r\n\r\n";
    with_request(input, |head| {
        let copy = |keep: fn(&Header<'_>) -> bool| {
            let mut out = Vec::new();
            head.copy_headers(&mut out, keep);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(copy(|_| true), "A:1\r\nHost:  h \r\nB: 2\r\nC:\r\nVia: x\r\n");
        assert_eq!(copy(|header| header.known == Known::Other), "A:1\r\nB: 2\r\nC:\r\n");
        assert_eq!(copy(|header| header.known == Known::Via), "Via: x\r\n");
        assert_eq!(copy(|_| false), "");
    });
    with_response("GET", "HTTP/1.1 200 OK\r\nTE: x\r\nA:1\r\n\r\n", |head| {
        let mut out = Vec::new();
        head.copy_headers(&mut out, |_| true);
        assert_eq!(out, b"A:1\r\n");
    });
    with_request("GET /a HTTP/1.1\r\n\r\n", |head| {
        let mut out = Vec::new();
        head.copy_headers(&mut out, |_| true);
        assert_eq!(out, b"");
    });
}
