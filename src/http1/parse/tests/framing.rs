//! How long a body is and how long its connection lives.

use super::{Verdict, check_refused, request_verdict, response_verdict, with_request, with_response};
use crate::http1::{BodyLength, HeaderSlots, Limits, parse_response};

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
