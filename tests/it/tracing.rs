//! Context headers, sampling, and the spans that reach a collector.

use crate::support::{Collector, Origin, Proxy, one_router, origin, raw};

#[test]
fn a_request_is_one_server_span_and_one_client_span() {
    let (origin, collector) = (Origin::answering(origin::OK), Collector::live());
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    let response = raw::get(proxy.router(), "/a");
    assert_eq!((response.status(), response.text().as_str()), (200, "fine"));
    let spans = collector.wait_for_spans(2);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert_eq!(origin.request().first_line, "GET /a HTTP/1.1");
    proxy.metrics_when("all spans sent", |metrics| metrics.count("telemetry/zipkin/spans_sent") == 2);
    assert_eq!(proxy.stop().code(), 0);
}
