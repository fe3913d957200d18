//! Heads in, facts or refusals out; every input also cut at every byte.

use super::*;
use crate::http1::MAX_CONNECTION_OPTIONS;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};

const SMALL: Limits = Limits { initial_line: 32, headers: 40 };

/// What a test compares: the outcome without the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Complete(usize),
    NeedMore,
    Refused(HeadError),
}

fn verdict<T>(parsed: &Result<Parsed<T>, HeadError>) -> Verdict {
    match parsed {
        Ok(Parsed::Complete { consumed, .. }) => Verdict::Complete(*consumed),
        Ok(Parsed::NeedMore) => Verdict::NeedMore,
        Err(error) => Verdict::Refused(*error),
    }
}

fn request_verdict(input: &[u8], limits: &Limits) -> Verdict {
    verdict(&parse_request(input, limits, &mut HeaderSlots::new()))
}

fn response_verdict(input: &[u8], limits: &Limits) -> Verdict {
    verdict(&parse_response(input, limits, "GET", &mut HeaderSlots::new()))
}

/// Runs `check` on the head of the request `input`, which must be complete and followed by nothing.
fn with_request(input: &str, check: impl FnOnce(&RequestHead<'_, '_>)) {
    let mut slots = HeaderSlots::new();
    match parse_request(input.as_bytes(), &Limits::default(), &mut slots) {
        Ok(Parsed::Complete { head, consumed }) => {
            assert_eq!(consumed, input.len(), "{input:?}");
            check(&head);
        }
        other => panic!("{input:?}: {other:?}"),
    }
}

/// Runs `check` on the head of the response `input`, an answer to `method`.
fn with_response(method: &str, input: &str, check: impl FnOnce(&ResponseHead<'_, '_>)) {
    let mut slots = HeaderSlots::new();
    match parse_response(input.as_bytes(), &Limits::default(), method, &mut slots) {
        Ok(Parsed::Complete { head, consumed }) => {
            assert_eq!(consumed, input.len(), "{input:?}");
            check(&head);
        }
        other => panic!("{input:?}: {other:?}"),
    }
}

/// `input` is refused with `status`, and no beginning of it is taken for a whole head or refused differently.
fn check_refused(input: &[u8], status: u16, why: &str, parse: fn(&[u8], &Limits) -> Verdict) {
    for end in 0..=input.len() {
        match parse(&input[..end], &Limits::default()) {
            Verdict::NeedMore => assert!(end < input.len(), "accepted: {why}"),
            Verdict::Refused(error) => assert_eq!(error.status, status, "{why}, first {end} bytes: {error}"),
            Verdict::Complete(_) => panic!("complete after {end} bytes: {why}"),
        }
    }
}

#[test]
fn a_request_head_is_taken_apart() {
    let input = "POST /a/%2e?q=1 HTTP/1.1\r\nHost: t.example:80\r\nX-A:  b \t\r\ncontent-LENGTH: 5\r\n\r\n";
    with_request(input, |head| {
        assert_eq!((head.method, head.target), ("POST", &b"/a/%2e?q=1"[..]));
        assert_eq!((head.version, head.absolute), (Version::Http11, None));
        assert_eq!(head.host, Some(&b"t.example:80"[..]));
        assert_eq!((head.body, head.keep_alive, head.expect_continue), (BodyLength::Length(5), true, false));
        let headers: Vec<_> =
            head.headers.iter().map(|header| (header.known, header.name, header.value)).collect();
        assert_eq!(
            headers,
            [
                (Known::Host, &b"Host"[..], &b"t.example:80"[..]),
                (Known::Other, b"X-A", b"b"),
                (Known::ContentLength, b"content-LENGTH", b"5"),
            ]
        );
        assert_eq!(head.header(Known::ContentLength), Some(&b"5"[..]));
        assert_eq!(head.header(Known::Via), None);
    });
}

#[test]
fn bytes_behind_a_head_are_left_alone() {
    let first = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let input = [&first[..], b"\x01\x02garbage\r\n\r\n"].concat();
    assert_eq!(request_verdict(&input, &Limits::default()), Verdict::Complete(first.len()));
}

#[test]
fn unusual_but_valid_requests_are_accepted() {
    for (input, what) in [
        ("PURGE /a HTTP/1.1\r\nHost: a\r\n\r\n", "unknown method"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "asterisk form"),
        ("GET /a HTTP/1.1\r\n\r\n", "no Host: the identifier decides"),
        ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", "empty Host"),
        ("GET /a HTTP/1.0\r\n\r\n", "HTTP/1.0"),
        ("\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "an empty line first"),
        ("\r\n\r\n\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "as many empty lines as allowed"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \r\n\r\n", "empty values"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nX-Name: caf\u{e9}\r\n\r\n", "bytes above 0x7F in a value"),
        ("GET /a{|}\\^\"<>`?[] HTTP/1.1\r\nHost: a\r\n\r\n", "characters that should have been escaped"),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "the target is not ours to decode"),
        ("GET //a HTTP/1.1\r\nHost: a\r\n\r\n", "empty first segment"),
    ] {
        for end in 0..input.len() {
            assert_eq!(
                request_verdict(&input.as_bytes()[..end], &Limits::default()),
                Verdict::NeedMore,
                "{what}"
            );
        }
        assert_eq!(
            request_verdict(input.as_bytes(), &Limits::default()),
            Verdict::Complete(input.len()),
            "{what}"
        );
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    for (input, status, why) in [
        ("GET  /a HTTP/1.1\r\n\r\n", 400, "two blanks"),
        ("GET /a  HTTP/1.1\r\n\r\n", 400, "two blanks before the version"),
        ("GET\t/a HTTP/1.1\r\n\r\n", 400, "tab"),
        (" GET /a HTTP/1.1\r\n\r\n", 400, "leading blank"),
        ("GET /a HTTP/1.1 \r\n\r\n", 400, "trailing blank"),
        ("GET /a\r\n", 400, "HTTP/0.9"),
        ("GET\r\n", 400, "method only"),
        ("G@T /a HTTP/1.1\r\n\r\n", 400, "method is no token"),
        ("GET /a\u{1} HTTP/1.1\r\n\r\n", 400, "control character in the target"),
        ("GET /caf\u{e9} HTTP/1.1\r\n\r\n", 400, "target is not ASCII"),
        ("GET /a\u{7f} HTTP/1.1\r\n\r\n", 400, "DEL in the target"),
        ("GET /a#frag HTTP/1.1\r\n\r\n", 400, "fragment"),
        ("GET http://a/b#frag HTTP/1.1\r\n\r\n", 400, "fragment in absolute form"),
        ("GET a HTTP/1.1\r\n\r\n", 400, "neither path nor absolute"),
        ("GET ?q HTTP/1.1\r\n\r\n", 400, "query only"),
        ("GET * HTTP/1.1\r\n\r\n", 400, "asterisk without OPTIONS"),
        ("GET http://user@a/ HTTP/1.1\r\n\r\n", 400, "userinfo in the target"),
        ("GET http:///a HTTP/1.1\r\n\r\n", 400, "absolute form without host"),
        ("CONNECT t.example:443 HTTP/1.1\r\nHost: t.example:443\r\n\r\n", 501, "CONNECT"),
        ("GET /a http/1.1\r\n\r\n", 400, "version in lower case"),
        ("GET /a HTTP/1.10\r\n\r\n", 400, "two-digit minor version"),
        ("GET /a HTTP/11\r\n\r\n", 400, "no dot in the version"),
        ("GET /a HTTP/2.0x\r\n\r\n", 400, "something behind the version"),
        ("GET /a HTTPS/1.1\r\n\r\n", 400, "another protocol"),
        ("GET /a HTTP/2.0\r\n\r\n", 505, "HTTP/2.0"),
        ("GET /a HTTP/1.2\r\n\r\n", 505, "HTTP/1.2"),
        ("GET /a HTTP/0.9\r\n\r\n", 505, "HTTP/0.9 spelled out"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2 preface"),
        ("GET /a HTTP/2\r\n\r\n", 400, "major version only"),
        ("\r\n\r\n\r\n\r\n\r\nGET /a HTTP/1.1\r\n\r\n", 400, "too many empty lines"),
        ("\nGET /a HTTP/1.1\r\n\r\n", 400, "empty line of a bare LF"),
        ("\rGET /a HTTP/1.1\r\n\r\n", 400, "bare CR first"),
        ("\u{1}\u{2}garbage\r\n\r\n", 400, "garbage"),
        ("\u{16}\u{3}\u{1}", 400, "a TLS hello"),
    ] {
        check_refused(input.as_bytes(), status, why, request_verdict);
    }
}

#[test]
fn malformed_header_lines_are_refused() {
    for (lines, why) in [
        ("X-A : b\r\n", "blank before the colon"),
        ("Transfer-Encoding : chunked\r\n", "blank before the colon of a framing field"),
        ("X-A\t: b\r\n", "tab before the colon"),
        (": ignored\r\n", "no name"),
        ("X(A): b\r\n", "name is no token"),
        ("caf\u{e9}: b\r\n", "name is not ASCII"),
        ("Content-Length 10\r\n", "no colon"),
        ("Transfer-\r\nEncoding: chunked\r\n", "name broken in two lines"),
        ("X-A: one\r\n two\r\n", "obsolete fold"),
        ("X-A: one\r\n\ttwo\r\n", "obsolete fold with a tab"),
        ("X-A:\r\n two\r\n", "obsolete fold of an empty value"),
        (" Content-Length: 5\r\n", "blank before the first field"),
        ("X-A: b\rX-Smuggled: 1\r\n", "bare CR"),
        ("X-A: b\r\r\n", "CR before the line end"),
        ("X-A: b\u{0}c\r\n", "NUL"),
        ("X-A: b\u{7f}\r\n", "DEL"),
        ("X-A: \u{b}b\r\n", "vertical tab"),
        ("X-A: b\n", "line end without CR"),
        ("X-A: b\nX-B: c\r\n", "line end without CR before another line"),
        ("X-A: b\r\n\n", "empty line without CR"),
        ("X-A:\n", "empty value and no CR"),
        ("Host: a\r\nHost: a\r\n", "two Hosts"),
        ("Host: a\r\nhost: b\r\n", "two different Hosts"),
        ("Host: admin@a\r\n", "userinfo in Host"),
        ("Host: a/../../$/inet/192.0.2.1/9\r\n", "path in Host"),
        ("Host: a b\r\n", "blank in Host"),
        ("Host: caf\u{e9}\r\n", "Host is not ASCII"),
        ("Host: a:99999\r\n", "port above 65535"),
    ] {
        let input = format!("GET /a HTTP/1.1\r\n{lines}\r\n");
        check_refused(input.as_bytes(), 400, why, request_verdict);
        let input = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        check_refused(input.as_bytes(), 400, why, response_verdict);
    }
}

#[test]
fn request_lines_without_cr_are_refused() {
    for input in [
        "GET /a HTTP/1.1\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\nHost: a\n\n",
        "GET /a HTTP/1.1\n\r\n",
        "GET /a HTTP/1.1\n\n",
    ] {
        check_refused(input.as_bytes(), 400, "line end without CR", request_verdict);
    }
    for input in ["HTTP/1.1 200 OK\nA: b\r\n\r\n", "HTTP/1.1 200\n\r\n", "HTTP/1.1 200 OK\n\n"] {
        check_refused(input.as_bytes(), 400, "line end without CR", response_verdict);
    }
}

#[test]
fn the_length_of_a_request_body_follows_its_fields() {
    for (version, lines, expected) in [
        ("1.1", "", BodyLength::None),
        ("1.0", "", BodyLength::None),
        ("1.1", "Content-Length: 0\r\n", BodyLength::Length(0)),
        ("1.0", "Content-Length: 5\r\n", BodyLength::Length(5)),
        ("1.1", "Content-Length: 18446744073709551615\r\n", BodyLength::Length(u64::MAX)),
        ("1.1", "Transfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("1.1", "tRANSFER-eNCODING: ChUnKeD\r\n", BodyLength::Chunked),
    ] {
        let input = format!("GET /a HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        with_request(&input, |head| assert_eq!(head.body, expected, "{input:?}"));
    }
}

#[test]
fn ambiguous_request_framing_is_refused() {
    for (version, lines, status) in [
        ("1.1", "Content-Length: 48\r\nTransfer-Encoding: chunked\r\n", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400),
        ("1.1", "Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("1.1", "Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("1.0", "Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("1.1", "Content-Length: 5, 5\r\n", 400),
        ("1.1", "Content-Length: +5\r\n", 400),
        ("1.1", "Content-Length:\r\n", 400),
        ("1.1", "Content-Length: 18446744073709551621\r\n", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("1.1", "Transfer-Encoding: chunked, chunked\r\n", 400),
        ("1.1", "Transfer-Encoding: chunked, identity\r\n", 400),
        ("1.1", "Transfer-Encoding:\r\n", 400),
        ("1.1", "Transfer-Encoding: gzip, chunked\r\n", 501),
        ("1.1", "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", 501),
        ("1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", 400),
    ] {
        let input = format!("POST /a HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        check_refused(input.as_bytes(), status, lines, request_verdict);
    }
}

#[test]
fn a_response_head_is_taken_apart() {
    with_response("GET", "HTTP/1.0 404 Nicht gefunden\r\nVia: x\r\nContent-Length: 3\r\n\r\n", |head| {
        assert_eq!((head.version, head.status, head.reason), (Version::Http10, 404, &b"Nicht gefunden"[..]));
        assert_eq!((head.body, head.keep_alive), (BodyLength::Length(3), false));
        assert_eq!(head.header(Known::Via), Some(&b"x"[..]));
    });
}

#[test]
fn reason_phrases_are_kept_byte_for_byte() {
    for (line, reason) in [
        ("HTTP/1.1 200 OK", "OK"),
        ("HTTP/1.1 200 ", ""),
        ("HTTP/1.1 200", ""),
        ("HTTP/1.1 200  two blanks ", " two blanks "),
        ("HTTP/1.1 404 caf\u{e9}", "caf\u{e9}"),
    ] {
        for lines in ["", "A: b\r\n"] {
            with_response("GET", &format!("{line}\r\n{lines}\r\n"), |head| {
                assert_eq!(head.reason, reason.as_bytes(), "{line:?}");
            });
        }
    }
}

#[test]
fn malformed_status_lines_are_refused() {
    for (input, why) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", "another protocol"),
        ("HTTP/1.1 20 OK\r\n\r\n", "two digits"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "four digits"),
        ("HTTP/1.1 099 OK\r\n\r\n", "below 100"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "not digits"),
        ("HTTP/1.1  200 OK\r\n\r\n", "two blanks"),
        ("HTTP/1.1 200 O\u{1}K\r\n\r\n", "control character in the phrase"),
        ("HTTP/1.1 200 OK\rX: y\r\n\r\n", "bare CR in the phrase"),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", "empty line first"),
        ("\nHTTP/1.1 200 OK\r\n\r\n", "bare LF first"),
        ("200 OK\r\n\r\n", "no version"),
        ("HTTP/2 200 OK\r\n\r\n", "no minor version"),
    ] {
        check_refused(input.as_bytes(), 400, why, response_verdict);
    }
}

#[test]
fn the_length_of_a_response_body_follows_its_request_status_and_fields() {
    use BodyLength::{Chunked, Length, None, UntilClose};
    for (method, status, lines, expected) in [
        ("GET", "200", "", UntilClose),
        ("GET", "200", "Content-Length: 0\r\n", Length(0)),
        ("GET", "200", "Content-Length: 7\r\n", Length(7)),
        ("GET", "200", "Transfer-Encoding: chunked\r\n", Chunked),
        ("GET", "205", "", UntilClose),
        ("GET", "404", "Content-Length: 7\r\n", Length(7)),
        ("HEAD", "200", "Content-Length: 1000\r\n", None),
        ("HEAD", "200", "Transfer-Encoding: chunked\r\n", None),
        ("HEAD", "200", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", None),
        ("HEAD", "404", "", None),
        ("head", "200", "Content-Length: 7\r\n", Length(7)),
        ("GET", "204", "Content-Length: 5\r\n", None),
        ("GET", "204", "Transfer-Encoding: chunked\r\n", None),
        ("GET", "304", "Content-Length: 100\r\n", None),
        ("GET", "100", "", None),
        ("GET", "103", "Link: </s.css>; rel=preload\r\n", None),
        ("GET", "101", "Connection: Upgrade\r\nUpgrade: websocket\r\n", None),
    ] {
        let input = format!("HTTP/1.1 {status} x\r\n{lines}\r\n");
        with_response(method, &input, |head| {
            assert_eq!(head.body, expected, "{method} {input:?}");
            assert_eq!(head.keep_alive, expected != UntilClose, "{method} {input:?}");
        });
    }
}

#[test]
fn ambiguous_response_framing_is_refused() {
    for (version, lines) in [
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 30\r\n"),
        ("1.1", "Content-Length: 2\r\nContent-Length: 4\r\n"),
        ("1.1", "Content-Length: 2\r\nContent-Length: 2\r\n"),
        ("1.1", "Content-Length: 2, 2\r\n"),
        ("1.1", "Content-Length: two\r\n"),
        ("1.0", "Transfer-Encoding: chunked\r\n"),
        ("1.1", "Transfer-Encoding: gzip\r\n"),
    ] {
        let input = format!("HTTP/{version} 200 OK\r\n{lines}\r\n");
        assert!(
            matches!(response_verdict(input.as_bytes(), &Limits::default()), Verdict::Refused(_)),
            "{input:?}"
        );
    }
}

#[test]
fn a_length_that_is_passed_on_must_be_valid_even_without_a_body() {
    let input = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    let parsed = parse_response(input, &Limits::default(), "HEAD", &mut HeaderSlots::new()).map(|_| ());
    assert_eq!(parsed.unwrap_err().reason, "several Content-Length fields");
}

#[test]
fn a_connection_lives_on_as_version_and_connection_field_say() {
    for (version, lines, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed, not-close\r\n", true),
        ("1.1", "Proxy-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: x , Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ] {
        let input = format!("GET /a HTTP/{version}\r\n{lines}\r\n");
        with_request(&input, |head| assert_eq!(head.keep_alive, expected, "{input:?}"));
        let input = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\n{lines}\r\n");
        with_response("GET", &input, |head| assert_eq!(head.keep_alive, expected, "{input:?}"));
    }
}

#[test]
fn only_an_http_1_1_caller_can_wait_for_continue() {
    for (version, value, expected) in [
        ("1.1", "100-continue", true),
        ("1.1", "100-Continue", true),
        ("1.0", "100-continue", false),
        ("1.1", "200-ok", false),
    ] {
        let input = format!("POST /a HTTP/{version}\r\nExpect: {value}\r\nContent-Length: 1\r\n\r\n");
        with_request(&input, |head| assert_eq!(head.expect_continue, expected, "{input:?}"));
    }
}

#[test]
fn an_absolute_target_overrides_host() {
    with_request("GET http://right.example/x?y=1 HTTP/1.1\r\nHost: wrong.example\r\n\r\n", |head| {
        assert_eq!(head.host, Some(&b"right.example"[..]));
        assert_eq!(head.absolute.unwrap().rest, b"/x?y=1");
        assert_eq!(head.target, b"http://right.example/x?y=1");
    });
}

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

#[test]
fn a_head_at_its_limits_is_accepted_and_one_byte_more_is_not() {
    // "GET " and " HTTP/1.1" are 13 bytes of the line, "X: " and CRLF five of the section.
    for (target, value, status) in
        [(19, 35, None), (20, 35, Some(414)), (19, 36, Some(431)), (20, 36, Some(414))]
    {
        let input = format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(target - 1), "b".repeat(value));
        let verdict = request_verdict(input.as_bytes(), &SMALL);
        let refused = match verdict {
            Verdict::Refused(error) => Some(error.status),
            _ => None,
        };
        assert_eq!(refused, status, "{target} {value} {verdict:?}");
        // Before it is complete, it is either waited for or refused for the same reason.
        for end in 0..input.len() {
            match request_verdict(&input.as_bytes()[..end], &SMALL) {
                Verdict::NeedMore => {}
                Verdict::Refused(error) => assert_eq!(Some(error.status), status, "{end}"),
                Verdict::Complete(_) => panic!("complete after {end} bytes"),
            }
        }
    }
}

#[test]
fn an_unfinished_head_is_refused_once_it_cannot_fit() {
    for (input, end, status) in [
        (format!("GET /{}", "a".repeat(100)), SMALL.initial_line + 1, 414),
        (format!("\r\nGET /{}", "a".repeat(100)), 2 + SMALL.initial_line + 1, 414),
        (format!("GET / HTTP/1.1\r\nX: {}", "b".repeat(100)), 16 + SMALL.headers + 1, 431),
        (format!("GET / HTTP/1.1\r\n{}", "X:y\r\n".repeat(20)), 16 + SMALL.headers + 1, 431),
    ] {
        assert_eq!(request_verdict(&input.as_bytes()[..end], &SMALL), Verdict::NeedMore, "{input}");
        let verdict = request_verdict(&input.as_bytes()[..=end], &SMALL);
        assert!(matches!(verdict, Verdict::Refused(error) if error.status == status), "{input}: {verdict:?}");
    }
}

#[test]
fn a_buffer_of_the_longest_head_is_never_full_of_an_unfinished_one() {
    for (line, headers) in [(SMALL.initial_line, SMALL.headers), (SMALL.initial_line, 0), (16, SMALL.headers)]
    {
        let mut input = b"\r\n".repeat(MAX_EMPTY_LINES);
        input.extend_from_slice(format!("GET /{} HTTP/1.1\r\n", "a".repeat(line - 14)).as_bytes());
        if headers > 0 {
            input.extend_from_slice(format!("X: {}\r\n", "b".repeat(headers - 5)).as_bytes());
        }
        input.extend_from_slice(b"\r\n");
        assert_eq!(request_verdict(&input, &SMALL), Verdict::Complete(input.len()));
        assert!(input.len() <= SMALL.longest_head());
    }
}

#[test]
fn header_lines_are_counted() {
    let limits = Limits::default();
    for (count, status) in [(MAX_HEADERS, None), (MAX_HEADERS + 1, Some(431))] {
        let lines = "X: y\r\n".repeat(count);
        for (verdict, len) in [
            (request_verdict(format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes(), &limits), 18 + lines.len()),
            (
                response_verdict(format!("HTTP/1.1 200 O\r\n{lines}\r\n").as_bytes(), &limits),
                18 + lines.len(),
            ),
        ] {
            match status {
                None => assert_eq!(verdict, Verdict::Complete(len)),
                Some(_) => assert_eq!(verdict, Verdict::Refused(TOO_MANY_HEADERS)),
            }
        }
    }
}

/// Heads that are nearly right: valid pieces mixed with what attackers put between them.
fn nearly_a_head(first_line: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"Host: a\r\n"[..]),
        4 => Just(&b"X-A: b\r\n"[..]),
        2 => Just(&b"Content-Length: 3\r\n"[..]),
        2 => Just(&b"Transfer-Encoding: chunked\r\n"[..]),
        2 => Just(&b"Connection: x-a, close\r\n"[..]),
        2 => Just(&b"\r\n"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b" "[..]),
        1 => Just(&b":"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\xE9"[..]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut input = first_line.as_bytes().to_vec();
        pieces.iter().for_each(|piece| input.extend_from_slice(piece));
        input.extend_from_slice(b"\r\n\r\n");
        input
    })
}

/// Whatever the whole input says must not depend on how it was cut: every beginning either waits or agrees.
fn agrees_with_its_beginnings(input: &[u8], parse: fn(&[u8], &Limits) -> Verdict) -> bool {
    let whole = parse(input, &SMALL);
    (0..input.len()).all(|end| match (parse(&input[..end], &SMALL), whole) {
        (Verdict::NeedMore, Verdict::Complete(consumed)) => end < consumed,
        (Verdict::NeedMore, _) => true,
        (Verdict::Complete(early), Verdict::Complete(consumed)) => early == consumed && end >= consumed,
        (Verdict::Refused(_), Verdict::Refused(_)) => true,
        _ => false,
    })
}

proptest! {
    #[test]
    fn no_input_panics_or_consumes_more_than_there_is(input in any::<Vec<u8>>()) {
        for parse in [request_verdict, response_verdict] {
            if let Verdict::Complete(consumed) = parse(&input, &Limits::default()) {
                prop_assert!(consumed <= input.len());
            }
        }
    }

    #[test]
    fn the_verdict_on_a_request_does_not_depend_on_segmentation(input in nearly_a_head("GET /a HTTP/1.1\r\n")) {
        prop_assert!(agrees_with_its_beginnings(&input, request_verdict));
    }

    #[test]
    fn the_verdict_on_a_response_does_not_depend_on_segmentation(input in nearly_a_head("HTTP/1.1 200 OK\r\n")) {
        prop_assert!(agrees_with_its_beginnings(&input, response_verdict));
    }

    #[test]
    fn an_accepted_head_contains_no_lone_line_ends(input in nearly_a_head("GET /a HTTP/1.1\r\n")) {
        if let Verdict::Complete(consumed) = request_verdict(&input, &Limits::default()) {
            let text = String::from_utf8_lossy(&input[..consumed]).replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
        }
    }
}
