//! From a file to parameters: the only room that knows TOML, YAML and JSON.

use crate::admin::AdminParams;
use crate::collector::CollectorParams;
use crate::router::RouterParams;
use crate::shard::ShardsParams;
use crate::zipkin::ZipkinParams;

/// Everything that a configuration file says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The admin server.
    pub admin: AdminParams,
    /// Routers, in the order of the file; empty only beside a collector.
    pub routers: Vec<RouterParams>,
    /// Telemeters, in the order of the file.
    pub telemetry: Vec<ZipkinParams>,
    /// The embedded collector, if the file has that section.
    pub collector: Option<CollectorParams>,
    /// The shards to start.
    pub shards: ShardsParams,
}
