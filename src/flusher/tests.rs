mod collector;

use super::*;
use crate::clock::Monotonic;
use crate::trace::{
    Decision, Kind, Note, Notes, Site, SiteParts, SpanHead, SpanId, SpanName, Tag, TraceContext,
};
use crate::zipkin::body::BodyLimits;
use crate::zipkin::sender::{MAX_RETRY_AFTER, Verdict};
use collector::{Collector, Manner};
use std::net::SocketAddr;
use std::num::NonZeroU64;

/// Short times, so that a test sees in a moment what takes a minute in earnest.
const QUICK: Pace = Pace {
    merge_age: Duration::from_millis(5),
    post_timeout: PATIENCE,
    first_delay: Duration::from_millis(5),
    longest_delay: Duration::from_millis(40),
    ..Pace::DEFAULT
};

/// The longest that a test waits for what must happen at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn params(address: SocketAddr) -> ZipkinParams {
    let host = address.ip().to_string();
    ZipkinParams { host, port: address.port(), host_header: None, compress: false, sample_rate: 1.0 }
}

/// A flusher with two shards, and what is recorded on them.
struct Bench {
    flusher: Flusher,
    buffers: Vec<SpanBuffer>,
    site: Site,
    next: u64,
}

impl Bench {
    fn new(telemeters: &[ZipkinParams], pace: Pace) -> Self {
        let (flusher, buffers) = Flusher::start_at_pace(telemeters, 1, Clock::start(), 2, pace).unwrap();
        let site = Site::new(SiteParts {
            kind: Kind::Client,
            service: "router1".to_owned(),
            span_name: String::new(),
            remote_service: "$/inet/127.1/9001".to_owned(),
            tags: vec![(Tag::RouterLabel, "router1".to_owned())],
        });
        Self { flusher, buffers, site, next: 1 }
    }

    fn one(collector: &Collector, pace: Pace) -> Self {
        Self::new(&[params(collector.address)], pace)
    }

    /// Records spans on the shards in turn and hands them over.
    fn record(&mut self, spans: u64) {
        let mut notes = Notes::new();
        notes.tag(Tag::HttpReqMethod, b"GET");
        notes.tag(Tag::HttpUri, b"/admin/ping?with=query");
        notes.annotate(Note::WireSend, 1);
        for _ in 0..spans {
            let id = SpanId::new(self.next).unwrap();
            let trace = crate::trace::TraceId::short(NonZeroU64::new(self.next).unwrap());
            let context = TraceContext::new(id, None, trace, Decision::Yes, 0);
            let (start, end) = (Monotonic::from_nanos(0), Monotonic::from_nanos(1_000_000));
            let head = SpanHead { context, start, end, local: None, remote: None, name: SpanName::Request };
            let shard = usize::from(self.next.is_multiple_of(2));
            self.buffers[shard].record(&self.site, &head, &notes);
            self.next += 1;
        }
        for buffer in &self.buffers {
            buffer.hand_over();
        }
    }

    fn totals(&self) -> SpanTotals {
        self.flusher.accounting().snapshot()
    }

    /// Waits until `done` holds for the totals, and returns them.
    fn settle(&self, what: &str, done: impl Fn(&SpanTotals) -> bool) -> SpanTotals {
        wait_until(what, || Some(self.totals()).filter(|totals| done(totals)))
    }

    /// Ends shards and flusher, and returns the final totals.
    fn end(self, deadline: Duration) -> SpanTotals {
        drop(self.buffers);
        let totals = self.flusher.shutdown(deadline);
        assert_eq!(totals.queued, 0, "{totals:?}");
        assert_adds_up(&totals);
        totals
    }
}

fn wait_until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::start();
    let begun = clock.now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(clock.now().since(begun) < PATIENCE, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[track_caller]
fn assert_adds_up(totals: &SpanTotals) {
    assert_eq!(totals.recorded, totals.sent + totals.dropped_total() + totals.queued, "{totals:?}");
}

fn dropped(totals: &SpanTotals, reason: DropReason) -> u64 {
    totals.dropped.iter().find(|(name, _)| *name == reason.name()).unwrap().1
}

#[test]
fn spans_of_all_shards_arrive_once_in_few_bodies_over_few_connections() {
    let collector = Collector::accepting();
    let mut bench = Bench::one(&collector, QUICK);
    bench.record(5_000);
    let totals = bench.settle("all sent", |totals| totals.sent == 5_000);
    assert_eq!((totals.recorded, totals.queued, totals.dropped_total()), (5_000, 0, 0));
    assert!(totals.last_success_age.is_some());
    let mut ids = collector.accepted_ids();
    ids.sort();
    let expected: Vec<String> = (1..=5_000).map(|id| format!("{id:016x}")).collect();
    assert_eq!(ids, expected);
    assert!(collector.received().len() < 100 && collector.connections() <= 2);
    let received: u64 = collector.received().iter().map(|request| request.body.len() as u64).sum();
    assert_eq!((totals.bytes_posted, totals.posts), (received, collector.received().len() as u64));
    assert_eq!(bench.end(PATIENCE).sent, 5_000);
}

#[test]
fn a_body_stays_within_its_limits() {
    let collector = Collector::accepting();
    let pace = Pace { body: BodyLimits { bytes: 5_000, spans: 30 }, ..QUICK };
    let mut bench = Bench::one(&collector, pace);
    bench.record(3_000);
    bench.settle("all sent", |totals| totals.sent == 3_000);
    for request in collector.received() {
        let spans: Vec<serde_json::Value> = serde_json::from_slice(&request.body).unwrap();
        assert!(!spans.is_empty() && spans.len() <= 30);
        assert!(request.body.len() < 15_000);
    }
    bench.end(PATIENCE);
}

#[test]
fn a_collector_that_fails_for_a_while_gets_every_span_in_the_end() {
    for manner in [
        Manner::status("500 Internal Server Error"),
        Manner::status("429 Too Many Requests"),
        Manner::Answer("HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_owned()),
        Manner::Answer("this is not HTTP\r\n\r\n".to_owned()),
        Manner::Reset,
        Manner::Silence,
    ] {
        let collector = Collector::start(manner.clone());
        // Only a collector that is silent may run into the time-out, however slow the machine.
        let silent = manner == Manner::Silence;
        let post_timeout = if silent { Duration::from_millis(200) } else { PATIENCE };
        let mut bench = Bench::one(&collector, Pace { post_timeout, ..QUICK });
        bench.record(1_500);
        wait_until("three attempts", || (collector.requests() >= 3).then_some(()));
        let totals = bench.totals();
        assert_eq!((totals.sent, totals.dropped_total()), (0, 0), "{manner:?}");
        collector.change(Manner::status("202 Accepted"));
        bench.record(1_500);
        let totals = bench.settle("all sent", |totals| totals.sent == 3_000);
        assert_eq!((totals.dropped_total(), totals.queued), (0, 0), "{manner:?}");
        bench.end(PATIENCE);
        let mut ids = collector.accepted_ids();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3_000, "{manner:?}");
    }
}

#[test]
fn spans_that_are_refused_for_good_are_dropped_and_never_sent_again() {
    for status in ["400 Bad Request", "413 Content Too Large", "404 Not Found", "302 Found"] {
        let collector = Collector::start(Manner::status(status));
        let mut bench = Bench::one(&collector, QUICK);
        bench.record(10);
        let totals = bench.settle("all dropped", |totals| totals.dropped_total() == 10);
        assert_eq!(dropped(&totals, DropReason::Rejected), 10);
        assert_adds_up(&totals);
        assert_eq!(totals.posts, totals.batches, "{status}: each body was posted once");
        bench.end(PATIENCE);
        assert_eq!(collector.requests(), totals.posts);
    }
}

#[test]
fn an_answer_that_breaks_off_after_its_status_still_counts() {
    let collector = Collector::start(Manner::ResetAnswer);
    let mut bench = Bench::one(&collector, QUICK);
    bench.record(10);
    let totals = bench.settle("all sent", |totals| totals.sent == 10);
    assert_adds_up(&totals);
    bench.end(PATIENCE);
    assert_eq!(collector.accepted_ids().len(), 10);
}

#[test]
fn nobody_at_the_port_means_waiting_and_then_giving_up() {
    let address = Collector::accepting().address;
    let mut bench = Bench::new(&[params(address)], QUICK);
    bench.record(10);
    let totals = bench.settle("some attempts", |totals| totals.posts >= 3);
    assert_eq!((totals.queued, totals.dropped_total(), totals.last_success_age), (10, 0, None));
    assert_adds_up(&totals);
    let totals = bench.end(PATIENCE);
    assert_eq!(dropped(&totals, DropReason::Shutdown), 10);

    let mut bench =
        Bench::new(&[params(address)], Pace { give_up_after: Duration::from_millis(20), ..QUICK });
    bench.record(10);
    let totals = bench.settle("given up", |totals| totals.dropped_total() == 10);
    assert_eq!(dropped(&totals, DropReason::Network), 10);
    assert_adds_up(&totals);
    bench.end(PATIENCE);
}

#[test]
fn what_waits_stays_within_its_budget_and_the_oldest_spans_go_first() {
    let collector = Collector::start(Manner::status("500 Internal Server Error"));
    let budget = 256 * 1024;
    let pace = Pace { budget_bytes: budget, body: BodyLimits { bytes: 10_000, spans: 4_000 }, ..QUICK };
    let mut bench = Bench::one(&collector, pace);
    bench.record(1);
    bench.settle("a failure", |totals| totals.posts > 1);
    for batch in 1..=20 {
        bench.record(1_000);
        // Each batch holds more than a twentieth of the budget, so from some batch on each makes others go.
        let least = (batch * 1_000_u64).saturating_sub(4_000);
        bench.settle("the budget is kept", |totals| dropped(totals, DropReason::Budget) >= least);
    }
    assert_eq!(bench.totals().sent, 0);
    collector.change(Manner::status("202 Accepted"));
    let totals = bench.settle("all that was kept is sent", |totals| totals.queued == 0);
    assert_eq!(dropped(&totals, DropReason::Budget) + totals.sent, 20_001);
    assert!(totals.sent > 500, "{totals:?}");
    let ids = collector.accepted_ids();
    assert!(ids.contains(&format!("{:016x}", 20_001)), "the newest was kept");
    bench.end(PATIENCE);
}

#[test]
fn the_books_never_show_more_leaving_than_was_recorded() {
    let collector = Collector::accepting();
    let mut bench = Bench::one(&collector, QUICK);
    let accounting = bench.flusher.accounting();
    let reader = std::thread::spawn(move || {
        let mut last = accounting.snapshot();
        while last.recorded < 20_000 {
            last = accounting.snapshot();
            assert!(last.sent + last.dropped_total() <= last.recorded, "{last:?}");
        }
    });
    for _ in 0..20 {
        bench.record(1_000);
    }
    reader.join().unwrap();
    assert_eq!(bench.end(PATIENCE).sent, 20_000);
}

#[test]
fn the_end_flushes_what_shards_and_flusher_still_have() {
    let collector = Collector::accepting();
    let mut bench = Bench::one(&collector, Pace { merge_age: PATIENCE, ..QUICK });
    bench.record(700);
    assert_eq!(bench.totals().sent, 0);
    assert_eq!(bench.end(PATIENCE).sent, 700);
    assert_eq!(collector.accepted_ids().len(), 700);
}

#[test]
fn the_end_does_not_wait_longer_than_its_deadline() {
    let collector = Collector::start(Manner::Silence);
    let mut bench = Bench::one(&collector, QUICK);
    bench.record(700);
    wait_until("a request hangs", || (collector.requests() > 0).then_some(()));
    let totals = bench.end(Duration::from_millis(20));
    assert_eq!(dropped(&totals, DropReason::Shutdown), 700);
}

#[test]
fn a_telemeter_that_is_down_does_not_hold_up_another() {
    let (up, down) = (Collector::accepting(), Collector::start(Manner::Silence));
    let mut bench = Bench::new(&[params(down.address), params(up.address)], QUICK);
    bench.record(2_000);
    wait_until("all sent to one", || {
        let telemeters = bench.flusher.accounting().telemeters();
        (telemeters[1].sent == 2_000 && telemeters[0].queued == 2_000).then_some(())
    });
    let totals = bench.totals();
    assert_eq!(totals.recorded, 4_000, "a span counts once for each telemeter that takes it");
    assert_adds_up(&totals);
    let totals = bench.end(Duration::from_millis(20));
    assert_eq!((totals.sent, dropped(&totals, DropReason::Shutdown)), (2_000, 2_000));
}

#[test]
fn each_telemeter_gets_the_share_of_its_own_rate() {
    let (few, all) = (Collector::accepting(), Collector::accepting());
    let telemeters = [ZipkinParams { sample_rate: 0.25, ..params(few.address) }, params(all.address)];
    let mut bench = Bench::new(&telemeters, QUICK);
    bench.record(2_000);
    let totals = bench.end(PATIENCE);
    let (few, all) = (few.accepted_ids().len(), all.accepted_ids().len());
    assert_eq!(all, 2_000);
    assert!((350..650).contains(&few), "{few}");
    assert_eq!(totals.sent, (few + all) as u64);
}

#[test]
fn without_a_telemeter_nothing_runs_and_nothing_is_recorded() {
    let mut bench = Bench::new(&[], QUICK);
    assert!(bench.flusher.running.is_none());
    bench.record(10);
    assert_eq!(bench.end(PATIENCE).recorded, 0);
}

#[test]
fn parameters_that_make_no_collector_are_an_error() {
    let address = "127.0.0.1:1".parse().unwrap();
    let wrong = [
        ZipkinParams { host: "not a host".to_owned(), ..params(address) },
        ZipkinParams { host: "a/b?c".to_owned(), ..params(address) },
        ZipkinParams { host: "user@host".to_owned(), ..params(address) },
        ZipkinParams { host_header: Some("two\r\nlines".to_owned()), ..params(address) },
    ];
    for params in wrong {
        assert!(Flusher::start(std::slice::from_ref(&params), 0, Clock::start(), 1).is_err(), "{params:?}");
    }
    let many = vec![params(address); MAX_TELEMETERS + 1];
    assert!(Flusher::start(&many, 0, Clock::start(), 1).is_err());
    let v6 = ZipkinParams { host: "::1".to_owned(), ..params(address) };
    assert!(Flusher::start(&[v6], 0, Clock::start(), 1).is_ok());
}

/// Posts one body and returns what the collector saw of it, and the verdict.
fn post(manner: Manner, change: impl FnOnce(&mut ZipkinParams)) -> (Collector, Verdict) {
    let collector = Collector::start(manner);
    let mut params = params(collector.address);
    change(&mut params);
    let sender = Sender::new(&params, Duration::from_secs(5), 1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(sender.post(&sender.pack(b"[{}]".to_vec())));
    (collector, verdict)
}

#[test]
fn a_body_is_posted_as_json_to_the_v2_path() {
    let (collector, verdict) = post(Manner::status("202 Accepted"), |_| ());
    assert_eq!(verdict, Verdict::Accepted);
    let request = &collector.received()[0];
    assert!(request.head.starts_with("post /api/v2/spans http/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("content-type: application/json\r\n"));
    assert!(request.head.contains(&format!("host: {}\r\n", collector.address)));
    assert_eq!(request.body, b"[{}]");
}

#[test]
fn host_header_and_compression_are_used_when_set() {
    let (collector, verdict) = post(Manner::status("200 OK"), |params| {
        params.host_header = Some("zipkin".to_owned());
        params.compress = true;
    });
    assert_eq!(verdict, Verdict::Accepted);
    let request = &collector.received()[0];
    assert!(request.head.contains("host: zipkin\r\n") && request.head.contains("content-encoding: gzip\r\n"));
    let mut unzipped = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&request.body[..]), &mut unzipped)
        .unwrap();
    assert_eq!(unzipped, "[{}]");
}

#[test]
fn a_collector_can_ask_for_time_within_a_limit() {
    let seconds = Duration::from_secs;
    let cases = [
        ("429 Slow", "Retry-After: 3", Some(seconds(3))),
        ("503 No", "Retry-After: 99999999", Some(MAX_RETRY_AFTER)),
        ("503 No", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("503 No", "Retry-After: -1", None),
        ("500 No", "Retry-After: 3", None),
    ];
    for (status, header, expected) in cases {
        let answer = format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\n\r\n");
        let (_, verdict) = post(Manner::Answer(answer), |_| ());
        assert!(
            matches!(&verdict, Verdict::NotNow { after, .. } if *after == expected),
            "{status} {header}: {verdict:?}"
        );
    }
}

#[test]
fn the_reason_for_a_refusal_is_one_short_line() {
    let text = format!("bad \r\n span {}", "x".repeat(200_000));
    let answer = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    let (_, verdict) = post(Manner::Answer(answer), |_| ());
    let Verdict::Refused(why) = verdict else { panic!("{verdict:?}") };
    assert!(why.starts_with("400 Bad Request: bad span xxx") && why.len() < 300, "{why}");
}
