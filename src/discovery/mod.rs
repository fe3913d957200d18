//! Host names: resolved off the shards, refreshed while somebody uses them, published as whole tables.
//!
//! The [`Directory`] runs on the control thread. Each shard has a [`Watcher`]: it says which names the shard
//! uses and reads the published [`Table`]. Watching is one message into a bounded queue and never a wait;
//! reading is one load when nothing changed. What a name is for, and when it is no longer used, is the
//! binding cache's business.

mod directory;
mod policy;
mod resolve;
mod table;
mod watcher;

pub use directory::{Directory, LOOKUPS_IN_FLIGHT, REFRESH};
pub use policy::ADDRESSES_PER_NAME;
pub use resolve::{Outcome, Resolver};
pub use table::{Resolution, Table};
pub use watcher::{QueueFull, WATCHED_NAMES, Watcher};
