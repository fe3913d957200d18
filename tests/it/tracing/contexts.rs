//! What comes in by `l5d-ctx-trace` and `l5d-sample`, and what goes out.

use super::{SAMPLED, all_spans, context_of, spans_of};
use crate::support::chain::{self, PORTS, ROUTERS};
use crate::support::context::{Context, hex16};
use crate::support::{Collector, Origin, Proxy, Raw, one_router, origin, own_ip, raw};
use std::net::SocketAddr;

/// The flags word of a context whose trace is not.
const NOT_SAMPLED: u64 = 2;

/// A caller's own span, as the one of a service that is traced already.
const INBOUND: Context = Context {
    span: 0xa5f4_7e9f_ced3_14a2,
    parent: 0x1111_2222_3333_4444,
    trace: 0xe4bb_b7c0_f6a2_ff07,
    flags: SAMPLED,
    high: None,
};

#[test]
fn a_sample_of_zero_records_nothing_and_is_passed_on_as_a_decision() {
    let (origin, collector, ip) = (Origin::answering(origin::OK), Collector::live(), own_ip());
    let config = chain::config(ip, origin.address(), 1, &collector.telemeter("1.0"));
    let proxy = Proxy::start(&config);
    let response = Raw::connect((ip, PORTS[0]).into()).exchange(raw::get_request("/", "L5d-sample: 0.0\r\n"));
    assert_eq!((response.status(), response.text().as_str()), (200, "fine"));
    let metrics = proxy.metrics();
    assert_eq!(metrics.count("telemetry/zipkin/spans_recorded"), 0);
    assert_eq!(all_spans(proxy, &collector), []);
    let seen = origin.request();
    assert_eq!(context_of(&seen).flags, NOT_SAMPLED);
    assert_eq!(seen.header("l5d-reqid"), Some(hex16(context_of(&seen).trace).as_str()));
    assert_eq!(seen.header("l5d-sample"), None);
}

#[test]
fn a_sample_of_one_records_every_hop_whatever_the_rate() {
    let (origin, collector, ip) = (Origin::answering(origin::OK), Collector::live(), own_ip());
    let config = chain::config(ip, origin.address(), 1, &collector.telemeter("0.0"));
    let proxy = Proxy::start(&config);
    let first = SocketAddr::from((ip, PORTS[0]));
    Raw::connect(first).exchange(raw::get_request("/sampled", "l5d-sample: 1.0\r\n"));
    Raw::connect(first).exchange(raw::get_request("/not-sampled", ""));
    let spans = all_spans(proxy, &collector);
    let chain = chain::checked(&spans, &ROUTERS);
    let requests = origin.requests();
    assert_eq!(hex16(context_of(&requests[0]).span), chain[5].id);
    assert_eq!(requests[0].header("via"), Some("1.1 ringspan, 1.1 ringspan, 1.1 ringspan"));
    assert_eq!(context_of(&requests[1]).flags, NOT_SAMPLED);
}

#[test]
fn a_sample_that_is_no_number_is_ignored_and_removed() {
    for (sample, recorded) in [("yes", true), ("NaN", true), ("", true), ("0,0", true), ("-1", false)] {
        let origin = Origin::answering(origin::OK);
        let (_, spans) = spans_of(origin.address(), "1.0", &format!("l5d-sample: {sample}\r\n"));
        assert_eq!(!spans.is_empty(), recorded, "{sample}: {spans:#?}");
        assert_eq!(origin.request().header("l5d-sample"), None, "{sample}");
    }
}

#[test]
fn without_a_telemeter_the_context_travels_undecided() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let proxy = Proxy::start(&chain::config(ip, origin.address(), 1, ""));
    raw::get((ip, PORTS[0]).into(), "/");
    let seen = origin.request();
    let context = context_of(&seen);
    assert_eq!(context.flags, 0);
    assert_ne!(context.parent, context.span, "three hops back is a root");
    assert_eq!(seen.header("l5d-reqid"), Some(hex16(context.trace).as_str()));
    assert_eq!(proxy.metrics().below("telemetry/").count(), 0);
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn without_a_telemeter_a_sample_is_still_decided_and_passed_on() {
    for (sample, flags) in [("1.0", SAMPLED), ("0.0", NOT_SAMPLED)] {
        let origin = Origin::answering(origin::OK);
        let proxy = Proxy::start(&one_router(origin.address(), ""));
        Raw::connect(proxy.router()).exchange(raw::get_request("/", &format!("l5d-sample: {sample}\r\n")));
        assert_eq!(context_of(&origin.request()).flags, flags, "{sample}");
    }
}

#[test]
fn a_caller_with_a_context_is_the_parent_and_its_decision_holds() {
    let wide = Context { high: Some(0x463a_c35c_9f64_13ad), ..INBOUND };
    let undecided = Context { flags: 0, ..INBOUND };
    for (inbound, sample_rate, recorded, flags) in [
        (INBOUND, "0.0", true, SAMPLED),
        (wide, "0.0", true, SAMPLED),
        (Context { flags: NOT_SAMPLED, ..INBOUND }, "1.0", false, NOT_SAMPLED),
        (undecided, "1.0", true, SAMPLED),
        (undecided, "0.0", false, NOT_SAMPLED),
        // "Sampled" without "known" decides nothing, and unknown bits travel on.
        (Context { flags: 4, ..INBOUND }, "0.0", false, NOT_SAMPLED),
        (Context { flags: 1 << 50 | SAMPLED, ..INBOUND }, "0.0", true, 1 << 50 | SAMPLED),
    ] {
        let case = format!("{inbound:?} at {sample_rate}");
        let origin = Origin::answering(origin::OK);
        let fields = format!("L5D-CTX-TRACE: {}\r\n", inbound.encode());
        let (_, spans) = spans_of(origin.address(), sample_rate, &fields);
        let seen = origin.request();
        let context = context_of(&seen);
        assert_eq!(seen.all("l5d-ctx-trace").count(), 1, "{case}");
        assert_eq!(
            (context.trace, context.high, context.flags),
            (inbound.trace, inbound.high, flags),
            "{case}"
        );
        assert_eq!(seen.header("l5d-reqid"), Some("e4bbb7c0f6a2ff07"), "{case}");
        assert_ne!(context.span, inbound.span, "{case}");
        if !recorded {
            assert_eq!(spans, [], "{case}");
            continue;
        }
        assert_eq!(spans.len(), 2, "{case}: {spans:#?}");
        let server = spans.iter().find(|span| span.is("SERVER")).expect("a server span");
        let client = spans.iter().find(|span| span.is("CLIENT")).expect("a client span");
        let high = inbound.high.map(hex16).unwrap_or_default();
        assert_eq!(server.parent_id.as_deref(), Some("a5f47e9fced314a2"), "{case}");
        assert_eq!(client.parent_id.as_ref(), Some(&server.id), "{case}");
        for span in &spans {
            assert_eq!(span.trace_id, high.clone() + "e4bbb7c0f6a2ff07", "{case}");
        }
        assert_eq!(hex16(context.parent), server.id, "{case}");
        assert_eq!(hex16(context.span), client.id, "{case}");
    }
}

#[test]
fn the_debug_flag_records_at_every_rate_and_marks_the_spans() {
    let origin = Origin::answering(origin::OK);
    let debug = Context { flags: 1, ..INBOUND };
    let fields = format!("l5d-ctx-trace: {}\r\nl5d-sample: 0.0\r\n", debug.encode());
    let (_, spans) = spans_of(origin.address(), "0.0", &fields);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert!(spans.iter().all(|span| span.debug == Some(true)), "{spans:#?}");
    assert_eq!(context_of(&origin.request()).flags, 7);
}

#[test]
fn a_sample_decides_over_an_inherited_decision() {
    for (flags, sample, recorded) in [(SAMPLED, "0.0", false), (NOT_SAMPLED, "1.0", true)] {
        let origin = Origin::answering(origin::OK);
        let inbound = Context { flags, ..INBOUND };
        let fields = format!("l5d-ctx-trace: {}\r\nl5d-sample: {sample}\r\n", inbound.encode());
        let (_, spans) = spans_of(origin.address(), "0.5", &fields);
        assert_eq!(spans.len(), if recorded { 2 } else { 0 }, "{flags} {sample}: {spans:#?}");
        let expected = if recorded { SAMPLED } else { NOT_SAMPLED };
        assert_eq!(context_of(&origin.request()).flags, expected, "{flags} {sample}");
    }
}

#[test]
fn a_malformed_context_counts_as_none() {
    let zero_span = Context { span: 0, ..INBOUND }.encode();
    let zero_trace = Context { trace: 0, ..INBOUND }.encode();
    let good = INBOUND.encode();
    let url_safe = "-".repeat(43) + "=";
    let longer = "A".repeat(64);
    for value in ["", "nonsense", &good[..40], &url_safe, &longer, &zero_span, &zero_trace] {
        let origin = Origin::answering(origin::OK);
        let (_, spans) = spans_of(origin.address(), "1.0", &format!("l5d-ctx-trace: {value}\r\n"));
        let chain = chain::checked(&spans, &["router"]);
        assert_ne!(chain[0].trace_id, "e4bbb7c0f6a2ff07", "{value:?}");
        let seen = origin.request();
        assert_eq!(seen.all("l5d-ctx-trace").count(), 1, "{value:?}");
        assert_eq!(hex16(context_of(&seen).span), chain[1].id, "{value:?}");
    }
}
