//! What is known about host names: one immutable table at a time, and the cell that publishes it.

use crate::signal::Signal;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the last lookup that told anything said about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// All addresses of the name, sorted, at least one.
    Addresses(Arc<[IpAddr]>),
    /// The name does not exist, or has no address that this machine can use.
    Negative,
    /// No lookup has worked yet; why the last one did not.
    Failed(String),
}

/// The names that shards watch, as far as they are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    names: HashMap<Arc<str>, Resolution>,
}

impl Table {
    /// What is known about `host`. None means not answered yet: wait for the next generation, or go on with
    /// the addresses that were there before.
    #[must_use]
    pub fn lookup(&self, host: &str) -> Option<&Resolution> {
        self.names.get(host)
    }

    pub(super) fn set(&mut self, host: &Arc<str>, resolution: Resolution) {
        self.names.insert(Arc::clone(host), resolution);
    }

    pub(super) fn remove(&mut self, host: &str) {
        self.names.remove(host);
    }
}

/// The current table, for the directory to replace and for every shard to read.
#[derive(Debug, Default)]
pub(super) struct Published {
    generation: AtomicU64,
    table: ArcSwap<Table>,
}

impl Published {
    /// Replaces the table and wakes the shards. Whoever sees the new generation sees this table or a newer.
    pub(super) fn publish(&self, table: Table, shards: &[Arc<Signal>]) {
        self.table.store(Arc::new(table));
        self.generation.fetch_add(1, Ordering::Release);
        for shard in shards {
            shard.raise(Signal::ADDRESSES);
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }
}
