//! Spans in memory: whole traces, bounded by their number of spans and by bytes, the oldest evicted first.
//!
//! One lock guards the index of traces and is held for short, bounded steps only. A query takes traces out of it as
//! shared, unchanging values and looks into them without the lock, so however slow it is, storing does not wait.

mod batch;
mod names;
mod record;
mod scan;
mod symbols;
mod trace;

pub(crate) use batch::Batch;
pub(crate) use scan::NewestFirst;
pub(crate) use symbols::Texts;
pub(crate) use trace::{Cursor, Trace};

use crate::zipkin::v2::{Span, TraceId};
use names::{Names, SpanNames};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use symbols::Symbols;
use trace::{Times, put_record};

/// All stored traces.
#[derive(Debug)]
pub(crate) struct Store {
    symbols: Symbols,
    index: Mutex<Index>,
    max_spans: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Index {
    traces: HashMap<TraceId, Slot>,
    /// Every trace by its oldest span and by its newest span: the orders of eviction and of search.
    by_oldest: BTreeSet<(u64, TraceId)>,
    by_newest: BTreeSet<(u64, TraceId)>,
    names: Names,
    spans: usize,
    trace_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    trace: Arc<Trace>,
    /// Hashes of the records, once there are too many spans to compare a new one with each.
    seen: Option<HashSet<u64>>,
}

impl Store {
    /// A store for `max_spans` spans and [`BYTES_PER_SPAN`] bytes for each of them.
    pub(crate) fn new(max_spans: usize) -> Self {
        let max_spans = max_spans.max(1);
        let max_bytes = max_spans.saturating_mul(BYTES_PER_SPAN).max(MIN_BYTES);
        Self { symbols: Symbols::default(), index: Mutex::default(), max_spans, max_bytes }
    }

    /// Writes the record of `span`, which is in canonical form, into `batch`.
    pub(crate) fn record(&self, span: &Span<'_>, batch: &mut Batch) {
        batch.push(span, &self.symbols);
    }

    /// Stores a batch, after evicting as many of the oldest traces as it needs room for. A large batch goes in piece by
    /// piece, so that others get their turn, and so that one larger than the whole store leaves its last part there.
    pub(crate) fn store(&self, batch: &Batch) {
        let piece = self.max_spans.min(PIECE_SPANS);
        let mut start = 0;
        while start < batch.len() {
            let end = batch.len().min(start + piece);
            let spans = batch.by_trace(start..end);
            let mut index = self.lock();
            // Taken under the lock: it must read every record in the index.
            let texts = self.symbols.snapshot();
            let bytes = spans.iter().map(|(_, record)| record.len()).sum();
            index.make_room(
                self.max_spans.saturating_sub(spans.len()),
                self.max_bytes.saturating_sub(bytes),
                &texts,
            );
            for of_one_trace in spans.chunk_by(|(left, _), (right, _)| left.trace_id == right.trace_id) {
                index.add(of_one_trace, &texts);
            }
            // What a span takes besides its record is known only now.
            index.make_room(self.max_spans, self.max_bytes, &texts);
            start = end;
        }
    }

    /// The local service names, sorted.
    pub(crate) fn services(&self) -> Vec<String> {
        self.lock().names.services()
    }

    /// The span names seen with this local service, sorted.
    pub(crate) fn span_names(&self, service: &str) -> Vec<String> {
        self.lock().names.span_names(service)
    }

    /// The remote services seen with this local service, sorted.
    pub(crate) fn remote_services(&self, service: &str) -> Vec<String> {
        self.lock().names.remote_services(service)
    }

    /// The trace with this id.
    pub(crate) fn trace(&self, id: TraceId) -> Option<Arc<Trace>> {
        self.lock().traces.get(&id).map(|slot| Arc::clone(&slot.trace))
    }

    /// The traces that have a span from `start_ms` to `end_ms` (both included), newest first: by their newest
    /// span in that time, and then by id, descending. Stored spans may be missed while the scan goes on.
    pub(crate) fn newest_first(&self, start_ms: u64, end_ms: u64) -> NewestFirst<'_> {
        NewestFirst::new(self, start_ms, end_ms)
    }

    /// What reads the traces that were taken out of the store before this call.
    pub(crate) fn texts(&self) -> Texts {
        self.symbols.snapshot()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Adds spans of one trace; those that are there already are left out.
    fn add(&mut self, spans: &[(batch::Entry, &[u8])], texts: &Texts) {
        let Some(((first, _), _)) = spans.split_first() else { return };
        let id = first.trace_id;
        let slot =
            self.traces.entry(id).or_insert_with(|| Slot { trace: Arc::new(Trace::new(id)), seen: None });
        let mut fresh: Vec<&[u8]> = Vec::new();
        let mut chunk = Vec::new();
        let mut times = Times::NONE;
        slot.count_on(spans.len());
        for (entry, record) in spans {
            if slot.is_new(record, &fresh) {
                fresh.push(record);
                put_record(record, &mut chunk);
                times = times.and(entry.times);
            }
        }
        if fresh.is_empty() {
            return;
        }
        let before = (slot.trace.times(), slot.trace.bytes());
        let is_new = slot.trace.span_count() == 0;
        Arc::make_mut(&mut slot.trace).add(&chunk, fresh.len(), times);
        let after = (slot.trace.times(), slot.trace.bytes());

        self.spans += fresh.len();
        self.trace_bytes = self.trace_bytes + after.1 - if is_new { 0 } else { before.1 };
        if !is_new {
            self.by_oldest.remove(&(before.0.oldest_ms, id));
            self.by_newest.remove(&(before.0.newest_ms, id));
        }
        self.by_oldest.insert((after.0.oldest_ms, id));
        self.by_newest.insert((after.0.newest_ms, id));
        for record in fresh {
            if let Some(span) = record::decode(record, id, texts) {
                self.names.add(SpanNames::of(&span));
            }
        }
    }

    /// Evicts the traces with the oldest spans until no more than this is left.
    fn make_room(&mut self, spans: usize, bytes: usize, texts: &Texts) {
        while self.spans > spans || self.trace_bytes + self.names.bytes() > bytes {
            let Some((_, id)) = self.by_oldest.pop_first() else { return };
            let Some(Slot { trace, .. }) = self.traces.remove(&id) else { continue };
            self.by_newest.remove(&(trace.times().newest_ms, id));
            self.spans -= trace.span_count();
            self.trace_bytes -= trace.bytes();
            for span in trace.spans(texts) {
                self.names.remove(SpanNames::of(&span));
            }
        }
    }
}

impl Slot {
    /// Prepares to tell new spans from known ones when `more` are about to come.
    fn count_on(&mut self, more: usize) {
        if self.seen.is_none() && self.trace.span_count() + more > COMPARED_SPANS {
            let mut seen = HashSet::new();
            for record in self.trace.records() {
                seen.insert(seen.hasher().hash_one(record));
            }
            self.seen = Some(seen);
        }
    }

    /// Whether `record` is neither stored nor among the `fresh` ones that are about to be.
    fn is_new(&mut self, record: &[u8], fresh: &[&[u8]]) -> bool {
        match &mut self.seen {
            // Equal hashes are taken for equal spans: the hash is keyed and 64 bits wide, so that even in a trace of a
            // million spans a wrong guess is a matter of one in ten million, and a flood of repeats costs nothing more.
            Some(seen) => seen.insert(seen.hasher().hash_one(record)),
            None => !fresh.contains(&record) && self.trace.records().all(|stored| stored != record),
        }
    }
}

impl<'s> SpanNames<'s> {
    fn of(span: &'s Span<'_>) -> Self {
        Self {
            local_service: span.local_service(),
            remote_service: span.remote_service(),
            span_name: span.name.as_deref(),
        }
    }
}

/// The byte bound of a store, for each span of its `maxSpans`. A span of the tutorial
/// takes a quarter of it: 150 bytes of record, 250 with everything around it (measured).
const BYTES_PER_SPAN: usize = 1_024;

/// Below this the byte bound does not go: the largest accepted batch finds room even in a store of few spans.
const MIN_BYTES: usize = 64 * 1_024 * 1_024;

/// Spans that are stored while the lock is held once.
const PIECE_SPANS: usize = 1_024;

/// Up to this many spans of a trace are compared one by one to find repeats.
const COMPARED_SPANS: usize = 32;

#[cfg(test)]
mod tests;
