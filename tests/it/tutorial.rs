//! The two tutorial set-ups that ringspan ships with: three routers in a row, one request, one trace of six
//! spans in the collector that is built in.

use crate::support::chain::{self, ROUTERS};
use crate::support::{Proxy, Raw, Span, eventually_within, own_ip};
use std::net::Ipv4Addr;
use std::time::Duration;

const TOML: &str = include_str!("../../config/tutorial.toml");
const YAML: &str = include_str!("../../config/tutorial.linkerd.yaml");

/// A trace is to be seen this soon after its request.
const SOON: Duration = Duration::from_secs(2);

/// Replaces every `from`, of which there must be `count`, so that a change of the file is not missed.
fn replace(text: &mut String, from: &str, to: &str, count: usize) {
    assert_eq!(text.matches(from).count(), count, "{from:?} in {text}");
    *text = text.replace(from, to);
}

/// The file as it is, but with every listener on `ip`.
fn on_own_address(file: &str, ip: Ipv4Addr) -> String {
    let mut text = file.to_owned();
    if file == TOML {
        replace(&mut text, "{ port = ", &format!("{{ ip = \"{ip}\", port = "), 3);
        replace(&mut text, "[admin]\n", &format!("[admin]\nip = \"{ip}\"\n"), 1);
        replace(&mut text, "[collector]\nport", &format!("[collector]\nip = \"{ip}\"\nport"), 1);
        replace(&mut text, "host = \"localhost\"", &format!("host = \"{ip}\""), 1);
    } else {
        replace(&mut text, "  - port: ", &format!("  - ip: {ip}\n    port: "), 3);
        replace(&mut text, "admin:\n", &format!("admin:\n  ip: {ip}\n"), 1);
        replace(&mut text, "collector:\n", &format!("collector:\n  ip: {ip}\n"), 1);
        replace(&mut text, "host: localhost", &format!("host: {ip}"), 1);
    }
    replace(&mut text, "/127.1/", &format!("/{ip}/"), 3);
    text
}

fn check(file: &str) {
    let ip = own_ip();
    let proxy = Proxy::start(&on_own_address(file, ip));
    let listeners = ["admin http", "router1", "router2", "router3", "collector"];
    let ports = listeners.map(|name| proxy.address(name));
    assert_eq!(ports, [9990, 9000, 9001, 9002, 9411].map(|port| (ip, port).into()), "{}", proxy.stderr());

    let pong = Raw::connect(proxy.address("router1"))
        .exchange("GET /admin/ping HTTP/1.1\r\nhost: localhost:9000\r\n\r\n");
    assert_eq!((pong.status(), pong.text().as_str()), (200, "pong"));

    let spans = eventually_within(SOON, "the trace in the collector", || {
        let request = "GET /api/v2/traces HTTP/1.1\r\nhost: collector\r\n\r\n";
        let answer = Raw::connect(proxy.address("collector")).exchange(request);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let traces: Vec<Vec<Span>> = serde_json::from_slice(&answer.body).expect("traces in Zipkin's JSON");
        assert!(traces.len() <= 1, "one request is one trace: {traces:#?}");
        traces.into_iter().next().filter(|trace| trace.len() >= 6)
    });
    let chain = chain::checked(&spans, &ROUTERS);
    let next = [9001, 9002, 9990];
    for (router, ((label, hop), next)) in ROUTERS.iter().zip(chain.chunks(2)).zip(next).enumerate() {
        let (server, client) = (hop[0], hop[1]);
        assert_eq!(server.name, Some(format!("{label} /svc/localhost:9000")));
        assert_eq!(server.local_endpoint.port, Some(9000 + u16::try_from(router).unwrap()));
        assert_eq!(server.local_endpoint.ipv4, Some(ip.to_string()));
        assert_eq!(server.tag("router.label"), Some(*label));
        assert_eq!(server.tag("service"), Some("/svc/localhost:9000"));
        assert_eq!(server.tag("client"), Some(format!("/$/inet/{ip}/{next}").as_str()));
        assert_eq!(server.tag("residual"), Some("/localhost:9000"));
        assert_eq!(client.name.as_deref(), Some("get /admin/ping"));
        assert_eq!(client.remote_endpoint.service_name, Some(format!("$/inet/{ip}/{next}")));
        assert_eq!(client.remote_endpoint.port, Some(next));
        assert_eq!(client.tag("http.rsp.status"), Some("200"));
        assert_eq!(client.tag("http.rsp.content-length"), Some("4"));
    }
    let ended = proxy.stop();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
}

#[test]
fn the_tutorial_shows_one_request_as_one_trace_of_six_spans() {
    check(TOML);
}

#[test]
fn the_tutorial_as_a_linkerd_configuration_shows_the_same() {
    check(YAML);
}
