//! Heads in, facts or refusals out; every input also cut at every byte.

mod cuts;
mod framing;
mod hops;
mod limits;

use super::*;

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
fn an_absolute_target_overrides_host() {
    with_request("GET http://right.example/x?y=1 HTTP/1.1\r\nHost: wrong.example\r\n\r\n", |head| {
        assert_eq!(head.host, Some(&b"right.example"[..]));
        assert_eq!(head.absolute.unwrap().rest, b"/x?y=1");
        assert_eq!(head.target, b"http://right.example/x?y=1");
    });
}
