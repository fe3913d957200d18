//! The books: every span is counted once when it is recorded and once when it leaves, and where it waits in between.
//!
//! `recorded = sent + dropped + queued` holds whenever no span is moving. All three are counted where they happen; none is
//! computed from the others. With several telemeters each has books of its own: a span counts once for each that takes it.

use crate::clock::{Clock, Monotonic};
use crate::trace::ShardCounts;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Why spans were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The shard's batch was full and the flusher did not take it.
    QueueFull,
    /// The span could not be encoded.
    Encode,
    /// The collector refused the spans for good.
    Rejected,
    /// The collector did not take the spans for too long.
    Network,
    /// Too many spans waited for the collector.
    Budget,
    /// The proxy ended before the collector took the spans.
    Shutdown,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::QueueFull, Self::Encode, Self::Rejected, Self::Network, Self::Budget, Self::Shutdown];

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Encode => "encode",
            Self::Rejected => "rejected",
            Self::Network => "network",
            Self::Budget => "retry_budget",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What became of spans up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanTotals {
    /// Spans recorded.
    pub recorded: u64,
    /// Spans in bodies that were answered with a status in the 200s.
    pub sent: u64,
    /// Spans dropped, by the name of the reason.
    pub dropped: [(&'static str, u64); DropReason::ALL.len()],
    /// Spans that wait: in shards, on the way to the flusher, in the flusher, and in bodies being posted.
    pub queued: u64,
    /// Bodies that were made.
    pub batches: u64,
    /// Attempts to post a body.
    pub posts: u64,
    /// Bytes of the bodies of all attempts, as they are sent.
    pub bytes_posted: u64,
    /// How long ago a body was last answered with a status in the 200s.
    pub last_success_age: Option<Duration>,
}

impl SpanTotals {
    /// Spans dropped for any reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|(_, spans)| spans).sum()
    }

    fn add(&mut self, other: &Self) {
        self.recorded += other.recorded;
        self.sent += other.sent;
        for (sum, (name, spans)) in self.dropped.iter_mut().zip(other.dropped) {
            *sum = (name, sum.1 + spans);
        }
        self.queued += other.queued;
        self.batches += other.batches;
        self.posts += other.posts;
        self.bytes_posted += other.bytes_posted;
        self.last_success_age = match (self.last_success_age, other.last_success_age) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }
}

/// The books of all telemeters. Read by anyone at any time.
#[derive(Debug)]
pub struct Accounting {
    clock: Clock,
    /// One for each shard, each with one element for each telemeter.
    shards: Vec<Arc<[ShardCounts]>>,
    /// One for each telemeter.
    lanes: Vec<Arc<LaneCounts>>,
}

/// What the flusher counts for one telemeter. All but `handed` is written by the flusher's thread alone.
#[derive(Debug, Default)]
pub(super) struct LaneCounts {
    /// Spans on their way from shards to the flusher.
    pub(super) handed: Count,
    /// Spans that wait in the flusher.
    pub(super) waiting: Count,
    /// Spans in bodies that are being posted, or wait to be posted again.
    pub(super) posting: Count,
    pub(super) sent: Count,
    dropped: [Count; DropReason::ALL.len()],
    pub(super) batches: Count,
    pub(super) posts: Count,
    pub(super) bytes_posted: Count,
    /// Reading of the clock, in nanoseconds; 0 is never.
    last_success: Count,
}

/// A counter that any thread may change.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::AcqRel);
    }

    pub(super) fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::AcqRel);
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

impl LaneCounts {
    /// Counts spans as dropped.
    pub(super) fn drop_spans(&self, reason: DropReason, spans: u64) {
        if let Some(count) = self.dropped.get(reason as usize) {
            count.add(spans);
        }
    }

    /// Counts spans as sent.
    pub(super) fn accept(&self, spans: u64, now: Monotonic) {
        self.sent.add(spans);
        self.last_success.set(now.as_nanos());
    }
}

impl Accounting {
    pub(super) const fn new(
        clock: Clock,
        shards: Vec<Arc<[ShardCounts]>>,
        lanes: Vec<Arc<LaneCounts>>,
    ) -> Self {
        Self { clock, shards, lanes }
    }

    /// The totals of all telemeters together.
    #[must_use]
    pub fn snapshot(&self) -> SpanTotals {
        let mut totals = Self::nothing();
        for telemeter in self.telemeters() {
            totals.add(&telemeter);
        }
        totals
    }

    /// The totals of each telemeter, in the order of the configuration.
    #[must_use]
    pub fn telemeters(&self) -> Vec<SpanTotals> {
        self.lanes.iter().enumerate().map(|(telemeter, lane)| self.totals(telemeter, lane)).collect()
    }

    /// What left is read before what was recorded: whoever reads that a span left then also reads that it was recorded.
    fn totals(&self, telemeter: usize, lane: &LaneCounts) -> SpanTotals {
        let shards = || self.shards.iter().filter_map(|shard| shard.get(telemeter));
        let mut totals = Self::nothing();
        totals.sent = lane.sent.read();
        for ((_, spans), count) in totals.dropped.iter_mut().zip(&lane.dropped) {
            *spans = count.read();
        }
        for (reason, counted) in [
            (DropReason::QueueFull, ShardCounts::dropped_full as fn(&ShardCounts) -> u64),
            (DropReason::Shutdown, ShardCounts::dropped_at_end),
        ] {
            if let Some((_, spans)) = totals.dropped.get_mut(reason as usize) {
                *spans += shards().map(counted).sum::<u64>();
            }
        }
        totals.queued = lane.posting.read()
            + lane.waiting.read()
            + lane.handed.read()
            + shards().map(ShardCounts::held).sum::<u64>();
        totals.recorded = shards().map(ShardCounts::recorded).sum();
        totals.batches = lane.batches.read();
        totals.posts = lane.posts.read();
        totals.bytes_posted = lane.bytes_posted.read();
        totals.last_success_age = match lane.last_success.read() {
            0 => None,
            at => Some(self.clock.now().since(Monotonic::from_nanos(at))),
        };
        totals
    }

    /// No spans, and every reason with its name.
    fn nothing() -> SpanTotals {
        SpanTotals { dropped: DropReason::ALL.map(|reason| (reason.name(), 0)), ..SpanTotals::default() }
    }
}
