//! HTTP/1.1 on the wire, with literal bytes on both sides of the proxy.

mod connections;
mod expect;
mod framing;
mod heads;
mod refused;
mod rewriting;
