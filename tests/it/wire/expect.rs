//! `Expect: 100-continue`: the proxy tells the caller to go on, once, and the destination hears nothing of it. And
//! what else is said before a response.

use crate::support::origin::{OK, Refusing};
use crate::support::raw::get_request;
use crate::support::{Gate, Proxy, Raw, Relay, one_router};

const EXPECTING: &str = "POST / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";

#[test]
fn a_caller_that_waits_is_told_to_go_on_once() {
    for (how, head, body) in [
        ("in lower case", EXPECTING, "hello"),
        (
            "in other case",
            "POST / HTTP/1.1\r\nHost: web\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
            "hello",
        ),
        (
            "in chunks",
            "POST / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
    ] {
        let relay = Relay::answering(OK);
        let mut caller = relay.caller();
        for _ in 0..2 {
            let go_on = caller.exchange(head);
            assert_eq!((go_on.status(), go_on.headers.len()), (100, 0), "{how}");
            assert_eq!(caller.exchange(body).status(), 200, "{how}");
        }
        for request in relay.origin.requests() {
            assert_eq!((request.header("expect"), request.text().as_str()), (None, "hello"), "{how}");
        }
    }
}

#[test]
fn an_answer_of_the_destination_to_the_expectation_is_not_told_twice() {
    let relay = Relay::with(|_| format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"));
    let mut caller = relay.caller();
    assert_eq!(caller.exchange(EXPECTING).status(), 100);
    assert_eq!(caller.exchange("hello").status(), 200);
    // Nor is one that nobody asked for.
    assert_eq!(caller.exchange("GET / HTTP/1.1\r\nhost: web\r\n\r\n").status(), 200);
}

#[test]
fn a_caller_that_does_not_wait_or_has_nothing_to_send_is_told_nothing() {
    for request in [
        format!("{EXPECTING}hello"),
        "POST / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\n\r\n".into(),
        // RFC 9110 10.1.1: in HTTP/1.0 the expectation is ignored.
        "POST / HTTP/1.0\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello".into(),
    ] {
        let relay = Relay::answering(OK);
        assert_eq!(relay.caller().exchange(&request).status(), 200, "{request}");
        assert_eq!(relay.origin.request().header("expect"), None, "{request}");
    }
}

#[test]
fn a_caller_of_version_1_0_that_sends_late_is_told_nothing() {
    let relay = Relay::answering(OK);
    let mut caller = relay.caller();
    caller.send("POST / HTTP/1.0\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    // The head has come as far as the destination, so the proxy would have told by now.
    crate::support::eventually("a connection to the destination", || {
        (relay.origin.connections() == 1).then_some(())
    });
    assert_eq!(caller.exchange("hello").status(), 200);
}

#[test]
fn a_request_that_cannot_be_served_is_refused_without_asking_for_its_body() {
    let refusing = Refusing::new();
    let proxy = Proxy::start(&one_router(refusing.address, ""));
    let no_host = EXPECTING.replace("host: web\r\n", "");
    for (head, status) in [(EXPECTING, 502), (no_host.as_str(), 400)] {
        let mut caller = Raw::connect(proxy.router());
        let refusal = caller.exchange(head);
        assert_eq!((refusal.status(), refusal.header("connection")), (status, Some("close")));
        caller.expect_end();
    }
}

const HINTS: &str =
    "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n";

#[test]
fn interim_responses_reach_the_caller_before_the_final_one_is_there() {
    let seen = Gate::default();
    let wait = seen.clone();
    let relay = Relay::scripted(move |mut connection| {
        while connection.request().is_some() {
            let _ = connection.send(HINTS);
            wait.wait("the caller sees the hints");
            let _ = connection.send(format!("HTTP/1.1 102 Processing\r\n\r\n{OK}"));
        }
    });
    let mut caller = relay.caller();
    for _ in 0..2 {
        let hints = caller.exchange(get_request("/", ""));
        assert_eq!(hints.first_line, "HTTP/1.1 103 Early Hints");
        let fields: Vec<_> =
            hints.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("Link", "</s.css>; rel=preload"), ("Via", "1.1 ringspan")]);
        seen.open();
        assert_eq!(caller.response().status(), 102);
        assert_eq!(caller.response().text(), "fine");
    }
    assert_eq!(relay.origin.connections(), 1);
}

#[test]
fn interim_responses_are_kept_from_callers_of_version_1_0() {
    let relay = Relay::answering(format!("{HINTS}{HINTS}{OK}"));
    let response = relay.caller().exchange("GET / HTTP/1.0\r\nhost: web\r\n\r\n");
    assert_eq!((response.text().as_str(), response.header("link")), ("fine", None));
}

#[test]
fn an_answer_to_the_expectation_by_hints_and_a_refusal_comes_through() {
    let relay = Relay::scripted(|mut connection| {
        connection.head();
        let _ = connection
            .send(format!("{HINTS}HTTP/1.1 417 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"));
    });
    let mut caller = relay.caller();
    assert_eq!(caller.exchange(EXPECTING).status(), 100);
    assert_eq!(caller.response().status(), 103);
    let refusal = caller.response();
    assert_eq!((refusal.status(), refusal.header("connection")), (417, Some("close")));
    caller.expect_end();
}
