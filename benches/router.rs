//! What routing costs a request on its shard: heads rewritten both ways (the design gives 0.3 us to all of it),
//! identifying and the cached bind (0.1 us), and choosing a client and an address (0.05 us, the pool included).

#![expect(clippy::expect_used, reason = "without its input a bench has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use ringspan::balance;
use ringspan::client::Addresses;
use ringspan::clock::Monotonic;
use ringspan::discovery::Directory;
use ringspan::http1::{HeadError, HeaderSlots, Limits, Parsed, parse_request, parse_response};
use ringspan::identifier::host_token;
use ringspan::name::{Dtab, Path};
use ringspan::router::rewrite::{
    ConnectionLine, ReplyFraming, encode_attempt, encode_request, encode_response,
};
use ringspan::router::{Router, RouterParams};
use ringspan::signal::Signal;
use ringspan::trace::{Samplers, TraceContext, receive, send};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a load generator sends.
const SMALL_REQUEST: &[u8] = b"GET /api/ping HTTP/1.1\r\nHost: web.example:8080\r\nUser-Agent: load/1.0\r\n\
    Accept: */*\r\nConnection: keep-alive\r\n\r\n";

/// What comes from another router of the chain.
const ROUTED_REQUEST: &[u8] =
    b"GET /api/v1/items/42?fields=name,price HTTP/1.1\r\nHost: shop.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: application/json\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\
    Via: 1.1 ringspan\r\nl5d-dst-service: /svc/shop.example\r\nl5d-reqid: 0000000000000003\r\n\
    l5d-dst-client: /$/inet/127.1/9001\r\nl5d-ctx-trace: AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAADAAAAAAAAAAY=\r\n\r\n";

const SMALL_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Feb 2025 10:00:00 GMT\r\nServer: origin\r\n\
    Content-Type: application/json\r\nContent-Length: 512\r\nCache-Control: no-cache\r\nConnection: keep-alive\r\n\r\n";

/// A router that has bound nothing yet.
fn router(dtab: &str) -> Router {
    let (_, watchers) = Directory::new(&[Arc::<Signal>::default()]);
    let watcher = watchers.into_iter().next().expect("one watcher for one shard");
    let params = RouterParams {
        label: "bench".to_owned(),
        dtab: Dtab::parse(dtab).expect("a valid dtab"),
        dst_prefix: Path::from_labels(["svc"]),
        servers: Vec::new(),
        binding_timeout: Duration::from_secs(10),
        limits: Limits::default(),
    };
    Router::new(params, Rc::new(watcher), Arc::default())
}

fn complete<T>(parsed: Result<Parsed<T>, HeadError>) -> T {
    match parsed.expect("a valid head") {
        Parsed::Complete { head, .. } => Some(head),
        Parsed::NeedMore => None,
    }
    .expect("a whole head")
}

fn contexts() -> (TraceContext, TraceContext) {
    let (samplers, mut rng) = (Samplers::new([0.001], 7), SmallRng::seed_from_u64(1));
    let server = receive(None, None, &samplers, &mut rng);
    (server, send(&server, &samplers, &mut rng))
}

fn rewriting(criterion: &mut Criterion) {
    let router = router("/svc => /$/inet/127.1/9001");
    let service = router.service(b"shop.example", Monotonic::default());
    let leaf = service.pick(&mut SmallRng::seed_from_u64(1), String::new).expect("a client");
    let (server, client) = contexts();
    let mut out = Vec::with_capacity(2048);
    for (name, input) in [
        ("rewrite a request of 4 headers", SMALL_REQUEST),
        ("rewrite a request of 11 headers", ROUTED_REQUEST),
    ] {
        let mut slots = HeaderSlots::new();
        let head = complete(parse_request(input, &Limits::default(), &mut slots));
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_request(black_box(&head), service.line(), &server, &mut out);
                encode_attempt(leaf.lines(), &client, &mut out);
                out.len()
            });
        });
    }
    for (name, input) in
        [("rewrite a response of 1 header", SMALL_RESPONSE), ("rewrite a response of 6 headers", RESPONSE)]
    {
        let mut slots = HeaderSlots::new();
        let head = complete(parse_response(input, &Limits::default(), "GET", &mut slots));
        let framing = ReplyFraming { body: head.body, connection: ConnectionLine::Absent };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_response(black_box(&head), true, framing, &mut out);
                out.len()
            });
        });
    }
}

fn binding(criterion: &mut Criterion) {
    let router = router("/svc => /$/inet/127.1/9001");
    for name in 0..100 {
        router.service(format!("service-{name}.example").as_bytes(), Monotonic::default());
    }
    let mut slots = HeaderSlots::new();
    let input = b"GET / HTTP/1.1\r\nHost: service-42.example\r\n\r\n";
    let head = complete(parse_request(input, &Limits::default(), &mut slots));
    criterion.bench_function("identify and bind, cached", |bencher| {
        bencher.iter(|| {
            let token = host_token(black_box(&head)).unwrap_or_default();
            router.service(token, Monotonic::from_nanos(1))
        });
    });
}

fn choosing(criterion: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    for (name, dtab) in [
        ("pick the only client", "/svc => /$/inet/127.1/9001"),
        ("pick one of three clients", "/svc => 7 * /$/inet/1 & 2 * /$/inet/2 & 1 * /$/inet/3"),
    ] {
        let service = router(dtab).service(b"shop.example", Monotonic::default());
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let leaf = service.pick(&mut rng, String::new);
                leaf.is_ok_and(|leaf| leaf.lines().is_empty())
            });
        });
    }
    let service = router("/svc => /$/inet/127.1/9001").service(b"shop.example", Monotonic::default());
    let leaf = service.pick(&mut rng, String::new).expect("a client");
    criterion.bench_function("pick the only address of a client", |bencher| {
        bencher.iter(|| {
            let Addresses::Known(known) = black_box(leaf.client()).addresses() else { return None };
            let load = |index: usize| known.get(index).map_or(u32::MAX, |destination| destination.load());
            let picked = balance::pick(known.len(), load, &mut rng)?;
            known.get(picked).map(Rc::clone)
        });
    });
    let loads = [3, 1, 4, 1, 5, 9, 2, 6];
    criterion.bench_function("pick one of eight addresses by load", |bencher| {
        bencher.iter(|| {
            let loads = black_box(&loads);
            balance::pick(loads.len(), |index| loads.get(index).copied().unwrap_or(u32::MAX), &mut rng)
        });
    });
}

criterion_group!(benches, rewriting, binding, choosing);
criterion_main!(benches);
