use super::*;
use crate::trace::{Decision, Kind, SiteParts, SpanId, SpanName, Tag, TraceContext, TraceId};
use std::num::NonZeroU64;
use std::sync::Mutex;

/// Takes as many batches as it has room for and keeps them.
#[derive(Clone, Default)]
struct Shelf {
    room: Arc<AtomicU64>,
    taken: Arc<Mutex<Vec<Batch>>>,
}

impl Shelf {
    fn with_room(room: u64) -> Self {
        Self { room: Arc::new(AtomicU64::new(room)), taken: Arc::default() }
    }

    fn spans(&self) -> usize {
        self.taken.lock().unwrap().iter().map(Batch::spans).sum()
    }
}

impl Outlet for Shelf {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        let room = self.room.load(Ordering::Relaxed);
        if room == 0 {
            return Err(batch);
        }
        self.room.store(room - 1, Ordering::Relaxed);
        self.taken.lock().unwrap().push(batch);
        Ok(())
    }
}

struct Bench {
    buffer: SpanBuffer,
    shelf: Shelf,
    counts: Arc<[ShardCounts]>,
    site: Site,
}

fn bench(room: u64, rates: &[f64]) -> Bench {
    let shelf = Shelf::with_room(room);
    let counts: Arc<[ShardCounts]> = rates.iter().map(|_| ShardCounts::default()).collect();
    let samplers = Samplers::new(rates.iter().copied(), 3);
    let buffer = SpanBuffer::new(Clock::start(), samplers, Box::new(shelf.clone()), Arc::clone(&counts));
    Bench { buffer, shelf, counts, site: site("one") }
}

fn site(service: &str) -> Site {
    let service = service.to_owned();
    let (span_name, remote_service) = (String::new(), String::new());
    Site::new(SiteParts { kind: Kind::Client, service, span_name, remote_service, tags: Vec::new() })
}

fn head(trace: u64, end: Monotonic) -> SpanHead {
    let trace = TraceId::short(NonZeroU64::new(trace).unwrap());
    let context = TraceContext::new(SpanId::new(1).unwrap(), None, trace, Decision::Yes, 0);
    let start = Monotonic::default();
    SpanHead { context, start, end, local: None, remote: None, name: SpanName::OfSite }
}

impl Bench {
    fn record(&self, spans: u64, notes: &Notes) {
        for trace in 1..=spans {
            self.buffer.record(&self.site, &head(trace, Monotonic::from_nanos(1_000)), notes);
        }
    }

    /// Recorded, held, dropped while full, dropped at the end, by telemeter.
    fn count(&self, telemeter: usize) -> [u64; 4] {
        let counts = &self.counts[telemeter];
        [counts.recorded(), counts.held(), counts.dropped_full(), counts.dropped_at_end()]
    }
}

#[test]
fn buffers_and_places_can_be_made_on_one_thread_and_used_on_another() {
    fn sendable<T: Send>() {}
    sendable::<SpanBuffer>();
    sendable::<Site>();
}

#[test]
fn a_full_batch_is_handed_over_and_the_rest_waits() {
    let bench = bench(9, &[1.0]);
    bench.record(HAND_OVER_SPANS as u64 + 5, &Notes::new());
    assert_eq!(bench.shelf.spans(), HAND_OVER_SPANS);
    assert_eq!(bench.count(0), [HAND_OVER_SPANS as u64 + 5, 5, 0, 0]);
}

#[test]
fn large_spans_are_handed_over_by_their_bytes() {
    let bench = bench(99, &[1.0]);
    let mut notes = Notes::new();
    notes.tag(Tag::HttpUri, &[b'u'; 4_000]);
    bench.record(100, &notes);
    let taken = bench.shelf.taken.lock().unwrap();
    assert!(taken.len() == 1 && taken[0].bytes() >= HAND_OVER_BYTES);
    assert!(taken[0].bytes() < HAND_OVER_BYTES + 5_000);
}

#[test]
fn spans_without_room_wait_until_the_batch_is_full_and_are_then_dropped_and_counted() {
    let bench = bench(0, &[1.0]);
    let mut notes = Notes::new();
    notes.tag(Tag::HttpUri, &[b'u'; 1_000]);
    bench.record(2_000, &notes);
    let [recorded, held, dropped, _] = bench.count(0);
    assert_eq!(recorded, 2_000);
    assert!(held > 500 && dropped > 500);
    assert_eq!(held + dropped, recorded);
    assert!(
        bench.buffer.filling.as_ref().unwrap().batch.borrow().memory() <= 2 * crate::trace::MAX_BATCH_BYTES
    );

    bench.shelf.room.store(1, Ordering::Relaxed);
    bench.buffer.hand_over();
    assert_eq!(bench.shelf.spans() as u64, held);
    assert_eq!(bench.count(0), [2_000, 0, dropped, 0]);
}

#[test]
fn a_batch_is_due_when_its_first_span_is_old() {
    let bench = bench(9, &[1.0]);
    let first = Monotonic::from_nanos(1_000);
    assert!(!bench.buffer.due(first.plus(HAND_OVER_AGE)), "an empty batch is never due");
    bench.record(1, &Notes::new());
    assert!(!bench.buffer.due(first.plus(HAND_OVER_AGE / 2)));
    assert!(bench.buffer.due(first.plus(HAND_OVER_AGE)));
    bench.buffer.hand_over();
    assert!(!bench.buffer.due(first.plus(HAND_OVER_AGE)));
}

#[test]
fn a_shard_that_ends_hands_its_last_spans_over_or_counts_them_as_dropped() {
    for (room, handed, dropped) in [(1, 3, 0), (0, 0, 3)] {
        let Bench { buffer, shelf, counts, site } = bench(room, &[1.0]);
        for trace in 1..=3 {
            buffer.record(&site, &head(trace, Monotonic::default()), &Notes::new());
        }
        drop(buffer);
        assert_eq!(shelf.spans(), handed);
        assert_eq!((counts[0].recorded(), counts[0].held(), counts[0].dropped_at_end()), (3, 0, dropped));
    }
}

#[test]
fn what_is_not_sampled_or_has_no_telemeter_leaves_no_trace() {
    let bench = bench(9, &[1.0]);
    let mut head = head(1, Monotonic::default());
    head.context.decision = Decision::No;
    bench.buffer.record(&bench.site, &head, &Notes::new());
    head.context.decision = Decision::Unknown;
    bench.buffer.record(&bench.site, &head, &Notes::new());
    assert_eq!(bench.count(0), [0; 4]);

    let disabled = SpanBuffer::disabled(Clock::start(), 3);
    head.context.decision = Decision::Yes;
    disabled.record(&bench.site, &head, &Notes::new());
    assert!(!disabled.takes(&head.context) && !disabled.due(Monotonic::from_nanos(u64::MAX)));
}

#[test]
fn each_telemeter_is_counted_by_its_own_rate() {
    let bench = bench(9, &[0.5, 1.0]);
    bench.record(500, &Notes::new());
    let [half, all] = [bench.count(0)[0], bench.count(1)[0]];
    assert_eq!(all, 500);
    assert!((150..350).contains(&half), "{half}");
    bench.buffer.hand_over();
    let taken = bench.shelf.taken.lock().unwrap();
    assert_eq!([taken[0].spans_for(0), taken[0].spans_for(1)], [half, all]);
}

#[test]
fn a_place_is_kept_once_in_each_batch() {
    let bench = bench(9, &[1.0]);
    let others = [site("two"), site("three")];
    for turn in 0..30 {
        let site = others.get(turn % 3).unwrap_or(&bench.site);
        bench.buffer.record(site, &head(1, Monotonic::default()), &Notes::new());
        if turn == 14 {
            bench.buffer.hand_over();
        }
    }
    bench.buffer.hand_over();
    let taken = bench.shelf.taken.lock().unwrap();
    for batch in taken.iter() {
        assert_eq!(batch.sites().len(), 3);
        let services: Vec<_> = batch.iter().map(|span| span.site.service.as_str()).collect();
        assert_eq!(services, ["two", "three", "one"].repeat(5));
    }
}

#[test]
fn memory_of_emptied_batches_is_used_again_and_a_small_batch_keeps_none_of_it() {
    let bench = bench(99, &[1.0]);
    bench.record(HAND_OVER_SPANS as u64, &Notes::new());
    let large = bench.shelf.taken.lock().unwrap().pop().unwrap();
    let capacity = large.memory();
    drop(large);
    // The memory that came back is used for the batch after the one that is being filled.
    bench.record(1, &Notes::new());
    bench.buffer.hand_over();
    bench.record(1, &Notes::new());
    let holds = || bench.buffer.filling.as_ref().unwrap().batch.borrow().memory();
    assert!(holds() > capacity / 2);
    bench.buffer.hand_over();
    assert!(bench.shelf.taken.lock().unwrap().iter().all(|batch| batch.memory() < 2_048));
    bench.record(1, &Notes::new());
    bench.buffer.hand_over();
    assert!(holds() > capacity / 2, "the small batches left and the memory stayed");
}

#[test]
fn a_span_lasts_at_least_one_microsecond() {
    let bench = bench(9, &[1.0]);
    bench.buffer.record(&bench.site, &head(1, Monotonic::default()), &Notes::new());
    bench.record(1, &Notes::new());
    bench.buffer.hand_over();
    let taken = bench.shelf.taken.lock().unwrap();
    assert!(taken[0].iter().all(|span| span.duration_us == 1));
}
