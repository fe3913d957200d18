//! Every span is counted, whatever becomes of its collector, and no request is lost over it.

use crate::support::chain::{self, PORTS, ROUTERS};
use crate::support::collector::{Behaviour, telemeter};
use crate::support::origin::{self, Refusing};
use crate::support::proxy::Spans;
use crate::support::{Collector, Gate, Origin, Proxy, Raw, Span, eventually, load, one_router, own_ip, raw};
use std::net::SocketAddr;

/// The load of most tests: two spans for each of a thousand requests.
const CONNECTIONS: usize = 50;
const EACH: usize = 20;
const SPANS: u64 = 2_000;

/// The books once all spans of the load are in them, and they add up.
#[track_caller]
fn books(proxy: &Proxy, recorded: u64) -> Spans {
    let settled = |spans: Spans| spans.recorded == recorded && spans.add_up();
    proxy.metrics_when("the books add up", |metrics| settled(metrics.spans())).spans()
}

/// How many spans the last words of a proxy say were lost at its end.
fn unsent(stderr: &str) -> u64 {
    let line = stderr.lines().find(|line| line.contains("spans could not be sent before the end"));
    line.map_or(0, |line| line.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a number"))
}

#[test]
fn a_thousand_requests_through_three_routers_are_a_thousand_traces_of_six_spans() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let collector = SocketAddr::from((ip, 9411));
    let more = format!(
        "{}[collector]\nip = \"{ip}\"\nport = 9411\nmaxSpans = 100000\n",
        telemeter(collector, "1.0")
    );
    let proxy = Proxy::start(&chain::config(ip, origin.address(), 2, &more));
    load::run((ip, PORTS[0]).into(), CONNECTIONS, EACH, "/");
    proxy.metrics_when("all spans are sent", |metrics| {
        metrics.spans() == Spans { recorded: 6_000, sent: 6_000, dropped: 0, queued: 0 }
    });
    let answer = raw::get(collector, "/api/v2/traces?limit=100000");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let traces: Vec<Vec<Span>> = serde_json::from_slice(&answer.body).expect("traces");
    assert_eq!(traces.len(), 1_000);
    for trace in &traces {
        chain::checked(trace, &ROUTERS);
    }
    assert_eq!(origin.requests().len(), 1_000);
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn a_collector_that_takes_nothing_costs_no_request_and_its_spans_wait_until_the_end() {
    for behaviour in [Behaviour::Answer(500), Behaviour::Answer(429), Behaviour::Reset, Behaviour::Ignore] {
        let (origin, collector) = (Origin::answering(origin::OK), Collector::start(behaviour.clone()));
        let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
        load::run(proxy.router(), CONNECTIONS, EACH, "/");
        collector.wait_for_posts(1);
        let spans = books(&proxy, SPANS);
        assert_eq!((spans.sent, spans.dropped, spans.queued), (0, 0, SPANS), "{behaviour:?}");
        let ended = proxy.stop();
        assert_eq!(ended.code(), 0, "{behaviour:?}: {}", ended.stderr);
        assert_eq!(unsent(&ended.stderr), SPANS, "{behaviour:?}: {}", ended.stderr);
        assert_eq!(collector.spans(), [], "{behaviour:?}");
    }
}

#[test]
fn a_collector_that_is_not_there_costs_no_request_and_its_spans_wait_until_the_end() {
    let (origin, refusing) = (Origin::answering(origin::OK), Refusing::new());
    let proxy = Proxy::start(&one_router(origin.address(), &telemeter(refusing.address, "1.0")));
    load::run(proxy.router(), CONNECTIONS, EACH, "/");
    let spans = books(&proxy, SPANS);
    assert_eq!((spans.sent, spans.dropped, spans.queued), (0, 0, SPANS));
    let ended = proxy.stop();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_eq!(unsent(&ended.stderr), SPANS, "{}", ended.stderr);
}

#[test]
fn spans_that_a_collector_refuses_for_good_are_dropped_and_not_sent_again() {
    for status in [400, 413] {
        let (origin, collector) =
            (Origin::answering(origin::OK), Collector::start(Behaviour::Answer(status)));
        let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
        load::run(proxy.router(), CONNECTIONS, EACH, "/");
        let metrics = proxy.metrics_when("all spans are refused", |metrics| metrics.spans().dropped == SPANS);
        let expected = Spans { recorded: SPANS, sent: 0, dropped: SPANS, queued: 0 };
        assert_eq!((metrics.spans(), metrics.dropped("rejected")), (expected, SPANS), "{status}");
        let posts = metrics.count("telemetry/zipkin/posts");
        let ended = proxy.stop();
        assert_eq!((ended.code(), unsent(&ended.stderr)), (0, 0), "{status}: {}", ended.stderr);
        assert_eq!(u64::try_from(collector.posts()).unwrap(), posts, "{status}: nothing is posted twice");
    }
}

#[test]
fn a_slow_collector_delays_no_request_and_gets_every_span_in_the_end() {
    let gate = Gate::default();
    let (origin, collector) =
        (Origin::answering(origin::OK), Collector::start(Behaviour::TakeWhen(gate.clone())));
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    load::run(proxy.router(), CONNECTIONS, EACH, "/");
    collector.wait_for_posts(1);
    let spans = books(&proxy, SPANS);
    assert_eq!((spans.sent, spans.queued), (0, SPANS), "all requests are answered, and no post is");
    gate.open();
    proxy.metrics_when("all spans are sent", |metrics| metrics.spans().sent == SPANS);
    assert_eq!(books(&proxy, SPANS), Spans { recorded: SPANS, sent: SPANS, dropped: 0, queued: 0 });
    assert_eq!(collector.distinct(), 2_000);
}

#[test]
fn a_collector_that_recovers_gets_what_it_missed() {
    for behaviour in [Behaviour::Answer(503), Behaviour::Reset] {
        let (origin, collector) = (Origin::answering(origin::OK), Collector::start(behaviour.clone()));
        let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
        load::run(proxy.router(), CONNECTIONS, EACH, "/");
        collector.wait_for_posts(2);
        collector.behave(Behaviour::Take);
        proxy.metrics_when("all spans are sent", |metrics| metrics.spans().sent == SPANS);
        assert_eq!(books(&proxy, SPANS).dropped, 0, "{behaviour:?}");
        assert_eq!(proxy.stop().code(), 0, "{behaviour:?}");
        assert_eq!((collector.spans().len(), collector.distinct()), (2_000, 2_000), "{behaviour:?}");
    }
}

#[test]
fn a_collector_that_starts_after_the_proxy_gets_what_it_missed() {
    let (origin, address) = (Origin::answering(origin::OK), SocketAddr::from((own_ip(), 9411)));
    let proxy = Proxy::start(&one_router(origin.address(), &telemeter(address, "1.0")));
    load::run(proxy.router(), CONNECTIONS, EACH, "/");
    eventually("a warning", || {
        proxy.stderr().contains("the collector takes no spans; they wait").then_some(())
    });
    let collector = Collector::on(address, Behaviour::Take);
    proxy.metrics_when("all spans are sent", |metrics| metrics.spans().sent == SPANS);
    assert_eq!((collector.spans().len(), collector.distinct()), (2_000, 2_000));
    eventually("the all-clear", || proxy.stderr().contains("the collector takes spans again").then_some(()));
}

#[test]
fn spans_of_the_last_requests_are_sent_before_the_end() {
    let (origin, collector, ip) = (Origin::answering(origin::OK), Collector::live(), own_ip());
    let proxy = Proxy::start(&chain::config(ip, origin.address(), 2, &collector.telemeter("1.0")));
    load::run((ip, PORTS[0]).into(), 10, 5, "/");
    let ended = proxy.stop();
    assert_eq!((ended.code(), unsent(&ended.stderr)), (0, 0), "{}", ended.stderr);
    let traces = chain::traces(collector.spans());
    assert_eq!(traces.len(), 50);
    for trace in &traces {
        chain::checked(trace, &ROUTERS);
    }
}

#[test]
fn memory_stays_bounded_while_a_collector_is_away_and_dropped_spans_are_counted() {
    // The spans that wait for a collector may take 32 MiB. These are some 90 MB.
    const REQUESTS_EACH: usize = 240;
    const MOST_GROWTH_KIB: u64 = 64 * 1024;
    let (origin, collector) = (Origin::forgetful(origin::OK), Collector::start(Behaviour::Answer(500)));
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    let path = format!("/{}", "x".repeat(4_000));
    load::run(proxy.router(), CONNECTIONS, 1, &path);
    let before = proxy.resident_kib();
    load::run(proxy.router(), CONNECTIONS, REQUESTS_EACH - 1, &path);
    let recorded = 2 * u64::try_from(CONNECTIONS * REQUESTS_EACH).unwrap();
    let metrics = proxy.metrics_when("the books add up", |metrics| {
        metrics.spans().recorded == recorded && metrics.spans().add_up()
    });
    let grown = proxy.resident_kib().saturating_sub(before);
    assert!(grown < MOST_GROWTH_KIB, "resident memory grew by {grown} KiB");
    let spans = metrics.spans();
    assert!(spans.dropped > 0 && spans.queued > 0 && spans.sent == 0, "{spans:?}");
    assert_eq!(metrics.dropped("retry_budget") + metrics.dropped("queue_full"), spans.dropped);
    let ended = proxy.stop();
    assert_eq!((ended.code(), unsent(&ended.stderr)), (0, spans.queued), "{}", ended.stderr);
}

#[test]
fn a_telemeter_whose_collector_is_away_takes_nothing_from_another() {
    let (origin, live, refusing) = (Origin::answering(origin::OK), Collector::live(), Refusing::new());
    let more = format!("{}{}", telemeter(refusing.address, "1.0"), live.telemeter("1.0"));
    let proxy = Proxy::start(&one_router(origin.address(), &more));
    load::run(proxy.router(), CONNECTIONS, EACH, "/");
    live.wait_for_spans(2_000);
    proxy.metrics_when("the live collector's spans are sent", |metrics| metrics.spans().sent == SPANS);
    // A span counts once for each telemeter that takes it.
    let spans = books(&proxy, 2 * SPANS);
    assert_eq!(spans, Spans { recorded: 2 * SPANS, sent: SPANS, dropped: 0, queued: SPANS });
    assert_eq!((live.spans().len(), live.distinct()), (2_000, 2_000));
    let ended = proxy.stop();
    assert_eq!((ended.code(), unsent(&ended.stderr)), (0, SPANS), "{}", ended.stderr);
}

#[test]
fn a_scrape_under_load_never_shows_more_spans_leaving_than_were_recorded() {
    let (origin, collector) = (Origin::answering(origin::OK), Collector::live());
    let proxy = Proxy::start(&one_router(origin.address(), &collector.telemeter("1.0")));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load::run(proxy.router(), 8, 250, "/"));
        let mut scrapes = 0;
        while !load.is_finished() || scrapes == 0 {
            let spans = proxy.metrics().spans();
            assert!(spans.sent + spans.dropped <= spans.recorded, "{spans:?}");
            scrapes += 1;
        }
    });
    proxy.metrics_when("all spans are sent", |metrics| metrics.spans().sent == 4_000);
    assert_eq!(books(&proxy, 4_000), Spans { recorded: 4_000, sent: 4_000, dropped: 0, queued: 0 });
}

#[test]
fn requests_are_counted_on_every_side() {
    let origin = Origin::with(|request| match request.first_line.as_str() {
        "GET /bad HTTP/1.1" => "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
        _ => origin::OK,
    });
    let proxy = Proxy::start(&one_router(origin.address(), ""));
    let mut caller = Raw::connect(proxy.router());
    for path in ["/", "/", "/bad"] {
        caller.exchange(raw::get_request(path, ""));
    }
    let id = format!("$/inet/127.0.0.1/{}", origin.address().port());
    let server = "rt/router/server/127.0.0.1/0";
    let metrics = proxy.metrics_when("the last request is counted", |metrics| {
        metrics.count(&format!("{server}/requests")) == 3 && metrics.count(&format!("{server}/pending")) == 0
    });
    for scope in [server.to_owned(), format!("rt/router/client/{id}")] {
        for (name, expected) in [
            ("requests", 3),
            ("success", 2),
            ("failures", 1),
            ("pending", 0),
            ("status/200", 2),
            ("status/503", 1),
            ("request_latency_ms.count", 3),
        ] {
            let found = metrics.count(&format!("{scope}/{name}"));
            assert_eq!(found, expected, "{scope}/{name} in {:#?}", metrics.below("rt/").collect::<Vec<_>>());
        }
    }
    for scope in [server.to_owned(), format!("rt/router/client/{id}")] {
        assert_eq!(metrics.count(&format!("{scope}/connects")), 1, "{scope}");
        assert_eq!(metrics.count(&format!("{scope}/connections")), 1, "{scope}");
    }
}
