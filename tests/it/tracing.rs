//! Context headers, sampling, and the spans that reach a collector.

mod contexts;
mod failures;

use crate::support::chain::{self, PORTS, ROUTERS};
use crate::support::context::{Context, hex16};
use crate::support::{
    Collector, Launch, Message, Origin, Proxy, Raw, Span, inet, one_router, origin, own_ip, raw,
};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// The flags word of a context whose trace is sampled.
const SAMPLED: u64 = 6;

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
