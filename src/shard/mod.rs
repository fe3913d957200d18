//! One core: its executor, its routers, its servers; spans handed over, draining.

/// The configuration's `runtime`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShardsParams {
    /// One shard per core that the process may use.
    #[default]
    AllCores,
    /// This many shards, on the first cores that the process may use.
    Count(usize),
    /// One shard on each of these cores.
    Cores(Vec<usize>),
}
