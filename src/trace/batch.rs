//! A batch: finished spans that wait together, one record after the other in a single byte string.

use super::notes::Notes;
use super::record::{self, MAX_HEAD_BYTES, Site, SiteParts, SpanHead, SpanRecord, Times};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Bytes of records at which a batch takes no more, even when nobody takes it off the shard.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Finished spans of one shard.
///
/// Its memory goes back to its shard when the last user drops it, so that a busy shard allocates nothing.
#[derive(Debug, Default)]
pub struct Batch {
    records: Vec<u8>,
    sites: Vec<Arc<SiteParts>>,
    /// Spans that each telemeter takes.
    taken: Vec<u64>,
    spans: usize,
    home: Option<SyncSender<Vec<u8>>>,
}

/// A place between two records of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position(usize);

impl Batch {
    /// An empty batch in the (cleared) memory of `records`, for this many telemeters.
    #[must_use]
    pub(super) fn new(mut records: Vec<u8>, telemeters: usize, home: Option<SyncSender<Vec<u8>>>) -> Self {
        records.clear();
        Self { records, sites: Vec::new(), taken: vec![0; telemeters], spans: 0, home }
    }

    /// Adds a span for the telemeters in `takers`. False, and nothing is added, when the batch is full.
    pub(super) fn push(
        &mut self,
        takers: u32,
        site: &Site,
        head: &SpanHead,
        times: Times,
        notes: &Notes,
    ) -> bool {
        if self.records.len() + MAX_HEAD_BYTES + notes.len() > MAX_BATCH_BYTES {
            return false;
        }
        let site = self.site_index(site);
        record::encode(&mut self.records, takers, site, head, times, notes);
        self.spans += 1;
        for (index, taken) in self.taken.iter_mut().enumerate() {
            *taken += u64::from(takers >> index & 1);
        }
        true
    }

    /// How many spans there are.
    #[must_use]
    pub const fn spans(&self) -> usize {
        self.spans
    }

    /// How many of the spans the telemeter with this index takes.
    #[must_use]
    pub fn spans_for(&self, telemeter: usize) -> u64 {
        self.taken.get(telemeter).copied().unwrap_or(0)
    }

    /// Bytes of all records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Bytes of the records from `position` on.
    #[must_use]
    pub const fn bytes_after(&self, position: Position) -> usize {
        self.records.len().saturating_sub(position.0)
    }

    /// Bytes of memory that the batch holds on to, apart from what its sites share with others.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.records.capacity() + self.sites.capacity() * size_of::<Arc<SiteParts>>() + size_of::<Self>()
    }

    /// What the spans of each place have in common; a record's `site_index` counts here.
    #[must_use]
    pub fn sites(&self) -> &[Arc<SiteParts>] {
        &self.sites
    }

    /// The span at `position` and the position after it. None at the end.
    #[must_use]
    pub fn read(&self, position: Position) -> Option<(SpanRecord<'_>, Position)> {
        let bytes = self.records.get(position.0..)?;
        let (record, rest) = record::decode(bytes, &self.sites)?;
        Some((record, Position(self.records.len() - rest.len())))
    }

    /// All spans in the order of recording.
    pub fn iter(&self) -> impl Iterator<Item = SpanRecord<'_>> {
        let mut position = Position::default();
        std::iter::from_fn(move || {
            let (record, next) = self.read(position)?;
            position = next;
            Some(record)
        })
    }

    /// Moves the records into memory of their own size when they fill little of what they have, and gives the
    /// larger memory back: a small batch that waits long must not hold a big one's memory.
    pub(super) fn shrink(&mut self) {
        if self.records.len() < self.records.capacity() / 4 {
            let exact = self.records.as_slice().to_vec();
            let large = std::mem::replace(&mut self.records, exact);
            self.give_back(large);
            self.home = None;
        }
    }

    fn site_index(&mut self, site: &Site) -> u32 {
        let guess = site.slot.get();
        let known = self.sites.get(guess).is_some_and(|parts| Arc::ptr_eq(parts, site.parts()));
        if !known {
            site.slot.set(self.sites.len());
            self.sites.push(Arc::clone(site.parts()));
        }
        // A batch has fewer sites than it has bytes, so the number fits.
        u32::try_from(site.slot.get()).unwrap_or(u32::MAX)
    }

    fn give_back(&self, memory: Vec<u8>) {
        if let Some(home) = &self.home {
            // A shard that has spares enough, or is gone, does not need it.
            let _unneeded = home.try_send(memory);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.records);
        if memory.capacity() > 0 {
            self.give_back(memory);
        }
    }
}
