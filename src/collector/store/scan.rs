//! Walking the stored traces from the newest to the oldest, without keeping the store locked.

use super::symbols::Texts;
use super::trace::{Trace, timestamp_ms};
use super::{Index, Store};
use crate::zipkin::v2::TraceId;
use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// The traces of a time window, newest first; made by [`Store::newest_first`].
///
/// The order of search is by a trace's newest span. Only a trace that has spans beyond the window's end stands
/// elsewhere in it than in the answer: those are found first, and then merged into the walk.
#[derive(Debug)]
pub(crate) struct NewestFirst<'s> {
    store: &'s Store,
    start_ms: u64,
    /// What the next step reads comes before this in the order of search.
    cursor: Position,
    /// Read from the store and not yet given out, the next one in front.
    ahead: VecDeque<(Position, Arc<Trace>)>,
    /// Traces that reach beyond the window, the next one at the end.
    straddling: Vec<(Position, Arc<Trace>)>,
    texts: Texts,
}

/// A place in the order of search: milliseconds of the newest span (in the window), then the id.
type Position = (u64, TraceId);

impl<'s> NewestFirst<'s> {
    pub(super) fn new(store: &'s Store, start_ms: u64, end_ms: u64) -> Self {
        let cursor = (end_ms.saturating_add(1), LOWEST_ID);
        let mut scan = Self {
            store,
            start_ms,
            cursor,
            ahead: VecDeque::new(),
            straddling: Vec::new(),
            texts: Texts::default(),
        };
        scan.find_straddling(end_ms);
        scan.read_ahead();
        scan
    }

    /// What reads the trace that was given out last.
    pub(crate) const fn texts(&self) -> &Texts {
        &self.texts
    }

    fn find_straddling(&mut self, end_ms: u64) {
        let mut from = Bound::Included(self.cursor);
        loop {
            let mut found = Vec::new();
            let last = {
                let index = self.store.lock();
                let mut last = None;
                for position in index.by_newest.range((from, Bound::Unbounded)).take(STEP_TRACES) {
                    last = Some(*position);
                    found.extend(index.at(*position).filter(|trace| trace.times().oldest_ms <= end_ms));
                }
                last
            };
            self.texts = self.store.texts();
            for trace in found {
                let times = trace.spans(&self.texts).map(|span| timestamp_ms(&span));
                let newest = times.filter(|ms| (self.start_ms..=end_ms).contains(ms)).max();
                self.straddling.extend(newest.map(|ms| ((ms, trace.id()), trace)));
            }
            let Some(last) = last else { break };
            from = Bound::Excluded(last);
        }
        self.straddling.sort_by_key(|(position, _)| *position);
    }

    fn read_ahead(&mut self) {
        let window = (Bound::Included((self.start_ms, LOWEST_ID)), Bound::Excluded(self.cursor));
        if is_backwards(&window) {
            return;
        }
        {
            let index = self.store.lock();
            for position in index.by_newest.range(window).rev().take(STEP_TRACES) {
                self.cursor = *position;
                self.ahead.extend(index.at(*position).map(|trace| (*position, trace)));
            }
        }
        self.texts = self.store.texts();
    }
}

impl Iterator for NewestFirst<'_> {
    type Item = Arc<Trace>;

    fn next(&mut self) -> Option<Arc<Trace>> {
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        let ahead = self.ahead.front().map(|(position, _)| *position);
        let straddling = self.straddling.last().map(|(position, _)| *position);
        let next = if straddling > ahead { self.straddling.pop() } else { self.ahead.pop_front() };
        next.map(|(_, trace)| trace)
    }
}

impl Index {
    fn at(&self, (_, id): Position) -> Option<Arc<Trace>> {
        self.traces.get(&id).map(|slot| Arc::clone(&slot.trace))
    }
}

/// A range whose end is before its start, which a tree refuses to look up.
fn is_backwards(window: &(Bound<Position>, Bound<Position>)) -> bool {
    match (window.start_bound(), window.end_bound()) {
        (Bound::Included(start), Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}

const LOWEST_ID: TraceId = TraceId { high: 0, low: 0 };

/// Traces read while the lock is held once: a fraction of a millisecond.
const STEP_TRACES: usize = 4_096;
