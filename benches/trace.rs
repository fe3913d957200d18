//! What tracing costs a request (context headers, the sampling decision, recording) and the flusher (JSON).

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use ringspan::clock::{Clock, Monotonic};
use ringspan::trace::{
    Batch, Kind, Note, Notes, Outlet, Sampler, Samplers, ShardCounts, Site, SiteParts, SpanBuffer, SpanHead,
    SpanName, Tag, TraceContext, receive, send,
};
use ringspan::zipkin::body::{BodyLimits, Unsent, encode};
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};

struct Channel(Sender<Batch>);

impl Outlet for Channel {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        self.0.send(batch).map_err(|back| back.0)
    }
}

struct Hop {
    buffer: SpanBuffer,
    batches: Receiver<Batch>,
    server: Site,
    client: Site,
}

/// The two places of a router of the tutorial.
fn hop() -> Hop {
    let (sender, batches) = channel();
    let counts = std::iter::once(ShardCounts::default()).collect();
    let buffer = SpanBuffer::new(Clock::start(), Samplers::new([1.0], 7), Box::new(Channel(sender)), counts);
    let tags = [
        (Tag::RouterLabel, "router1"),
        (Tag::Service, "/svc/localhost:9000"),
        (Tag::Client, "/$/inet/127.1/9001"),
        (Tag::Residual, "/localhost:9000"),
        (Tag::DtabBase, "/svc=>/$/inet/127.1/9001"),
        (Tag::DtabLocal, ""),
    ];
    let server = Site::new(SiteParts {
        kind: Kind::Server,
        service: "router1".to_owned(),
        span_name: "router1 /svc/localhost:9000".to_owned(),
        remote_service: String::new(),
        tags: tags.map(|(tag, value)| (tag, value.to_owned())).to_vec(),
    });
    let client = Site::new(SiteParts {
        kind: Kind::Client,
        service: "router1".to_owned(),
        span_name: String::new(),
        remote_service: "$/inet/127.1/9001".to_owned(),
        tags: Vec::new(),
    });
    Hop { buffer, batches, server, client }
}

/// Records what one sampled request of the tutorial leaves: a server span and a client span.
fn record(hop: &Hop, context: &TraceContext, notes: &mut [Notes; 2]) {
    let [server, client] = notes;
    let at_us = 1_700_000_000_000_000;
    server.clear();
    server.annotate(Note::NamerSuccess, at_us);
    server.tag(Tag::HttpReqMethod, b"GET");
    server.tag(Tag::HttpUri, b"/admin/ping");
    server.tag_number(Tag::HttpRspStatus, 200);
    client.clear();
    client.annotate(Note::WireSend, at_us);
    client.annotate(Note::WireReceive, at_us + 200);
    client.tag(Tag::HttpReqMethod, b"GET");
    client.tag(Tag::HttpUri, b"/admin/ping");
    client.tag(Tag::HttpReqHost, b"localhost:9000");
    client.tag(Tag::HttpReqVersion, b"HTTP/1.1");
    client.tag_number(Tag::HttpRspStatus, 200);
    client.tag(Tag::HttpRspVersion, b"HTTP/1.1");
    client.tag(Tag::HttpRspContentType, b"text/plain");
    client.tag(Tag::HttpRspContentLength, b"4");
    client.tag(Tag::L5dSuccess, b"1.0");
    let (start, end) = (Monotonic::from_nanos(1_000_000), Monotonic::from_nanos(1_400_000));
    let local = Some(([127, 0, 0, 1], 9000).into());
    let remote = Some(([127, 0, 0, 1], 51_234).into());
    let head = SpanHead { context: *context, start, end, local, remote, name: SpanName::OfSite };
    hop.buffer.record(&hop.server, &head, server);
    hop.buffer.record(&hop.client, &SpanHead { name: SpanName::Request, ..head }, client);
}

fn sampled_context() -> TraceContext {
    let mut rng = SmallRng::seed_from_u64(1);
    let samplers = Samplers::new([1.0], 7);
    let inbound = receive(None, None, &samplers, &mut rng);
    send(&inbound, &samplers, &mut rng)
}

fn contexts(criterion: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    let samplers = Samplers::new([0.001], 7);
    let mut header = Vec::new();
    sampled_context().encode(&mut header);
    let mut out = Vec::with_capacity(64);

    let sampler = Sampler::new(0.001, 7);
    let mut id = 0;
    criterion.bench_function("sampler", |bench| {
        bench.iter(|| {
            id += 1;
            sampler.sampled(black_box(id))
        });
    });
    criterion.bench_function("ctx-trace decode", |bench| {
        bench.iter(|| TraceContext::decode(black_box(&header)));
    });
    let context = sampled_context();
    criterion.bench_function("ctx-trace encode", |bench| {
        bench.iter(|| {
            out.clear();
            black_box(&context).encode(&mut out);
        });
    });
    criterion.bench_function("unsampled request: receive, send, both headers", |bench| {
        bench.iter(|| {
            out.clear();
            let server = receive(None, None, &samplers, &mut rng);
            let client = send(&server, &samplers, &mut rng);
            client.encode(&mut out);
            client.encode_reqid(&mut out);
            out.len()
        });
    });
}

fn spans(criterion: &mut Criterion) {
    let hop = hop();
    let context = sampled_context();
    let mut notes = [Notes::new(), Notes::new()];

    let mut group = criterion.benchmark_group("spans");
    group.throughput(Throughput::Elements(2));
    group.bench_function("record two spans", |bench| {
        bench.iter(|| {
            record(&hop, &context, &mut notes);
            // Dropping a full batch gives its memory back to the shard, as the flusher does.
            while hop.batches.try_recv().is_ok() {}
        });
    });

    for _ in 0..500 {
        record(&hop, &context, &mut notes);
    }
    hop.buffer.hand_over();
    let mut batches: Vec<_> = hop.batches.try_iter().map(Rc::new).collect();
    let batch = batches.swap_remove(0);
    let spans = batch.spans_for(0);
    let limits = BodyLimits { bytes: usize::MAX / 2, spans: u64::MAX };
    let waiting = || VecDeque::from([Unsent::new(Rc::clone(&batch), 0)]);
    println!(
        "{spans} spans, {} bytes of records, {} bytes of JSON",
        batch.bytes(),
        encode(&mut waiting(), limits).json.len()
    );
    group.throughput(Throughput::Elements(spans));
    group.bench_function("span to JSON", |bench| {
        bench.iter(|| encode(&mut waiting(), limits));
    });
    group.finish();
}

criterion_group!(benches, contexts, spans);
criterion_main!(benches);
