//! A Zipkin-compatible collector, query API and trace viewer: axum on a thread of its own.

mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The configuration's `collector`.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorParams {
    /// Where it listens; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Spans kept in memory; whole traces are evicted beyond it.
    pub max_spans: usize,
}

impl Default for CollectorParams {
    /// Zipkin's own defaults, on loopback.
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9411), max_spans: 500_000 }
    }
}
