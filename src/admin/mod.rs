//! The admin server: axum on the control thread, over snapshots only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
