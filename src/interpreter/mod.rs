//! From a dtab and a path to bound names.

mod cache;

pub use cache::Cache;
