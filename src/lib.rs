//! ringspan: a thread-per-core HTTP proxy on io_uring that gives a polyglot system distributed tracing without
//! touching its services. It does what Linkerd 1.x did: routers in a configuration file, dtabs that turn names
//! into addresses, `l5d-*` context headers, and Zipkin spans for every hop.
//!
//! This page is the architecture; each folder's own page says what lives there and what does not.
//!
//! # Two planes
//!
//! ```text
//!  callers ──▶ shard 0 (core 0) ──▶ destinations        data plane: glommio, one thread per core,
//!  callers ──▶ shard 1 (core 1) ──▶ destinations        nothing shared, nothing mutable between them
//!                 │  ▲      │
//!   batches of    │  │      │ counters (one writer, read by anyone)
//!   spans, never  │  │      ▼
//!   waited for    │  │   control thread: admin server, signals, host names    control plane: tokio
//!                 │  └── tables of addresses, wake-ups
//!                 ▼
//!              flusher thread: merges, encodes, posts ──▶ Zipkin, or the collector thread of this process
//! ```
//!
//! - A **shard** ([`shard`]) is one glommio executor pinned to one core. It has listeners of its own
//!   (SO_REUSEPORT), its own binding cache, connections, counters and span buffer. No shard ever waits for a
//!   lock, another shard, or the control plane.
//! - The **control thread** ([`control`]) runs the [`admin`] server, turns signals into an end, and resolves host
//!   names ([`discovery`]), publishing whole immutable tables.
//! - The **flusher** ([`flusher`]) takes batches of finished spans from a bounded queue and posts them. What it
//!   cannot deliver is dropped and counted; nobody waits for it.
//! - The **collector** ([`collector`]) is an embedded Zipkin: ingestion, queries and a viewer, over the same HTTP
//!   path that a real Zipkin would be reached by.
//!
//! glommio is named only in [`net`], [`server`] and [`shard`]; tokio, axum and reqwest only outside them.
//!
//! # How a shard waits
//!
//! The executor sleeps in its ring (io_uring with COOP_TASKRUN, `net/ring_flags.rs`). The ring polls one
//! descriptor for all of the shard's sockets: an edge-triggered epoll set that each socket enters once in its life
//! (`net/readiness.rs`). Polling each socket through the ring itself, as glommio's streams do, submits and completes
//! an operation for every read; measured beside each other, a request costs 0.885 times as much this way. A
//! request on two kept connections takes two reads and two writes, and no other system call of its own.
//!
//! # One request, file by file
//!
//! 1. `server/mod.rs` accepts and spawns a task; `server/connection.rs` waits for a request's first bytes. An idle
//!    connection holds no buffer.
//! 2. `server/request.rs`, the conductor, reads the head ([`http1`]), takes the trace context from its headers or
//!    makes one, decides about sampling ([`trace`]), has it named ([`identifier`]) and bound ([`router`],
//!    [`interpreter`], [`namer`], [`name`]), and encodes the head that goes on (`router/rewrite.rs`): all between two
//!    awaits, because the parsed head borrows the input.
//! 3. [`balance`] picks one of the bound client's addresses ([`client`]); `server/attempt.rs` gets a connection
//!    there, idle or new.
//! 4. `server/exchange.rs` sends the request while it waits for the response, whose head is rewritten on its way
//!    back. `server/relay.rs` moves each body at its receiver's pace, in as many bytes as one buffer holds.
//! 5. Both spans are closed (`server/recording.rs`) when the response head is handed to the caller's socket, and
//!    go into the shard's batch; an unsampled request has paid one branch for all of this.
//! 6. Whatever goes wrong from step 2 on is a `router/fault.rs` value that is answered instead of a response.
//!    Once a response head is out, the only honest answer left is to break the connection.
//!
//! # Layers
//!
//! Modules are listed in layer order below. Imports point upwards in that list only, so there are no circles.
//!
//! | layer | modules | |
//! |---|---|---|
//! | 0 | [`clock`], [`name`], [`http`], [`metrics`], [`signal`] | words and values; no IO |
//! | 1 | [`http1`], [`trace`], [`net`] | bytes, spans, sockets |
//! | 2 | [`identifier`], [`namer`], [`balance`], [`zipkin`] | single decisions and encodings |
//! | 3 | [`interpreter`], [`discovery`], [`client`], [`flusher`] | state of one concern each |
//! | 4 | [`router`], [`admin`], [`collector`] | what one router decides; what is served beside routers |
//! | 5 | [`server`], [`control`] | conductors |
//! | 6 | [`shard`] | one core |
//! | 7 | [`config`] | from a file to parameters |
//! | 8 | [`boot`] | start, wait, end |
//!
//! # What must hold
//!
//! - **No wait on a shard** but for its own sockets and deadlines; every queue out of it is bounded and refuses.
//! - **No allocation** per request on kept connections without sampling; buffers, notes and tasks are reused.
//! - **Every buffer, cache, queue and wait has a named limit.** Bytes from outside never reach an index, an `unwrap`
//!   or a buffer that grows without one.
//! - **Spans add up**: recorded = sent + dropped + queued whenever no span is moving.
//! - **Spans nest**: all threads share one monotonic clock and one wall-clock offset, and a server span's end is
//!   read before its response is written.
//! - **A response that broke off never looks complete** to the caller.

// One block for each layer.

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

pub mod control;
pub mod server;

pub mod shard;

pub mod config;

pub mod boot;
