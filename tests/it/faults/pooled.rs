//! Connections that are kept for the next request and turn out to be of no use then.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Connection, Relay};

/// A destination that serves one request on its first connection and ends that connection by `die` once the next
/// one has come. Later connections serve everything.
fn stale(die: Die) -> Relay {
    Relay::scripted(move |mut connection| {
        let is_first = connection.number == 0;
        let mut served = 0;
        while connection.request().is_some() {
            if is_first && served == 1 {
                return die(connection);
            }
            let _ = connection.send(OK);
            served += 1;
        }
    })
}

/// How a destination ends a connection.
type Die = fn(Connection);

const DEATHS: [(&str, Die); 2] = [("closed", drop), ("reset", Connection::reset)];

#[test]
fn a_request_that_may_be_repeated_is_sent_again_when_a_kept_connection_was_lost() {
    for (how, die) in DEATHS {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let relay = stale(die);
            let mut caller = relay.caller();
            assert_eq!(caller.exchange(get_request("/first", "")).status(), 200);
            caller.send(format!("{method} /second HTTP/1.1\r\nhost: web\r\n\r\n"));
            assert_eq!(caller.head().status(), 200, "{how}, {method}");
            let seen: Vec<String> =
                relay.origin.requests().into_iter().map(|request| request.first_line).collect();
            let second = format!("{method} /second HTTP/1.1");
            assert_eq!(seen, ["GET /first HTTP/1.1", &second, &second], "{how}");
        }
    }
}

#[test]
fn a_repeated_request_is_the_same_request_with_a_span_of_its_own() {
    let relay = stale(drop);
    let mut caller = relay.caller();
    caller.exchange(get_request("/first", ""));
    caller.exchange(get_request("/second", "x-a: b\r\n"));
    let requests = relay.origin.requests();
    let (before, after) = (&requests[1], &requests[2]);
    assert_eq!(before.header("l5d-reqid"), after.header("l5d-reqid"), "one trace");
    assert_ne!(before.header("l5d-ctx-trace"), after.header("l5d-ctx-trace"), "two spans");
    let without = |message: &crate::support::Message| {
        let mut fields = message.headers.clone();
        fields.retain(|(name, _)| name != "l5d-ctx-trace");
        fields
    };
    assert_eq!(without(before), without(after));
}

#[test]
fn a_request_that_may_not_be_repeated_is_never_sent_twice() {
    for (how, die) in DEATHS {
        for request in [
            "POST /pay HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\n\r\nhello",
            "POST /pay HTTP/1.1\r\nhost: web\r\n\r\n",
            "PATCH /pay HTTP/1.1\r\nhost: web\r\ncontent-length: 0\r\n\r\n",
            "PUT /pay HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let relay = stale(die);
            let mut caller = relay.caller();
            assert_eq!(caller.exchange(get_request("/first", "")).status(), 200);
            let response = caller.exchange(request);
            assert_eq!(response.status(), 502, "{how}: {request:?}");
            assert_eq!(response.header("l5d-retryable"), None, "it was sent");
            let seen = relay.origin.requests();
            assert_eq!(seen.iter().filter(|request| request.first_line.contains("/pay")).count(), 1, "{how}");
        }
    }
}

#[test]
fn a_request_is_repeated_once_and_no_more() {
    let relay = Relay::scripted(|mut connection| {
        if connection.number == 0 {
            connection.request();
            let _ = connection.send(OK);
        }
        connection.request();
    });
    let mut caller = relay.caller();
    assert_eq!(caller.exchange(get_request("/first", "")).status(), 200);
    assert_eq!(caller.exchange(get_request("/second", "")).status(), 502);
    assert_eq!(relay.origin.requests().len(), 3);
    assert_eq!(relay.origin.connections(), 2);
}

#[test]
fn a_kept_connection_that_the_destination_closed_meanwhile_is_not_used() {
    let relay = Relay::scripted(|mut connection| {
        connection.request();
        let _ = connection.send(OK);
    });
    let mut caller = relay.caller();
    for turn in 0..10 {
        // Not even for what may not be repeated, as far as the closing is known.
        let response = caller.exchange("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
        assert_eq!(response.status(), 200, "turn {turn}");
    }
}

#[test]
fn bytes_behind_a_response_reach_nobody() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
    ] {
        let relay = Relay::answering(format!("{response}HTTP/1.1 299 Evil\r\ncontent-length: 4\r\n\r\nevil"));
        let mut caller = relay.caller();
        for connections in 1..4 {
            let got = caller.exchange(get_request("/", ""));
            assert!(got.status() != 299 && !got.text().contains("evil"), "{response:?}: {got:?}");
            assert_eq!(relay.origin.connections(), connections, "{response:?}: the connection is not kept");
        }
    }
}

#[test]
fn a_body_that_answers_head_reaches_nobody() {
    let relay = Relay::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nSEE-THIS!");
    let mut caller = relay.caller();
    for connections in 1..4 {
        caller.send("HEAD / HTTP/1.1\r\nhost: web\r\n\r\n");
        assert_eq!(caller.response_to_head().status(), 200);
        assert_eq!(relay.origin.connections(), connections);
    }
    assert_eq!(caller.exchange(get_request("/", "")).text(), "SEE-THIS!");
}

#[test]
fn a_connection_whose_response_the_caller_left_is_not_kept() {
    let relay = Relay::scripted(|mut connection| {
        while let Some(request) = connection.request() {
            if request.first_line.contains("/half") {
                let _ = connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nsome");
            } else {
                let _ = connection.send(OK);
            }
        }
    });
    let mut leaving = relay.caller();
    leaving.send(get_request("/half", ""));
    assert_eq!(leaving.head().status(), 200);
    drop(leaving);
    for _ in 0..5 {
        assert_eq!(relay.caller().exchange(get_request("/", "")).text(), "fine");
    }
}
