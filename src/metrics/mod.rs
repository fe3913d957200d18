//! Counts and latencies: one writer per shard on the request path, added up by the control plane.
//!
//! A shard owns a [`Registry`] and keeps the [`SideMetrics`] of each server, service and client that it
//! serves; counting is a relaxed load and a store, never a locked instruction. [`Metrics`] holds the
//! registries of all shards, adds them up and keeps one-minute windows of the latencies. How the sums are
//! written as JSON is `admin/metrics.rs`.

mod counter;
mod histogram;
mod process;
mod registry;
mod side;
mod snapshot;
mod spans;
mod window;

pub use counter::{Counter, Gauge};
pub use histogram::{Histogram, Recorded, Summary};
pub use process::ProcessGauges;
pub use registry::{RETAINED_IDLE_SCOPES, Registry, Scope, ShardCounters};
pub use side::SideMetrics;
pub use snapshot::{Entry, Metrics, Snapshot, Value};
pub use spans::SpanTotals;
