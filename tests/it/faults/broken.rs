//! Destinations that break off or talk nonsense: the caller gets the documented answer, or a response that it can
//! tell from a complete one.

use crate::support::raw::get_request;
use crate::support::{Connection, Raw, Relay};
use std::io::{ErrorKind, Read};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Orderly,
    Reset,
}

/// All bytes up to the end of the connection.
fn rest(caller: &Raw) -> (Vec<u8>, End) {
    let mut bytes = Vec::new();
    match caller.socket().read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Orderly),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("no end: {error}"),
    }
}

/// How a destination goes away.
type Die = fn(Connection);

const KILLED: [(&str, Die); 2] = [("closed", drop), ("reset", Connection::reset)];

/// A destination that answers each request with `bytes`, and goes away when asked for `/dying`.
fn dying(bytes: &'static str, die: Die) -> Relay {
    Relay::scripted(move |mut connection| {
        while let Some(request) = connection.request() {
            if request.first_line.contains("/dying") {
                let _ = connection.send(bytes);
                return die(connection);
            }
            let _ = connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
        }
    })
}

#[test]
fn a_response_of_known_length_that_breaks_off_is_never_complete() {
    for (how, die) in KILLED {
        let relay = dying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", die);
        for version in ["1.1", "1.0"] {
            let mut caller = relay.caller();
            caller.send(format!("GET /dying HTTP/{version}\r\nhost: web\r\n\r\n"));
            let (bytes, _) = rest(&caller);
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("content-length: 10\r\n") && !text.contains("hello\r\n"), "{how}: {text}");
            assert!("hello".starts_with(text.split("\r\n\r\n").nth(1).unwrap()), "{how}: {text}");
        }
        assert_eq!(relay.caller().exchange(get_request("/", "")).text(), "fine", "{how}: others are served");
    }
}

#[test]
fn a_chunked_response_that_breaks_off_has_no_last_chunk() {
    for (how, die) in KILLED {
        for response in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\nhal",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n",
        ] {
            let relay = dying(response, die);
            let mut caller = relay.caller();
            caller.send(get_request("/dying", ""));
            let text = String::from_utf8(rest(&caller).0).unwrap();
            assert!(
                text.contains("transfer-encoding: chunked") || text.contains("Transfer-Encoding: chunked"),
                "{text}"
            );
            assert!(!text.contains("\r\n0\r\n"), "{how}, {response:?}: {text:?}");
        }
    }
}

#[test]
fn a_caller_that_reads_until_the_close_gets_a_reset_when_the_response_breaks_off() {
    for (how, die) in KILLED {
        for response in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\ngarbage\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            if how == "closed" && !response.contains("chunked") {
                // That is how it ends when nothing is wrong.
                continue;
            }
            let relay = dying(response, die);
            let mut caller = relay.caller();
            caller.send("GET /dying HTTP/1.0\r\nhost: web\r\n\r\n");
            let (bytes, end) = rest(&caller);
            assert_eq!(end, End::Reset, "{how}, {response:?}: {}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn a_response_until_the_close_that_is_reset_has_no_last_chunk() {
    let relay = dying("HTTP/1.1 200 OK\r\n\r\nhello", Connection::reset);
    let mut caller = relay.caller();
    caller.send(get_request("/dying", ""));
    let text = String::from_utf8(rest(&caller).0).unwrap();
    assert!(!text.contains("\r\n0\r\n"), "{text:?}");
}

#[test]
fn a_chunked_response_that_turns_into_garbage_is_never_complete() {
    for before in ["5\r\nhello\r\n", ""] {
        for garbage in [
            "zz\r\n",
            "-1\r\n",
            "5 hello\r\n",
            "3\r\nhello\r\n",
            "0\r\nno trailer\r\n\r\n",
            "5\nhello\n0\n\n",
        ] {
            let relay = Relay::answering(format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{before}{garbage}0\r\n\r\n"
            ));
            let mut caller = relay.caller();
            caller.send(get_request("/", ""));
            let text = String::from_utf8(rest(&caller).0).unwrap();
            assert!(!text.contains("\r\n0\r\n"), "{garbage:?}: {text:?}");
            // What was good of it did come.
            assert!(
                text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains(before),
                "{garbage:?}: {text:?}"
            );
        }
    }
}

#[test]
fn an_answer_that_is_no_http_is_a_bad_gateway_and_the_callers_connection_goes_on() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\0\x01\x02\x03",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nokay",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nokay",
        "HTTP/1.1 200 OK\r\ncontent-length: 30\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ] {
        let relay = Relay::answering(garbage);
        let mut caller = relay.caller();
        for connections in 1..3 {
            let response = caller.exchange(get_request("/", ""));
            assert_eq!((response.status(), response.header("connection")), (502, None), "{garbage:?}");
            let start = format!("{} sent an invalid response: ", relay.origin.address());
            assert!(response.text().starts_with(&start), "{garbage:?}: {}", response.text());
            assert_eq!(response.header("l5d-retryable"), None);
            assert_eq!(relay.origin.connections(), connections, "that connection is not used again");
        }
    }
}

#[test]
fn a_destination_that_closes_without_an_answer_is_a_bad_gateway() {
    for (how, die) in KILLED {
        for before in
            ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\ncontent-len", "HTTP/1.1 103 Early Hints\r\n\r\n"]
        {
            let relay = dying(before, die);
            let mut caller = relay.caller();
            let mut response = caller.exchange(get_request("/dying", ""));
            if response.status() == 103 {
                response = caller.response();
            }
            assert_eq!(
                (response.status(), response.header("connection")),
                (502, None),
                "{how} after {before:?}"
            );
            assert!(response.text().contains(&relay.origin.address().to_string()), "{}", response.text());
            assert!(response.header("l5d-err").is_some());
            assert_eq!(relay.origin.requests().len(), 1, "{how} after {before:?}: asked once");
            assert_eq!(caller.exchange(get_request("/", "")).text(), "fine", "{how} after {before:?}");
        }
    }
}

#[test]
fn a_destination_that_answers_with_too_many_interim_responses_is_a_bad_gateway() {
    for (count, status) in [(1, 200), (16, 200), (17, 502)] {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        let relay = Relay::answering(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        let mut caller = relay.caller();
        caller.send(get_request("/", ""));
        let last =
            std::iter::repeat_with(|| caller.response()).find(|response| response.status() >= 200).unwrap();
        assert_eq!(last.status(), status, "{count} interim responses");
    }
}

#[test]
fn a_broken_upload_ends_its_connection_after_the_answer() {
    for (how, die) in KILLED {
        let relay = Relay::scripted(move |mut connection| {
            connection.head();
            die(connection);
        });
        let mut caller = relay.caller();
        caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1000\r\n\r\nsome");
        let response = caller.response();
        assert_eq!((response.status(), response.header("connection")), (502, Some("close")), "{how}");
        let _ = caller.try_send(get_request("/smuggled", ""));
        assert!(rest(&caller).0.is_empty(), "{how}");
        assert_eq!(relay.origin.requests().len(), 1, "{how}");
    }
}
