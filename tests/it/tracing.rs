//! Context headers, sampling, and the spans that reach a collector.

use crate::support::chain::{self, PORTS, ROUTERS};
use crate::support::context::{Context, hex16};
use crate::support::origin::{self, Refusing};
use crate::support::{
    Collector, Launch, Message, Origin, Proxy, Raw, Span, inet, one_router, one_router_with, own_ip, raw,
};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// The flags word of a context whose trace is sampled, and of one whose trace is not.
const SAMPLED: u64 = 6;
const NOT_SAMPLED: u64 = 2;

/// A caller's own span, as the one of a service that is traced already.
const INBOUND: Context = Context {
    span: 0xa5f4_7e9f_ced3_14a2,
    parent: 0x1111_2222_3333_4444,
    trace: 0xe4bb_b7c0_f6a2_ff07,
    flags: SAMPLED,
    high: None,
};

/// Ends `proxy`, which flushes its spans, and answers everything that `collector` then has.
#[track_caller]
fn all_spans(proxy: Proxy, collector: &Collector) -> Vec<Span> {
    let ended = proxy.stop();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    collector.spans()
}

/// The spans of one GET, with `fields` added to its head, through one router to `destination`.
#[track_caller]
fn spans_of(destination: SocketAddr, sample_rate: &str, fields: &str) -> (Message, Vec<Span>) {
    let collector = Collector::live();
    let proxy = Proxy::start(&one_router(destination, &collector.telemeter(sample_rate)));
    let response = Raw::connect(proxy.router()).exchange(raw::get_request("/a?b=c", fields));
    (response, all_spans(proxy, &collector))
}

fn context_of(request: &Message) -> Context {
    Context::decode(request.header("l5d-ctx-trace"))
}

#[test]
fn a_request_is_one_server_span_and_one_client_span() {
    let collector = Collector::live();
    let origin =
        Origin::answering("HTTP/1.1 201 Created\r\ncontent-type: text/x\r\ncontent-length: 2\r\n\r\nok");
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    let mut caller = Raw::connect(proxy.router());
    let (router, caller_address) = (proxy.router(), caller.local_address());
    caller.exchange(
        "POST /a?b=c HTTP/1.1\r\nhost: web\r\ncontent-type: text/y\r\ncontent-length: 3\r\n\r\nabc",
    );
    let spans = all_spans(proxy, &collector);
    let chain = chain::checked(&spans, &["router"]);
    let (server, client) = (chain[0], chain[1]);

    assert_eq!(server.name.as_deref(), Some("router /svc/web"));
    assert_eq!(server.local_endpoint.ipv4, Some(router.ip().to_string()));
    assert_eq!(server.local_endpoint.port, Some(router.port()));
    assert_eq!(server.remote_endpoint.service_name, None);
    assert_eq!(server.remote_endpoint.ipv4, Some(caller_address.ip().to_string()));
    assert_eq!(server.remote_endpoint.port, Some(caller_address.port()));
    let id = inet(origin.address());
    for (key, value) in [
        ("router.label", "router"),
        ("service", "/svc/web"),
        ("client", &id),
        ("residual", "/web"),
        ("http.req.method", "POST"),
        ("http.uri", "/a?b=c"),
        ("http.rsp.status", "201"),
    ] {
        assert_eq!(server.tag(key), Some(value), "{key} in {server:#?}");
    }
    assert!(server.annotated("namer.success"), "{server:#?}");

    assert_eq!(client.name.as_deref(), Some("post /a"));
    assert_eq!(client.local_endpoint.ipv4, Some(router.ip().to_string()));
    assert_eq!(client.local_endpoint.port, None);
    assert_eq!(client.remote_endpoint.service_name.as_deref(), id.strip_prefix('/'));
    assert_eq!(client.remote_endpoint.port, Some(origin.address().port()));
    for (key, value) in [
        ("http.req.method", "POST"),
        ("http.uri", "/a?b=c"),
        ("http.req.host", "web"),
        ("http.req.version", "HTTP/1.1"),
        ("http.req.content-type", "text/y"),
        ("http.req.content-length", "3"),
        ("http.rsp.status", "201"),
        ("http.rsp.version", "HTTP/1.1"),
        ("http.rsp.content-type", "text/x"),
        ("http.rsp.content-length", "2"),
        ("l5d.success", "1.0"),
    ] {
        assert_eq!(client.tag(key), Some(value), "{key} in {client:#?}");
    }
    let wire: Vec<&str> = client.annotations.iter().map(|annotation| annotation.value.as_str()).collect();
    assert_eq!(wire, ["ws", "wr"]);
    let (start, end) = client.interval();
    assert!(client.annotations.iter().all(|at| (start..=end).contains(&at.timestamp)), "{client:#?}");
    for span in &spans {
        assert_eq!((span.shared, span.debug), (None, None), "{span:#?}");
        assert_eq!(span.tag("error"), None, "{span:#?}");
    }
}

#[test]
fn a_destination_is_told_the_context_the_request_id_and_the_names() {
    let origin = Origin::answering(origin::OK);
    let request = "GET / HTTP/1.1\r\nhost: web\r\nvia: 1.0 edge\r\nl5d-sample: 1.0\r\nl5d-reqid: mine\r\n\
                   l5d-dst-service: /mine\r\nl5d-dst-client: /mine\r\nl5d-dst-residual: /mine\r\nl5d-other: stays\r\n\r\n";
    let collector = Collector::live();
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("0.0")));
    Raw::connect(proxy.router()).exchange(request);
    let spans = all_spans(proxy, &collector);
    let chain = chain::checked(&spans, &["router"]);
    let seen = origin.request();
    let context = context_of(&seen);
    assert_eq!(hex16(context.span), chain[1].id);
    assert_eq!(hex16(context.parent), chain[0].id);
    assert_eq!(hex16(context.trace), chain[0].trace_id);
    assert_eq!(context.flags, SAMPLED);
    let id = inet(origin.address());
    for (name, expected) in [
        ("l5d-reqid", &[hex16(context.trace).as_str()][..]),
        ("l5d-sample", &[]),
        ("l5d-dst-service", &["/svc/web"]),
        ("l5d-dst-client", &[id.as_str()]),
        ("l5d-dst-residual", &["/web"]),
        ("l5d-other", &["stays"]),
        ("via", &["1.0 edge, 1.1 ringspan"]),
        ("host", &["web"]),
    ] {
        assert_eq!(seen.all(name).collect::<Vec<_>>(), expected, "{name}");
    }
}

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

#[test]
fn a_service_that_copies_the_context_has_its_calls_below_the_span_that_reached_it() {
    let (leaf, collector) = (Origin::answering(origin::OK), Collector::live());
    let outgoing: Arc<OnceLock<SocketAddr>> = Arc::default();
    let out = Arc::clone(&outgoing);
    let service = Origin::with(move |request| {
        let out = *out.get().expect("the proxy serves before it is called");
        let context = request.header("l5d-ctx-trace").expect("a context");
        for path in ["/first", "/second"] {
            let call = raw::get_request(path, &format!("l5d-ctx-trace: {context}\r\n"));
            assert_eq!(Raw::connect(out).exchange(call).status(), 200);
        }
        origin::OK
    });
    let proxy = Proxy::start(&format!(
        "[admin]\nport = 0\n[runtime]\nshards = 1\n\
         [[routers]]\nprotocol = \"http\"\nlabel = \"in\"\ndtab = '/svc => {}'\nservers = [{{ port = 0 }}]\n\
         [[routers]]\nprotocol = \"http\"\nlabel = \"out\"\ndtab = '/svc => {}'\nservers = [{{ port = 0 }}]\n{}",
        inet(service.address()),
        inet(leaf.address()),
        collector.telemeter("1.0")
    ));
    outgoing.set(proxy.address("out")).unwrap();
    assert_eq!(raw::get(proxy.address("in"), "/").status(), 200);
    let spans = all_spans(proxy, &collector);
    assert_eq!(spans.len(), 6, "{spans:#?}");
    assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id), "{spans:#?}");
    let children = |parent: Option<&Span>| -> Vec<&Span> {
        let id = parent.map(|parent| &parent.id);
        spans.iter().filter(|span| span.parent_id.as_ref() == id).collect()
    };
    let [root] = children(None)[..] else { panic!("one root: {spans:#?}") };
    let [reached] = children(Some(root))[..] else { panic!("one client span in router in: {spans:#?}") };
    assert!(root.is("SERVER") && root.service() == "in" && reached.is("CLIENT") && reached.service() == "in");
    assert!(root.trace_id.ends_with(&root.id), "{root:#?}");
    let calls = children(Some(reached));
    assert_eq!(calls.len(), 2, "{spans:#?}");
    let mut uris = Vec::new();
    for call in calls {
        let [sent] = children(Some(call))[..] else { panic!("one client span for each call: {spans:#?}") };
        assert!(call.is("SERVER") && call.service() == "out" && sent.is("CLIENT") && sent.service() == "out");
        uris.extend(sent.tag("http.uri"));
    }
    uris.sort_unstable();
    assert_eq!(uris, ["/first", "/second"]);
}

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

#[test]
fn spans_of_different_shards_nest() {
    let (origin, collector, ip) = (Origin::answering(origin::OK), Collector::live(), own_ip());
    let config = chain::config(ip, origin.address(), 2, &collector.telemeter("1.0"));
    let proxy = Proxy::start(&config);
    // Each connection, of callers and between the routers, is some shard's: sixteen are hardly all the same's.
    for _ in 0..16 {
        assert_eq!(raw::get((ip, PORTS[0]).into(), "/").status(), 200);
    }
    let traces = chain::traces(all_spans(proxy, &collector));
    assert_eq!(traces.len(), 16);
    for trace in &traces {
        chain::checked(trace, &ROUTERS);
    }
}

#[test]
fn each_of_several_telemeters_gets_its_share() {
    let origin = Origin::answering(origin::OK);
    let (everything, nothing, zipped) = (Collector::live(), Collector::live(), Collector::live());
    let more = format!(
        "{}{}[[telemetry]]\nkind = \"io.zipkin.http\"\nhost = \"{}\"\ninitialSampleRate = 1.0\n",
        everything.telemeter("1.0"),
        nothing.telemeter("0.0"),
        zipped.address()
    );
    let proxy = Proxy::start(&one_router(origin.address(), &more));
    raw::get(proxy.router(), "/");
    let spans = all_spans(proxy, &everything);
    chain::checked(&spans, &["router"]);
    assert_eq!(nothing.spans(), []);
    let mut same = zipped.spans();
    same.sort_by(|a, b| a.id.cmp(&b.id));
    let mut spans = spans;
    spans.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(same, spans);
    let post = &zipped.heads()[0];
    assert_eq!(post.header("host"), Some("zipkin"));
    assert_eq!(post.header("content-encoding"), Some("gzip"));
    assert_eq!(post.header("content-type"), Some("application/json"));
    let post = &everything.heads()[0];
    assert_eq!(post.header("content-encoding"), None);
    assert_eq!(post.header("host"), Some(everything.address().to_string().as_str()));
}

#[test]
fn the_routers_of_a_linkerd_file_in_json_are_traced_alike() {
    let (origin, collector) = (Origin::answering(origin::OK), Collector::live());
    let config = serde_json::json!({
        "admin": { "port": 0 },
        "routers": [{
            "protocol": "http", "label": "router", "dtab": format!("/svc => {};", inet(origin.address())),
            "servers": [{ "port": 0 }],
        }],
        "telemetry": [{
            "kind": "io.l5d.zipkin", "host": collector.address().ip().to_string(),
            "port": collector.address().port(), "sampleRate": 1.0,
        }],
    });
    let proxy = Launch::config(&config.to_string()).start();
    assert_eq!(raw::get(proxy.router(), "/").status(), 200);
    chain::checked(&all_spans(proxy, &collector), &["router"]);
}
