//! ringspan: a thread-per-core, io_uring HTTP proxy that gives a polyglot system distributed tracing
//! without touching its services.

pub mod clock;
pub mod http;
pub mod metrics;
pub mod name;
pub mod signal;

pub mod http1;
pub mod net;
pub mod trace;

pub mod balance;
pub mod identifier;
pub mod namer;
pub mod zipkin;

pub mod client;
pub mod discovery;
pub mod flusher;
pub mod interpreter;

pub mod admin;
pub mod collector;
pub mod router;

pub mod boot;
pub mod config;
pub mod control;
pub mod server;
pub mod shard;
