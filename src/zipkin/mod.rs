//! Zipkin: the v2 span and its JSON, and the sender that posts it.

pub mod body;
mod json;
pub mod sender;
mod tags;
pub mod v2;

/// The configuration's telemeters of kind `io.l5d.zipkin` and `io.zipkin.http`, HTTP transport.
#[derive(Clone, Debug, PartialEq)]
pub struct ZipkinParams {
    /// Host name or address of the collector.
    pub host: String,
    /// Port of the collector.
    pub port: u16,
    /// Value of the Host header; none means `host:port`.
    pub host_header: Option<String>,
    /// Compress request bodies with gzip.
    pub compress: bool,
    /// The share of new traces to record, 0 to 1.
    pub sample_rate: f64,
}
