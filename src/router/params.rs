//! What a router is told: checked, immutable, the same for every shard.

use crate::http1::Limits;
use crate::name::{Dtab, Path};
use std::net::SocketAddr;
use std::time::Duration;

/// One entry of the configuration's `routers`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterParams {
    /// Unique among routers; names the router in logs, metrics and spans.
    pub label: String,
    /// The base dtab.
    pub dtab: Dtab,
    /// What the identifier's path is appended to.
    pub dst_prefix: Path,
    /// Where the router listens; never empty. Port 0 lets the kernel choose.
    pub servers: Vec<SocketAddr>,
    /// Bounds resolving a name and getting a connection.
    pub binding_timeout: Duration,
    /// Limits on the heads of requests and responses.
    pub limits: Limits,
}
