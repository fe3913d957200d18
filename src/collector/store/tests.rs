use super::*;
use crate::zipkin::v2::decode_list;
use proptest::prelude::*;

fn span(trace: u64, id: u64, ms: u64, service: &str) -> String {
    format!(
        r#"{{"traceId":"{trace:x}","id":"{id:x}","name":"n{id:x}","timestamp":{},"duration":5,
        "localEndpoint":{{"serviceName":"{service}"}}}}"#,
        ms * 1_000
    )
}

fn post(store: &Store, spans: &[String]) {
    let mut batch = Batch::default();
    let list = format!("[{}]", spans.join(","));
    decode_list(list.as_bytes(), |span| store.record(&span, &mut batch)).unwrap();
    store.store(&batch);
}

fn newest_first(store: &Store, start_ms: u64, end_ms: u64) -> Vec<u64> {
    store.newest_first(start_ms, end_ms).map(|trace| trace.id().low).collect()
}

/// What the index says about itself holds together.
fn check(store: &Store) {
    let index = store.lock();
    let traces = || index.traces.values().map(|slot| &slot.trace);
    assert_eq!(index.spans, traces().map(|trace| trace.span_count()).sum::<usize>());
    assert_eq!(index.spans, traces().map(|trace| trace.records().count()).sum::<usize>());
    assert_eq!(index.trace_bytes, traces().map(|trace| trace.bytes()).sum::<usize>());
    assert!(index.spans <= store.max_spans && index.trace_bytes + index.names.bytes() <= store.max_bytes);
    let oldest: BTreeSet<_> = traces().map(|trace| (trace.times().oldest_ms, trace.id())).collect();
    let newest: BTreeSet<_> = traces().map(|trace| (trace.times().newest_ms, trace.id())).collect();
    assert_eq!((&index.by_oldest, &index.by_newest), (&oldest, &newest));
}

#[test]
fn a_span_that_is_sent_twice_is_kept_once() {
    for spans in [3, COMPARED_SPANS, COMPARED_SPANS + 1, 200] {
        let store = Store::new(1_000);
        let list: Vec<_> = (1..=spans).map(|id| span(7, id.try_into().unwrap(), 5, "app")).collect();
        post(&store, &list);
        post(&store, &list);
        post(&store, &[list.clone(), list].concat());
        assert_eq!(store.trace(TraceId { high: 0, low: 7 }).unwrap().span_count(), spans);
        check(&store);
    }
}

#[test]
fn a_batch_larger_than_the_store_leaves_its_last_spans() {
    let store = Store::new(10);
    post(&store, &(1..=25).map(|trace| span(trace, 1, trace, "app")).collect::<Vec<_>>());
    assert_eq!(newest_first(&store, 0, 100), [25, 24, 23, 22, 21, 20, 19, 18, 17, 16]);
    check(&store);
}

#[test]
fn bytes_are_bounded_as_well_as_spans() {
    let store = Store { max_bytes: 20_000, ..Store::new(1_000_000) };
    for trace in 1..100 {
        post(&store, &[span(trace, 1, trace, &"s".repeat(1_000))]);
        check(&store);
    }
    let kept = newest_first(&store, 0, 1_000);
    assert_eq!(kept.first(), Some(&99));
    assert!((8..20).contains(&kept.len()), "{} traces kept", kept.len());
}

#[test]
fn names_of_evicted_traces_are_gone() {
    let store = Store::new(1);
    post(&store, &[span(1, 1, 1, "old")]);
    post(&store, &[span(2, 2, 2, "new")]);
    assert_eq!(store.services(), ["new"]);
    assert_eq!(store.span_names("new"), ["n2"]);
    assert_eq!(store.span_names("old"), [""; 0]);
}

#[test]
fn a_trace_that_reaches_beyond_the_window_stands_where_its_last_span_in_it_is() {
    let store = Store::new(100);
    post(&store, &[span(1, 1, 10, "a"), span(1, 2, 99, "a")]);
    post(&store, &[span(2, 1, 20, "a"), span(3, 1, 5, "a"), span(4, 1, 60, "a")]);
    assert_eq!(newest_first(&store, 0, 50), [2, 1, 3]);
    assert_eq!(newest_first(&store, 0, 99), [1, 4, 2, 3]);
    assert_eq!(newest_first(&store, 7, 15), [1]);
    assert_eq!(newest_first(&store, 50, 7), [0_u64; 0]);
    assert_eq!(newest_first(&store, 0, u64::MAX), [1, 4, 2, 3]);
}

#[test]
fn a_trace_in_a_querys_hand_does_not_change() {
    let store = Store::new(100);
    post(&store, &[span(1, 1, 10, "a")]);
    let in_hand = store.trace(TraceId { high: 0, low: 1 }).unwrap();
    post(&store, &[span(1, 2, 11, "a")]);
    assert_eq!(in_hand.span_count(), 1);
    assert_eq!(store.trace(in_hand.id()).unwrap().span_count(), 2);
}

#[test]
fn a_scan_of_more_traces_than_one_step_gives_each_once() {
    let traces = u64::try_from(STEP * 2 + 3).unwrap();
    let store = Store::new(100_000);
    post(&store, &(1..=traces).map(|trace| span(trace, 1, trace / 3, "a")).collect::<Vec<_>>());
    let all = newest_first(&store, 0, traces);
    assert_eq!(all, (1..=traces).rev().collect::<Vec<_>>());
    let late: Vec<_> = (1..=traces).map(|trace| span(trace, 2, 1 << 40, "a")).collect();
    post(&store, &late);
    assert_eq!(newest_first(&store, 0, traces), all);
}

/// At least as many traces as one step of a scan reads.
const STEP: usize = 4_096;

proptest! {
    #[test]
    fn whatever_arrives_the_books_balance_and_the_oldest_go(
        max_spans in 1_usize..12,
        batches in prop::collection::vec(prop::collection::vec((1_u64..6, 1_u64..5, 0_u64..9), 0..6), 0..12),
    ) {
        let store = Store::new(max_spans);
        for batch in &batches {
            post(&store, &batch.iter().map(|(trace, id, ms)| span(*trace, *id, *ms, "app")).collect::<Vec<_>>());
            check(&store);
        }
        if batches.iter().any(|batch| !batch.is_empty()) {
            prop_assert!(!newest_first(&store, 0, 10).is_empty());
        }
    }
}
