//! One telemeter's way out: batches that wait, bodies being posted, and what is tried when the collector does not take them.
//!
//! Everything here runs on the flusher's thread. A few workers share a lane; each takes a body's worth of spans, posts it until its
//! fate is known, and comes back for more. While the collector is not answering, no worker begins a new body.

use super::account::{DropReason, LaneCounts};
use crate::clock::{Clock, Monotonic};
use crate::trace::Batch;
use crate::zipkin::body::{BodyLimits, Unsent, encode};
use crate::zipkin::sender::{Parcel, Sender, Verdict};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The limits of a lane. Tests use shorter times and smaller budgets than [`Pace::DEFAULT`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How much goes into one body.
    pub(super) body: BodyLimits,
    /// Spans wait this long for others to share a body with.
    pub(super) merge_age: Duration,
    /// Bodies that are posted at the same time.
    pub(super) in_flight: usize,
    /// Memory of batches that wait. Bodies being posted come on top: at most `in_flight` of them.
    pub(super) budget_bytes: usize,
    /// The time for one attempt.
    pub(super) post_timeout: Duration,
    /// The delay after a first failure; it doubles with every further one.
    pub(super) first_delay: Duration,
    /// The longest delay.
    pub(super) longest_delay: Duration,
    /// A body whose attempts go on for longer than this is dropped.
    pub(super) give_up_after: Duration,
}

impl Pace {
    /// A body is large enough that the cost of a POST is spread over hundreds of spans, and small enough to stay in the
    /// processor's cache between encoding and sending.
    pub(super) const DEFAULT: Self = Self {
        body: BodyLimits { bytes: 256 * 1024, spans: 4_000 },
        merge_age: Duration::from_millis(200),
        in_flight: 2,
        budget_bytes: 32 * 1024 * 1024,
        post_timeout: Duration::from_secs(2),
        first_delay: Duration::from_millis(100),
        longest_delay: Duration::from_secs(5),
        give_up_after: Duration::from_secs(60),
    };
}

/// One telemeter's way out.
pub(super) struct Lane {
    telemeter: usize,
    sender: Sender,
    counts: Arc<LaneCounts>,
    clock: Clock,
    pace: Pace,
    waiting: RefCell<Waiting>,
    /// A worker may have something to do: spans came, the collector is back, or the end is near.
    wake: Notify,
    /// The end is near: nobody sleeps any more.
    stop: Notify,
    stopping: Cell<bool>,
    /// Attempts that failed since one succeeded.
    failures: Cell<u32>,
    health: Cell<Health>,
}

/// Batches that wait, oldest first.
#[derive(Default)]
struct Waiting {
    batches: VecDeque<Unsent>,
    spans: u64,
    memory: usize,
    /// Bytes of records, as far as they were not encoded.
    records: usize,
    /// When the oldest of them came.
    since: Monotonic,
}

/// What the collector last did, for the log: one line for each change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Unknown,
    Taking,
    Refusing,
    Failing,
}

/// A body on its way.
struct Posting {
    parcel: Parcel,
    spans: u64,
    begun: Monotonic,
}

impl Lane {
    pub(super) fn new(
        telemeter: usize,
        sender: Sender,
        counts: Arc<LaneCounts>,
        clock: Clock,
        pace: Pace,
    ) -> Self {
        Self {
            telemeter,
            sender,
            counts,
            clock,
            pace,
            waiting: RefCell::default(),
            wake: Notify::new(),
            stop: Notify::new(),
            stopping: Cell::new(false),
            failures: Cell::new(0),
            health: Cell::new(Health::Unknown),
        }
    }

    /// Takes this telemeter's part of a batch that came from a shard, and drops the oldest that wait if that is too much.
    pub(super) fn take(&self, batch: &Rc<Batch>) {
        let spans = batch.spans_for(self.telemeter);
        if spans > 0 {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.batches.is_empty() {
                waiting.since = self.clock.now();
            }
            waiting.spans += spans;
            waiting.memory += batch.memory();
            waiting.records += batch.bytes();
            waiting.batches.push_back(Unsent::new(Rc::clone(batch), self.telemeter));
            self.counts.waiting.add(spans);
            while waiting.memory > self.pace.budget_bytes {
                let Some(oldest) = waiting.batches.pop_front() else { break };
                waiting.forget(&oldest);
                self.counts.drop_spans(DropReason::Budget, oldest.spans());
                self.counts.waiting.sub(oldest.spans());
            }
            self.wake.notify_one();
        }
        self.counts.handed.sub(spans);
    }

    /// Says that no more batches come and that there is little time for those that are here.
    pub(super) fn begin_to_stop(&self) {
        self.stopping.set(true);
        self.wake.notify_waiters();
        self.stop.notify_waiters();
    }

    /// Posts bodies until the end. At the end it returns when nothing waits any more.
    pub(super) async fn work(&self) {
        while let Some(posting) = self.next().await {
            self.deliver(posting).await;
            // Another worker may hold back until this one has found out how the collector is.
            self.wake.notify_waiters();
        }
    }

    /// Drops whatever is still here. Nothing may run on this lane any more.
    pub(super) fn abandon(&self) {
        self.drop_waiting();
        let posting = self.counts.posting.read();
        self.counts.drop_spans(DropReason::Shutdown, posting);
        self.counts.posting.sub(posting);
    }

    /// Waits until there are spans enough, or old enough, for a body. None at the end.
    async fn next(&self) -> Option<Posting> {
        loop {
            let now = self.clock.now();
            let stopping = self.stopping.get();
            let pause = {
                let waiting = self.waiting.borrow();
                let age = now.since(waiting.since);
                if waiting.batches.is_empty() {
                    if stopping {
                        return None;
                    }
                    None
                } else if self.failures.get() > 0 && !stopping {
                    None
                } else if stopping || waiting.is_full(self.pace.body) || age >= self.pace.merge_age {
                    drop(waiting);
                    match self.pack(now) {
                        Some(posting) => return Some(posting),
                        None => continue,
                    }
                } else {
                    Some(self.pace.merge_age - age)
                }
            };
            match pause {
                None => self.wake.notified().await,
                Some(pause) => {
                    let _woken_or_due = tokio::time::timeout(pause, self.wake.notified()).await;
                }
            }
        }
    }

    /// Encodes the oldest spans. None when none of them could be encoded.
    fn pack(&self, now: Monotonic) -> Option<Posting> {
        let mut waiting = self.waiting.borrow_mut();
        let body = encode(&mut waiting.batches, self.pace.body);
        waiting.spans -= body.spans + body.failed;
        waiting.memory = waiting.batches.iter().map(Unsent::memory).sum();
        waiting.records = waiting.batches.iter().map(Unsent::records).sum();
        waiting.since = now;
        drop(waiting);
        self.counts.drop_spans(DropReason::Encode, body.failed);
        self.counts.posting.add(body.spans);
        self.counts.waiting.sub(body.spans + body.failed);
        if body.spans == 0 {
            return None;
        }
        self.counts.batches.add(1);
        Some(Posting { parcel: self.sender.pack(body.json), spans: body.spans, begun: now })
    }

    /// Posts a body until it is taken, refused or given up.
    async fn deliver(&self, posting: Posting) {
        let mut failed_at_end = false;
        loop {
            self.counts.posts.add(1);
            self.counts.bytes_posted.add(posting.parcel.bytes() as u64);
            let verdict = self.sender.post(&posting.parcel).await;
            let now = self.clock.now();
            match verdict {
                Verdict::Accepted => {
                    self.failures.set(0);
                    self.log_change(Health::Taking, "");
                    self.counts.accept(posting.spans, now);
                    self.counts.posting.sub(posting.spans);
                    return;
                }
                Verdict::Refused(why) => {
                    self.failures.set(0);
                    self.log_change(Health::Refusing, &why);
                    return self.drop_posting(&posting, DropReason::Rejected);
                }
                Verdict::NotNow { after, why } => {
                    // One failure is nothing to speak of: a collector may close an idle connection just when it is used.
                    if self.failures.get() > 0 {
                        self.log_change(Health::Failing, &why);
                    }
                    let delay = self.delay(after);
                    if self.stopping.get() {
                        if failed_at_end {
                            // A collector that failed twice at the end is not waited for: the exit should be quick.
                            self.drop_waiting();
                            return self.drop_posting(&posting, DropReason::Shutdown);
                        }
                        failed_at_end = true;
                        tokio::time::sleep(delay.min(self.pace.first_delay)).await;
                    } else if now.since(posting.begun) >= self.pace.give_up_after {
                        // The next body finds out how the collector is: it must not be held back for this one's failures.
                        self.failures.set(0);
                        return self.drop_posting(&posting, DropReason::Network);
                    } else {
                        let _woken_or_over = tokio::time::timeout(delay, self.stop.notified()).await;
                    }
                }
            }
        }
    }

    /// Counts a failure and says how long to wait after it: what the collector asked for, or a delay that doubles with every
    /// failure, of which a random part of at most a half is left out, so that proxies do not come back all at once.
    fn delay(&self, asked: Option<Duration>) -> Duration {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        if let Some(asked) = asked {
            return asked.max(self.pace.first_delay);
        }
        let full = self.pace.first_delay.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
        full.min(self.pace.longest_delay).mul_f64(rand::random_range(0.5..=1.0))
    }

    fn drop_posting(&self, posting: &Posting, reason: DropReason) {
        self.counts.drop_spans(reason, posting.spans);
        self.counts.posting.sub(posting.spans);
    }

    fn drop_waiting(&self) {
        let spans = std::mem::take(&mut *self.waiting.borrow_mut()).spans;
        self.counts.drop_spans(DropReason::Shutdown, spans);
        self.counts.waiting.sub(spans);
    }

    fn log_change(&self, health: Health, why: &str) {
        let before = self.health.replace(health);
        if before == health {
            return;
        }
        let url = self.sender.url();
        match health {
            Health::Refusing => tracing::warn!(url, why, "the collector refuses spans; they are dropped"),
            Health::Failing => tracing::warn!(url, why, "the collector takes no spans; they wait"),
            Health::Taking if before == Health::Unknown => tracing::debug!(url, "the collector takes spans"),
            Health::Taking => tracing::info!(url, "the collector takes spans again"),
            Health::Unknown => {}
        }
    }
}

impl Waiting {
    fn is_full(&self, limits: BodyLimits) -> bool {
        self.spans >= limits.spans || self.records >= limits.bytes
    }

    fn forget(&mut self, oldest: &Unsent) {
        self.spans -= oldest.spans();
        self.memory -= oldest.memory();
        self.records -= oldest.records();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zipkin::ZipkinParams;

    fn lane() -> Lane {
        let params = ZipkinParams {
            host: "127.0.0.1".to_owned(),
            port: 1,
            host_header: None,
            compress: false,
            sample_rate: 1.0,
        };
        let sender = Sender::new(&params, Pace::DEFAULT.post_timeout, 1).unwrap();
        Lane::new(0, sender, Arc::default(), Clock::start(), Pace::DEFAULT)
    }

    #[test]
    fn delays_double_up_to_the_longest_and_leave_out_at_most_a_half() {
        let lane = lane();
        for full_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].into_iter().chain([5_000; 50]) {
            let full = Duration::from_millis(full_ms);
            let delay = lane.delay(None);
            assert!(full / 2 <= delay && delay <= full, "{delay:?} of {full:?}");
        }
    }

    #[test]
    fn a_collector_that_names_a_time_gets_it_but_is_not_hammered() {
        let lane = lane();
        assert_eq!(lane.delay(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(lane.delay(Some(Duration::ZERO)), Pace::DEFAULT.first_delay);
    }
}
