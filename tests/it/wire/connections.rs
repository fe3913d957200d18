//! What becomes of connections: keep-alive, pipelining, the end of either side.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Connection, Gate, Message, Raw, Relay};
use std::io::Read;

/// Answers with the request as it arrived: method, target and body.
fn echo(request: &Message) -> Vec<u8> {
    let (method, rest) = request.first_line.split_once(' ').unwrap();
    let target = rest.split(' ').next().unwrap();
    let body = if method == "HEAD" { String::new() } else { format!("{method} {target} {}", request.text()) };
    let length = if method == "HEAD" { 77 } else { body.len() };
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

#[test]
fn one_connection_on_either_side_serves_many_requests() {
    let relay = Relay::answering(OK);
    let mut caller = relay.caller();
    for turn in 0..20 {
        let response = caller.exchange(get_request(&format!("/{turn}"), ""));
        assert_eq!((response.status(), response.text().as_str()), (200, "fine"));
        assert_eq!(response.header("connection"), None);
    }
    assert_eq!(relay.origin.connections(), 1);
    let targets: Vec<String> =
        relay.origin.requests().into_iter().map(|request| request.first_line).collect();
    let expected: Vec<String> = (0..20).map(|turn| format!("GET /{turn} HTTP/1.1")).collect();
    assert_eq!(targets, expected);
}

/// Open connections of the router's only server.
const CONNECTIONS: &str = "rt/router/server/127.0.0.1/0/connections";

const MIXED: &str = "GET /1 HTTP/1.1\r\nhost: web\r\n\r\n\
    POST /2 HTTP/1.1\r\nhost: web\r\ncontent-length: 5\r\n\r\nhello\
    POST /3 HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nx-t: v\r\n\r\n\
    \r\nHEAD /4 HTTP/1.1\r\nhost: web\r\n\r\n\
    POST /5 HTTP/1.1\r\nhost: web\r\n\r\n\
    GET /6 HTTP/1.1\r\nhost: web\r\ncontent-length: 2\r\n\r\nhi\
    GET /7 HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";

#[track_caller]
fn expect_mixed(caller: &mut Raw, how: &str) {
    for expected in ["GET /1 ", "POST /2 hello", "POST /3 abcdefg"] {
        assert_eq!(caller.response().text(), expected, "{how}");
    }
    assert_eq!(caller.response_to_head().header("content-length"), Some("77"), "{how}");
    for expected in ["POST /5 ", "GET /6 hi", "GET /7 "] {
        assert_eq!(caller.response().text(), expected, "{how}");
    }
    caller.expect_end();
}

#[test]
fn pipelined_requests_are_answered_in_order_wherever_their_bytes_are_cut() {
    let relay = Relay::with(echo);
    for cut in (0..MIXED.len()).step_by(5) {
        let mut caller = relay.caller();
        let (first, second) = MIXED.split_at(cut);
        caller.send(first);
        if cut > 40 {
            // The first answer tells that the first piece has been read on its own.
            assert_eq!(caller.response().text(), "GET /1 ");
            caller.send(second);
            for expected in ["POST /2 hello", "POST /3 abcdefg"] {
                assert_eq!(caller.response().text(), expected, "cut at {cut}");
            }
        } else {
            caller.send(second);
            expect_mixed(&mut caller, &format!("cut at {cut}"));
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_byte_by_byte() {
    let relay = Relay::with(echo);
    let mut caller = relay.caller();
    for byte in MIXED.bytes() {
        caller.send([byte]);
    }
    expect_mixed(&mut caller, "byte by byte");
}

#[test]
fn a_request_that_is_pipelined_while_another_is_being_answered_waits_its_turn() {
    let gate = Gate::default();
    let first = gate.clone();
    let relay = Relay::scripted(move |mut connection| {
        while let Some(request) = connection.request() {
            if request.first_line.contains("/slow") {
                first.wait("the test lets the first request be answered");
            }
            let _ = connection.send(echo(&request));
        }
    });
    let mut caller = relay.caller();
    caller.send(get_request("/slow", ""));
    relay.origin.wait_for_requests(1);
    caller.send(get_request("/next", "") + &get_request("/last", ""));
    // Another caller is not held up by it.
    assert_eq!(relay.caller().exchange(get_request("/other", "")).text(), "GET /other ");
    assert_eq!(relay.origin.requests().len(), 2, "the second request waits for the first answer");
    gate.open();
    for expected in ["GET /slow ", "GET /next ", "GET /last "] {
        assert_eq!(caller.response().text(), expected);
    }
}

#[test]
fn nothing_behind_a_request_that_closes_is_served() {
    let relay = Relay::answering(OK);
    let mut caller = relay.caller();
    caller.send(get_request("/one", "connection: close\r\n") + &get_request("/two", ""));
    let response = caller.response();
    assert_eq!((response.status(), response.header("connection")), (200, Some("close")));
    caller.expect_end();
    assert_eq!(relay.origin.request().first_line, "GET /one HTTP/1.1");
    assert_eq!(relay.origin.request().header("connection"), None, "it is said of the caller's connection");
}

#[test]
fn a_destination_that_closes_after_its_answer_does_not_close_the_callers_connection() {
    let relay = Relay::scripted(|mut connection| {
        connection.request();
        let _ = connection.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    });
    let mut caller = relay.caller();
    for connections in 1..4 {
        let response = caller.exchange(get_request("/", ""));
        assert_eq!((response.status(), response.header("connection")), (200, None));
        assert_eq!(relay.origin.connections(), connections);
    }
}

#[test]
fn a_caller_of_version_1_0_gets_one_answer_unless_it_asks_for_more() {
    let relay = Relay::answering(OK);
    let mut once = relay.caller();
    let response = once.exchange("GET / HTTP/1.0\r\nhost: web\r\n\r\n");
    assert_eq!((response.text().as_str(), response.header("connection")), ("fine", Some("close")));
    once.expect_end();
    let mut again = relay.caller();
    for _ in 0..3 {
        let response = again.exchange("GET / HTTP/1.0\r\nhost: web\r\nConnection: Keep-Alive\r\n\r\n");
        assert_eq!((response.text().as_str(), response.header("connection")), ("fine", Some("keep-alive")));
    }
    let last = again.exchange("GET / HTTP/1.0\r\nhost: web\r\n\r\n");
    assert_eq!(last.header("connection"), Some("close"));
    again.expect_end();
    assert_eq!(relay.origin.connections(), 1);
    assert!(relay.origin.requests().iter().all(|request| request.first_line == "GET / HTTP/1.1"));
}

#[test]
fn an_idle_caller_that_ends_its_side_is_let_go() {
    let relay = Relay::answering(OK);
    let mut caller = relay.caller();
    caller.exchange(get_request("/", ""));
    caller.end_sending();
    caller.expect_end();
    relay.proxy.metrics_when("no connection is open", |metrics| metrics.count(CONNECTIONS) == 0);
}

/// A destination that does `first`, then opens the gate as soon as its connection ends.
fn until_abandoned(first: impl Fn(&mut Connection) + Send + Sync + 'static) -> (Relay, Gate, Gate) {
    let (started, abandoned) = (Gate::default(), Gate::default());
    let (start, end) = (started.clone(), abandoned.clone());
    let relay = Relay::scripted(move |mut connection| {
        first(&mut connection);
        start.open();
        let _ = connection.reader().read_to_end(&mut Vec::new());
        end.open();
    });
    (relay, started, abandoned)
}

/// How a caller leaves.
type Leave = fn(Raw);

const LEAVING: [(&str, Leave); 3] = [
    ("it closes", drop),
    ("it ends its side", |mut caller| {
        caller.end_sending();
        caller.read_to_end();
    }),
    ("it resets", Raw::reset),
];

#[test]
fn a_caller_that_leaves_while_it_waits_takes_the_destinations_connection_along() {
    for (how, leave) in LEAVING {
        let (relay, started, abandoned) = until_abandoned(|connection| {
            connection.request();
        });
        let mut caller = relay.caller();
        caller.send(get_request("/", ""));
        started.wait("the request arrives");
        leave(caller);
        abandoned.wait(&format!("the destination's connection ends: {how}"));
    }
}

#[test]
fn a_caller_that_leaves_while_it_uploads_takes_the_destinations_connection_along() {
    for (how, leave) in LEAVING {
        let (relay, started, abandoned) = until_abandoned(|connection| {
            connection.head();
        });
        let mut caller = relay.caller();
        caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1000\r\n\r\nsome");
        started.wait("the request arrives");
        leave(caller);
        abandoned.wait(&format!("the destination's connection ends: {how}"));
    }
}

#[test]
fn a_caller_that_leaves_during_a_response_that_stalls_takes_the_destinations_connection_along() {
    for framing in ["content-length: 1000", "transfer-encoding: chunked", "x-until: close"] {
        for (how, leave) in LEAVING {
            let (relay, _, abandoned) = until_abandoned(move |connection| {
                connection.request();
                let _ = connection.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n4\r\nabcd\r\n"));
            });
            let mut caller = relay.caller();
            caller.send(get_request("/", ""));
            assert_eq!(caller.head().status(), 200);
            caller.read_exact(4);
            leave(caller);
            abandoned.wait(&format!("the destination's connection ends: {framing}, {how}"));
        }
    }
}

#[test]
fn a_caller_that_leaves_during_response_and_upload_takes_the_destinations_connection_along() {
    for (how, leave) in LEAVING {
        let (relay, _, abandoned) = until_abandoned(|connection| {
            connection.head();
            let _ = connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome");
        });
        let mut caller = relay.caller();
        caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1000\r\n\r\nsome");
        assert_eq!(caller.head().status(), 200);
        caller.read_exact(4);
        leave(caller);
        abandoned.wait(&format!("the destination's connection ends: {how}"));
    }
}
