//! The spans of requests that got no answer of a destination, or a bad one.

use super::{all_spans, spans_of};
use crate::support::chain;
use crate::support::origin::{self, Refusing};
use crate::support::{Collector, Origin, Proxy, Raw, inet, one_router, one_router_with, raw};

#[test]
fn a_request_without_a_route_is_one_server_span() {
    let collector = Collector::live();
    let proxy = Proxy::start(&one_router_with("/elsewhere => /$/nil", &collector.telemeter("1.0")));
    assert_eq!(raw::get(proxy.router(), "/").status(), 502);
    let spans = all_spans(proxy, &collector);
    let [span] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert!(span.is("SERVER") && span.parent_id.is_none() && span.trace_id.ends_with(&span.id), "{span:#?}");
    assert_eq!(span.name.as_deref(), Some("router /svc/web"));
    assert_eq!(span.tag("io.buoyant.router.Failure"), Some("ClientAcquisition"));
    assert_eq!(span.tag("http.rsp.status"), Some("502"));
    assert_eq!(span.tag("error"), Some("Unable to route request!"));
    let texts: Vec<_> = span.annotations.iter().map(|at| at.value.as_str()).collect();
    assert_eq!(texts, ["namer.success"]);
    assert_eq!((span.tag("client"), span.tag("residual")), (None, None), "{span:#?}");
}

#[test]
fn a_request_whose_destination_refuses_is_one_server_span() {
    let refusing = Refusing::new();
    let (response, spans) = spans_of(refusing.address, "1.0", "");
    assert_eq!(response.status(), 502);
    let [span] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert!(span.is("SERVER") && span.parent_id.is_none(), "{span:#?}");
    assert_eq!(span.tag("io.buoyant.router.Failure"), Some("ClientAcquisition"));
    assert_eq!(span.tag("client"), Some(inet(refusing.address).as_str()));
    let error = format!("Unable to establish connection to {}.", refusing.address);
    assert_eq!(span.tag("error"), Some(error.as_str()));
    assert_eq!(span.tag("http.rsp.status"), Some("502"));
}

#[test]
fn a_request_that_names_nothing_is_one_server_span_called_by_its_method() {
    let (origin, collector) = (Origin::answering(origin::OK), Collector::live());
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    let response = Raw::connect(proxy.router()).exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(response.status(), 400);
    let spans = all_spans(proxy, &collector);
    let [span] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert!(span.is("SERVER"), "{span:#?}");
    assert_eq!(span.name.as_deref(), Some("get"));
    assert_eq!(span.service(), "router");
    assert_eq!(span.tag("io.buoyant.router.Failure"), Some("Identification"));
    assert_eq!(span.tag("http.rsp.status"), Some("400"));
    assert_eq!(span.tag("service"), None, "{span:#?}");
}

#[test]
fn an_exchange_that_breaks_is_told_on_both_spans() {
    let breaking = Origin::scripted(|mut connection| {
        connection.request();
    });
    let (response, spans) = spans_of(breaking.address(), "1.0", "");
    assert_eq!(response.status(), 502);
    let chain = chain::checked(&spans, &["router"]);
    let (server, client) = (chain[0], chain[1]);
    assert_eq!(server.tag("io.buoyant.router.Failure"), Some("Service"));
    assert_eq!(server.tag("http.rsp.status"), Some("502"));
    assert!(client.annotated("ws") && client.annotated("l5d.failure"), "{client:#?}");
    assert!(!client.annotated("wr") && client.tag("http.rsp.status").is_none(), "{client:#?}");
    assert!(client.tag("error").is_some_and(|error| !error.is_empty()), "{client:#?}");
    let receive_error = |text: &str| text.starts_with("Client Receive Error: ");
    assert!(client.annotations.iter().any(|at| receive_error(&at.value)), "{client:#?}");
}

#[test]
fn a_failure_that_the_destination_answered_is_told_on_the_client_span() {
    let failing = Origin::answering("HTTP/1.1 503 Too Busy\r\ncontent-length: 0\r\n\r\n");
    let (response, spans) = spans_of(failing.address(), "1.0", "");
    assert_eq!(response.status(), 503);
    let chain = chain::checked(&spans, &["router"]);
    let (server, client) = (chain[0], chain[1]);
    assert_eq!(client.tag("http.rsp.status"), Some("503"));
    assert_eq!(client.tag("error"), Some("Too Busy"));
    assert!(client.annotated("l5d.failure") && client.tag("l5d.success").is_none(), "{client:#?}");
    assert_eq!(server.tag("http.rsp.status"), Some("503"));
    assert_eq!(server.tag("io.buoyant.router.Failure"), None, "{server:#?}");
}

#[test]
fn the_spans_of_a_caller_that_goes_away_are_closed() {
    let collector = Collector::live();
    let silent = Origin::scripted(|mut connection| {
        connection.request();
        // Nothing more comes until the proxy ends the connection.
        connection.request();
    });
    let proxy = Proxy::start(&one_router(silent.address(), &collector.telemeter("1.0")));
    let mut caller = Raw::connect(proxy.router());
    caller.send(raw::get_request("/", ""));
    silent.wait_for_requests(1);
    caller.reset();
    let spans = collector.wait_for_spans(2);
    let chain = chain::checked(&spans, &["router"]);
    assert_eq!(chain[0].tag("io.buoyant.router.Failure"), Some("Service"));
    assert_eq!(chain[0].tag("http.rsp.status"), None, "nobody was answered: {spans:#?}");
}
