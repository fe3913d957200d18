//! One stored trace: the records of its spans, and the few times that searching and eviction go by.
//!
//! A trace that a query has in hand never changes: what arrives meanwhile makes a copy (of pointers, not records).

use super::record;
use super::symbols::Texts;
use crate::zipkin::v2::{Span, TraceId};
use std::num::NonZeroU64;
use std::sync::Arc;

/// All stored spans of one trace.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    id: TraceId,
    /// Records in the order of arrival, each after its length (a varint); one chunk per batch that had some.
    chunks: Vec<Arc<[u8]>>,
    spans: usize,
    bytes: usize,
    times: Times,
}

/// A place between two spans of a trace; the default is before the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    chunk: usize,
    offset: usize,
}

/// When the spans of a trace were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Milliseconds of the oldest and the newest span; a span without a timestamp counts as 0.
    pub(super) oldest_ms: u64,
    pub(super) newest_ms: u64,
    /// The timestamp of the first span that has one and no parent.
    root_us: Option<NonZeroU64>,
    /// The smallest timestamp.
    earliest_us: Option<NonZeroU64>,
}

impl Trace {
    pub(super) const fn new(id: TraceId) -> Self {
        Self { id, chunks: Vec::new(), spans: 0, bytes: TRACE_COST_BYTES, times: Times::NONE }
    }

    /// Adds a chunk of `spans` records.
    pub(super) fn add(&mut self, chunk: &[u8], spans: usize, times: Times) {
        self.chunks.push(chunk.into());
        self.spans += spans;
        self.bytes += chunk.len() + CHUNK_COST_BYTES;
        self.times = self.times.and(times);
    }

    /// The trace's id.
    pub(crate) const fn id(&self) -> TraceId {
        self.id
    }

    /// The number of spans.
    pub(crate) const fn span_count(&self) -> usize {
        self.spans
    }

    /// The moment a search goes by, in microseconds: when the root began, or else the earliest span.
    pub(crate) fn began_us(&self) -> Option<u64> {
        self.times.root_us.or(self.times.earliest_us).map(NonZeroU64::get)
    }

    /// The spans in the order of arrival. `texts` are at least as new as the trace.
    pub(crate) fn spans<'t>(&'t self, texts: &'t Texts) -> impl Iterator<Item = Span<'t>> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(move || self.next_span(&mut cursor, texts))
    }

    /// The span at `cursor`, which moves on to the one after it. `texts` are at least as new as the trace.
    pub(crate) fn next_span<'t>(&'t self, cursor: &mut Cursor, texts: &'t Texts) -> Option<Span<'t>> {
        let span = record::decode(self.next_record(cursor)?, self.id, texts);
        debug_assert!(span.is_some(), "the store reads what it wrote");
        span
    }

    /// The records in the order of arrival.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut cursor = Cursor::default();
        std::iter::from_fn(move || self.next_record(&mut cursor))
    }

    fn next_record(&self, cursor: &mut Cursor) -> Option<&[u8]> {
        let chunk = self.chunks.get(cursor.chunk)?;
        let mut rest = chunk.get(cursor.offset..)?;
        let length = record::take_varint(&mut rest)?;
        let record = record::take_bytes(&mut rest, length)?;
        *cursor = match rest.len() {
            0 => Cursor { chunk: cursor.chunk + 1, offset: 0 },
            left => Cursor { offset: chunk.len() - left, ..*cursor },
        };
        Some(record)
    }

    /// About the memory the trace takes, the index entries that lead to it included.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn times(&self) -> Times {
        self.times
    }
}

impl Cursor {
    /// Whether it is before the first span.
    pub(crate) const fn is_start(self) -> bool {
        self.chunk == 0 && self.offset == 0
    }
}

impl Times {
    /// The times of no spans at all.
    pub(super) const NONE: Self =
        Self { oldest_ms: u64::MAX, newest_ms: 0, root_us: None, earliest_us: None };

    /// The times of one span.
    pub(super) fn of(span: &Span<'_>) -> Self {
        let ms = timestamp_ms(span);
        let root_us = if span.parent_id.is_none() { span.timestamp_us } else { None };
        Self { oldest_ms: ms, newest_ms: ms, root_us, earliest_us: span.timestamp_us }
    }

    /// The times of these spans and later ones.
    pub(super) fn and(self, later: Self) -> Self {
        Self {
            oldest_ms: self.oldest_ms.min(later.oldest_ms),
            newest_ms: self.newest_ms.max(later.newest_ms),
            root_us: self.root_us.or(later.root_us),
            earliest_us: match (self.earliest_us, later.earliest_us) {
                (Some(left), Some(right)) => Some(left.min(right)),
                (left, right) => left.or(right),
            },
        }
    }
}

/// A span's time in milliseconds, 0 when it has none.
pub(super) fn timestamp_ms(span: &Span<'_>) -> u64 {
    span.timestamp_us.map_or(0, NonZeroU64::get) / 1_000
}

/// Appends `record` to a chunk.
pub(super) fn put_record(record: &[u8], chunk: &mut Vec<u8>) {
    record::put_varint(record::length(record.len()), chunk);
    chunk.extend(record);
}

/// About the memory of an empty trace: this struct, its entry in the map and in the two orders, and the allocator.
/// Measured: with traces of six spans the whole then agrees with the process's resident memory within 5 %.
const TRACE_COST_BYTES: usize = 512;

/// About the memory of an empty chunk: a pointer in a vector, reference counts, the allocator.
const CHUNK_COST_BYTES: usize = 48;
