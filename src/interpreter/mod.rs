//! From a logical name to destinations: a dtab and the namers applied over and over, and what came of it kept.

mod bind;
mod cache;

pub use bind::{BindError, BindLimits, bind, bind_within};
pub use cache::Cache;
