//! How bodies are delimited, on the way there and on the way back.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Gate, Message, Relay};
use std::io::Read;

/// What of a head frames a body.
fn framing(message: &Message) -> (Option<&str>, Option<&str>) {
    (message.header("content-length"), message.header("transfer-encoding"))
}

#[test]
fn a_request_keeps_its_framing() {
    for (method, fields, body, length, coding, payload) in [
        ("GET", "", "", None, None, ""),
        ("POST", "", "", None, None, ""),
        ("DELETE", "", "", None, None, ""),
        ("POST", "Content-Length: 0\r\n", "", Some("0"), None, ""),
        ("POST", "CONTENT-LENGTH: 5\r\n", "hello", Some("5"), None, "hello"),
        ("GET", "Content-Length: 5\r\n", "hello", Some("5"), None, "hello"),
        ("POST", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", None, Some("chunked"), ""),
        ("POST", "tRANSFER-eNCODING: ChUnKeD\r\n", "5\r\nhello\r\n0\r\n\r\n", None, Some("chunked"), "hello"),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            "000a;n=v;q=\"x y\"\r\n0123456789\r\nA\r\nabcdefghij\r\n0000\r\n\r\n",
            None,
            Some("chunked"),
            "0123456789abcdefghij",
        ),
        ("GET", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n", None, Some("chunked"), "x"),
    ] {
        let relay = Relay::answering(OK);
        let mut caller = relay.caller();
        let what = format!("{method} {fields:?}");
        for _ in 0..2 {
            let response = caller.exchange(format!("{method} / HTTP/1.1\r\nHost: web\r\n{fields}\r\n{body}"));
            assert_eq!(response.status(), 200, "{what}");
        }
        for request in relay.origin.requests() {
            assert_eq!(framing(&request), (length, coding), "{what}");
            assert_eq!(request.text(), payload, "{what}");
            assert_eq!(request.first_line, format!("{method} / HTTP/1.1"));
        }
    }
}

#[test]
fn a_body_of_many_tiny_chunks_arrives_whole() {
    let relay = Relay::with(|request| {
        let chunks: String = request.text().chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    });
    let payload: String = ('a'..='z').cycle().take(5_000).collect();
    let chunks: String = payload.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    for version in ["1.1", "1.0"] {
        let request = format!(
            "POST / HTTP/{version}\r\nhost: web\r\ncontent-length: {}\r\n\r\n{payload}",
            payload.len()
        );
        assert_eq!(relay.caller().exchange(request).text(), payload, "answered to {version}");
    }
    let request =
        format!("POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    assert_eq!(relay.caller().exchange(request).text(), payload);
    assert!(relay.origin.requests().iter().all(|request| request.text() == payload));
}

#[test]
fn a_response_is_framed_as_its_caller_understands() {
    // From the destination: head lines and body; whether it closes then. To the caller: version, length, coding,
    // whether the connection stays open.
    for (fields, body, closes, version, length, coding, stays) in [
        ("content-length: 5\r\n", "hello", false, "1.1", Some("5"), None, true),
        ("content-length: 5\r\n", "hello", false, "1.0", Some("5"), None, false),
        ("content-length: 5\r\n", "hello", true, "1.1", Some("5"), None, true),
        (
            "transfer-encoding: chunked\r\n",
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            false,
            "1.1",
            None,
            Some("chunked"),
            true,
        ),
        (
            "transfer-encoding: chunked\r\n",
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            false,
            "1.0",
            None,
            None,
            false,
        ),
        ("", "hello", true, "1.1", None, Some("chunked"), true),
        ("", "hello", true, "1.0", None, None, false),
    ] {
        let what = format!("{fields:?}, closes: {closes}, to {version}");
        let relay = Relay::scripted(move |mut connection| {
            while connection.request().is_some() {
                let _ = connection.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}"));
                if closes {
                    return;
                }
            }
        });
        let mut caller = relay.caller();
        let request = format!("GET / HTTP/{version}\r\nhost: web\r\n\r\n");
        for _ in 0..2 {
            let response = caller.exchange(&request);
            assert_eq!(framing(&response), (length, coding), "{what}");
            assert_eq!(response.text(), "hello", "{what}");
            if !stays {
                assert_eq!(response.header("connection"), Some("close"), "{what}");
                caller.expect_end();
                caller = relay.caller();
            }
        }
    }
}

#[test]
fn a_caller_of_version_1_0_that_wants_to_stay_is_sent_away_after_a_body_without_length() {
    let relay =
        Relay::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let mut caller = relay.caller();
    let response = caller.exchange("GET / HTTP/1.0\r\nhost: web\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!((response.text().as_str(), response.header("connection")), ("hello", Some("close")));
    caller.expect_end();
}

#[test]
fn a_response_without_a_body_ends_with_its_head_whatever_it_says() {
    for (method, head, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", Some("1000")),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        // RFC 9110 8.6: a 204 has no Content-Length, and this one is not passed on.
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n", Some("100")),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some("0")),
    ] {
        let relay = Relay::answering(head);
        for version in ["1.1", "1.0\r\nconnection: keep-alive"] {
            let mut caller = relay.caller();
            for _ in 0..3 {
                caller.send(format!("{method} / HTTP/{version}\r\nhost: web\r\n\r\n"));
                let response = if method == "HEAD" { caller.response_to_head() } else { caller.response() };
                let (code, what) = (head.split(' ').nth(1).unwrap(), format!("{method} {head:?} {version}"));
                assert_eq!(response.status().to_string(), code, "{what}");
                assert_eq!(framing(&response), (length, None), "{what}");
            }
        }
        assert_eq!(relay.origin.connections(), 1, "{head:?}: the destination's connection is kept as well");
    }
}

#[test]
fn trailers_go_on_in_both_directions_unless_they_could_be_taken_for_headers() {
    const TRAILERS: &str =
        "X-Sum: 1\r\ngrpc-status:0\r\nContent-Length: 100\r\nHost: evil\r\nl5d-dtab: /svc => /evil\r\n";
    let relay = Relay::answering(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n{TRAILERS}\r\n"
    ));
    let mut caller = relay.caller();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{TRAILERS}\r\n"
    );
    let expected = [("X-Sum", "1"), ("grpc-status", "0")].map(|(name, value)| (name.into(), value.into()));
    for _ in 0..2 {
        let response = caller.exchange(&request);
        assert_eq!((response.text().as_str(), response.trailers.as_slice()), ("hello", expected.as_slice()));
    }
    for request in relay.origin.requests() {
        assert_eq!((request.text().as_str(), request.trailers.as_slice()), ("hello", expected.as_slice()));
    }
}

#[test]
fn trailers_are_not_mixed_into_a_body_that_is_not_chunked() {
    let relay = Relay::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    );
    assert_eq!(relay.caller().exchange("GET / HTTP/1.0\r\nhost: web\r\n\r\n").text(), "hello");
}

#[test]
fn an_answer_that_comes_before_the_upload_ends_reaches_the_caller() {
    for closes in [true, false] {
        let relay = Relay::scripted(move |mut connection| {
            connection.head();
            let connection_line = if closes { "connection: close\r\n" } else { "" };
            let _ = connection
                .send(format!("HTTP/1.1 413 Too Large\r\n{connection_line}content-length: 3\r\n\r\nbig"));
            if !closes {
                let _ = std::io::copy(connection.reader(), &mut std::io::sink());
            }
        });
        let mut caller = relay.caller();
        caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1000000\r\n\r\nsome");
        let response = caller.response();
        assert_eq!((response.status(), response.text().as_str()), (413, "big"), "closes: {closes}");
        // Where the destination is to read on, whether the rest is wanted shows only afterwards.
        assert_eq!(response.header("connection"), closes.then_some("close"));
        // What is sent now is no request.
        let _ = caller.try_send("GET /smuggled HTTP/1.1\r\nhost: web\r\n\r\n");
        caller.expect_end();
        assert_eq!(relay.origin.requests().len(), 1);
    }
}

#[test]
fn both_bodies_move_at_once() {
    // The destination sends back each piece as soon as it has come.
    let relay = Relay::scripted(|mut connection| {
        while connection.head().is_some() {
            let _ = connection.send("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n");
            let mut piece = [0; 4];
            for _ in 0..10 {
                if connection.reader().read_exact(&mut piece).is_ok() {
                    let _ = connection.send(piece);
                }
            }
        }
    });
    let mut caller = relay.caller();
    for _ in 0..2 {
        caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 40\r\n\r\n");
        assert_eq!(caller.head().status(), 200);
        for turn in 0..10 {
            let piece = format!("{turn:04}");
            caller.send(&piece);
            assert_eq!(caller.read_exact(4), piece.as_bytes());
        }
    }
    assert_eq!(relay.origin.connections(), 1, "both bodies were complete");
}

#[test]
fn a_response_is_passed_on_as_it_comes() {
    for framing in ["content-length: 8", "transfer-encoding: chunked", "x-until: close"] {
        let gate = Gate::default();
        let wait = gate.clone();
        let relay = Relay::scripted(move |mut connection| {
            connection.request();
            let (first, last) = if framing.contains("chunked") {
                ("4\r\nfour\r\n", "4\r\nmore\r\n0\r\n\r\n")
            } else {
                ("four", "more")
            };
            let _ = connection.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{first}"));
            wait.wait("the first half arrives");
            let _ = connection.send(last);
        });
        let mut caller = relay.caller();
        caller.send(get_request("/", ""));
        let head = caller.head();
        if head.header("transfer-encoding").is_some() {
            assert_eq!(caller.read_exact(9), b"4\r\nfour\r\n", "{framing}");
            gate.open();
            assert_eq!(caller.read_exact(14), b"4\r\nmore\r\n0\r\n\r\n", "{framing}");
        } else {
            assert_eq!(caller.read_exact(4), b"four", "{framing}");
            gate.open();
            assert_eq!(caller.read_exact(4), b"more", "{framing}");
        }
    }
}
