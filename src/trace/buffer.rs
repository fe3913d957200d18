//! Where a shard puts its finished spans: a batch that is handed over without waiting, and the counts of what became
//! of each span until then.

use super::batch::Batch;
use super::context::TraceContext;
use super::notes::Notes;
use super::record::{Site, SpanHead, Times};
use super::sampler::Samplers;
use crate::clock::{Clock, Monotonic};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// A batch with this many spans is handed over.
pub const HAND_OVER_SPANS: usize = 1_000;

/// A batch with this many bytes of records is handed over.
pub const HAND_OVER_BYTES: usize = 256 * 1024;

/// A batch whose first span ended this long ago is handed over. Half of the second that a span may wait: the other half
/// is for merging and sending.
pub const HAND_OVER_AGE: Duration = Duration::from_millis(500);

/// Emptied batches' memory that waits for a shard to use it again.
const SPARE_BATCHES: usize = 2;

/// Where full batches go. Offering must not block: it is called on the request path.
pub trait Outlet: Send {
    /// Takes the batch, or gives it back when there is no room for it.
    ///
    /// # Errors
    ///
    /// The batch itself.
    fn offer(&self, batch: Batch) -> Result<(), Batch>;
}

/// What one shard counted for one telemeter. Written by the shard alone, read by anyone.
#[derive(Debug, Default)]
pub struct ShardCounts {
    recorded: AtomicU64,
    dropped_full: AtomicU64,
    dropped_at_end: AtomicU64,
    held: AtomicU64,
}

impl ShardCounts {
    /// Spans recorded, those that were dropped included. Read it after everything that says where spans went.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Acquire)
    }

    /// Spans dropped because the batch was full and could not be handed over.
    #[must_use]
    pub fn dropped_full(&self) -> u64 {
        self.dropped_full.load(Ordering::Acquire)
    }

    /// Spans dropped because the shard ended and its last batch could not be handed over.
    #[must_use]
    pub fn dropped_at_end(&self) -> u64 {
        self.dropped_at_end.load(Ordering::Acquire)
    }

    /// Spans that wait in the shard's batch.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Acquire)
    }
}

/// The finished spans of a shard. Made on any thread, then used by one.
pub struct SpanBuffer {
    clock: Clock,
    samplers: Samplers,
    filling: Option<Filling>,
}

/// The part of a buffer that exists only when there is a telemeter.
struct Filling {
    batch: RefCell<Batch>,
    /// When the first span of the batch ended.
    opened: Cell<Monotonic>,
    outlet: Box<dyn Outlet>,
    /// One for each telemeter.
    counts: Arc<[ShardCounts]>,
    spares: Receiver<Vec<u8>>,
    home: SyncSender<Vec<u8>>,
}

impl SpanBuffer {
    /// A buffer that hands its batches to `outlet`. `counts` has one element for each telemeter of `samplers`.
    #[must_use]
    pub fn new(
        clock: Clock,
        samplers: Samplers,
        outlet: Box<dyn Outlet>,
        counts: Arc<[ShardCounts]>,
    ) -> Self {
        let (home, spares) = sync_channel(SPARE_BATCHES);
        let batch = RefCell::new(Batch::new(Vec::new(), counts.len(), Some(home.clone())));
        let opened = Cell::new(Monotonic::default());
        let filling = (!counts.is_empty()).then_some(Filling { batch, opened, outlet, counts, spares, home });
        Self { clock, samplers, filling }
    }

    /// A buffer without a telemeter: it records nothing, and its samplers only serve `l5d-sample`.
    #[must_use]
    pub fn disabled(clock: Clock, salt: u64) -> Self {
        Self { clock, samplers: Samplers::new([], salt), filling: None }
    }

    /// The samplers to decide with for this shard's requests; [`super::receive`] and [`super::send`] want them.
    #[must_use]
    pub const fn samplers(&self) -> &Samplers {
        &self.samplers
    }

    /// Whether a span of this context would be recorded: the one branch for a request that is not sampled.
    #[must_use]
    pub const fn takes(&self, context: &TraceContext) -> bool {
        self.filling.is_some() && context.is_sampled()
    }

    /// Records a span if its trace is sampled. Never waits and never fails: a span that finds no room is dropped and counted.
    pub fn record(&self, site: &Site, head: &SpanHead, notes: &Notes) {
        if !self.takes(&head.context) {
            return;
        }
        let Some(filling) = &self.filling else { return };
        let start_us = self.clock.wall_us(head.start);
        let duration_us = self.clock.wall_us(head.end).saturating_sub(start_us).max(1);
        let takers = self.samplers.takers(head.context.trace, head.context.debug());
        if filling.push(takers, site, head, Times { start_us, duration_us }, notes) {
            filling.hand_over();
        }
    }

    /// Whether spans have waited long enough. Ask now and then, at least twice in [`HAND_OVER_AGE`].
    #[must_use]
    pub fn due(&self, now: Monotonic) -> bool {
        self.filling.as_ref().is_some_and(|filling| {
            filling.batch.borrow().spans() > 0 && now.since(filling.opened.get()) >= HAND_OVER_AGE
        })
    }

    /// Offers the spans that wait, without waiting. When nobody takes them they stay, until the batch is full.
    pub fn hand_over(&self) {
        if let Some(filling) = &self.filling {
            filling.hand_over();
        }
    }
}

impl Drop for SpanBuffer {
    /// The last batch of a shard that ends.
    fn drop(&mut self) {
        if let Some(filling) = &self.filling {
            filling.hand_over();
            let rest = filling.batch.take();
            for (telemeter, counts) in filling.counts.iter().enumerate() {
                add(&counts.dropped_at_end, rest.spans_for(telemeter));
                counts.held.store(0, Ordering::Release);
            }
        }
    }
}

impl Filling {
    /// Adds a span, or counts it as dropped. True when the batch should be handed over.
    fn push(&self, takers: u32, site: &Site, head: &SpanHead, times: Times, notes: &Notes) -> bool {
        let mut batch = self.batch.borrow_mut();
        if batch.spans() == 0 {
            self.opened.set(head.end);
        }
        let added = batch.push(takers, site, head, times, notes);
        for (telemeter, counts) in self.counts.iter().enumerate() {
            let takes = u64::from(takers >> telemeter & 1);
            add(&counts.recorded, takes);
            add(if added { &counts.held } else { &counts.dropped_full }, takes);
        }
        !added || batch.spans() >= HAND_OVER_SPANS || batch.bytes() >= HAND_OVER_BYTES
    }

    fn hand_over(&self) {
        // The batch leaves its cell for the offer, so that nothing is borrowed while foreign code runs.
        let mut batch = self.batch.take();
        if batch.spans() == 0 {
            self.batch.replace(batch);
            return;
        }
        batch.shrink();
        match self.outlet.offer(batch) {
            Ok(()) => {
                let memory = self.spares.try_recv().unwrap_or_default();
                self.batch.replace(Batch::new(memory, self.counts.len(), Some(self.home.clone())));
                for counts in self.counts.iter() {
                    counts.held.store(0, Ordering::Release);
                }
            }
            Err(batch) => {
                self.batch.replace(batch);
            }
        }
    }
}

/// Adds to a counter that only this thread writes. The release lets a reader who sees a drop see the recording, too.
fn add(counter: &AtomicU64, count: u64) {
    if count > 0 {
        counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
