//! The admin server: axum on the control thread, over snapshots only.
//!
//! It shows what others count and passes on what it is asked; the dashboard, when there is one, is a client
//! of these same pages.

mod grace;
mod metrics;
mod routes;
mod server;

pub use grace::{BadDuration, parse_grace};
pub use server::{LEAST_GRACE, serve};

use crate::clock::{Clock, Monotonic};
use crate::metrics::{Metrics, SpanTotals};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The configuration's `admin`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdminParams {
    /// Where it listens; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// How long requests in flight may take to finish at shutdown; at least 1 s.
    pub shutdown_grace: Duration,
}

impl Default for AdminParams {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9990),
            shutdown_grace: Duration::from_millis(10_000),
        }
    }
}

/// Everything that the admin server shows and can cause.
pub struct Sources {
    /// The metrics of all shards.
    pub metrics: Arc<Metrics>,
    /// The span accounting now; none when nothing records spans.
    pub spans: Box<dyn Fn() -> Option<SpanTotals> + Send + Sync>,
    /// The running configuration, as `/config.json` shows it.
    pub config_json: serde_json::Value,
    /// For the uptime.
    pub clock: Clock,
    /// When the process started.
    pub started: Monotonic,
    /// Asks for the shutdown of the process, with the grace that was asked for. Must not wait.
    pub shutdown: Box<dyn Fn(Option<Duration>) + Send + Sync>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("config_json", &self.config_json).finish_non_exhaustive()
    }
}
