//! The spans of one POST on their way into the store: records, written before the store is locked.

use super::record;
use super::symbols::Symbols;
use super::trace::Times;
use crate::zipkin::v2::{Span, TraceId};
use std::ops::Range;

/// Spans that are to be stored together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    records: Vec<u8>,
    spans: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) trace_id: TraceId,
    pub(super) times: Times,
    /// Where the record ends; it begins where the one before it ends.
    end: usize,
}

impl Batch {
    pub(super) fn push(&mut self, span: &Span<'_>, symbols: &Symbols) {
        record::encode(span, &mut symbols.lock(), &mut self.records);
        self.spans.push(Entry { trace_id: span.trace_id, times: Times::of(span), end: self.records.len() });
    }

    /// The number of spans.
    pub(crate) const fn len(&self) -> usize {
        self.spans.len()
    }

    /// The spans in `range`, the records of one trace standing together, and in the order of arrival within it.
    pub(super) fn by_trace(&self, range: Range<usize>) -> Vec<(Entry, &[u8])> {
        let before = range.start.checked_sub(1).and_then(|index| self.spans.get(index));
        let mut start = before.map_or(0, |entry| entry.end);
        let entries = self.spans.get(range).unwrap_or_default();
        let mut spans = Vec::with_capacity(entries.len());
        for entry in entries {
            spans.push((*entry, self.records.get(start..entry.end).unwrap_or_default()));
            start = entry.end;
        }
        spans.sort_by_key(|(entry, _)| entry.trace_id);
        spans
    }
}
