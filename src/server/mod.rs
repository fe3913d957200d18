//! The side that accepts: connections of callers, and the requests on them.

mod attempt;
mod callers;
mod connection;
mod exchange;
mod outcome;
mod pending;
mod recording;
mod relay;
mod request;

pub use callers::Callers;

use crate::clock::Clock;
use crate::metrics::{Registry, SideMetrics};
use crate::net::{Buffers, Deadlines, Listener, Notify, Readiness};
use crate::router::Router;
use crate::trace::SpanBuffer;
use futures_lite::FutureExt;
use rand::rngs::SmallRng;
use recording::Recording;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

/// What all connections of a shard share.
pub struct Shared {
    /// Reads time.
    pub clock: Clock,
    /// Spare buffers.
    pub buffers: Buffers,
    /// Tells streams when they can go on.
    pub readiness: Rc<Readiness>,
    /// Waits that must end.
    pub deadlines: Deadlines,
    /// Takes finished spans, and decides which traces are recorded.
    pub spans: SpanBuffer,
    /// Draws ids and choices.
    pub rng: RefCell<SmallRng>,
    /// New addresses were published.
    pub addresses_changed: Notify,
    /// This shard's counts.
    pub registry: Arc<Registry>,
    /// Notes of sampled requests, to be used again.
    #[expect(clippy::vec_box, reason = "a recording is taken out and put back by its pointer")]
    recordings: RefCell<Vec<Box<Recording>>>,
    accept_failing: Cell<bool>,
}

impl Shared {
    /// A shard with nothing open yet.
    #[must_use]
    pub fn new(
        clock: Clock,
        readiness: Rc<Readiness>,
        spans: SpanBuffer,
        rng: SmallRng,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            clock,
            buffers: Buffers::default(),
            readiness,
            deadlines: Deadlines::new(clock),
            spans,
            rng: RefCell::new(rng),
            addresses_changed: Notify::default(),
            registry,
            recordings: RefCell::default(),
            accept_failing: Cell::new(false),
        }
    }

    fn take_recording(&self) -> Box<Recording> {
        self.recordings.borrow_mut().pop().unwrap_or_default()
    }

    fn give_recording(&self, recording: Box<Recording>) {
        let mut spare = self.recordings.borrow_mut();
        if spare.len() < MAX_SPARE_RECORDINGS {
            spare.push(recording);
        }
    }
}

/// One listener of a router on this shard.
pub struct Server {
    shared: Rc<Shared>,
    router: Rc<Router>,
    metrics: Arc<SideMetrics>,
    /// Its open connections, and those of the servers that are drained together with it.
    callers: Rc<Callers>,
    /// Where it really listens.
    address: SocketAddr,
}

impl Server {
    /// A server of `router` that listens on `address` and enters its connections into `callers`.
    #[must_use]
    pub const fn new(
        shared: Rc<Shared>,
        router: Rc<Router>,
        metrics: Arc<SideMetrics>,
        callers: Rc<Callers>,
        address: SocketAddr,
    ) -> Self {
        Self { shared, router, metrics, callers, address }
    }

    /// Accepts connections and serves each in a task of its own, until `listener` is closed while draining.
    pub async fn run(self: Rc<Self>, listener: Rc<Listener>) {
        loop {
            match listener.accept().await {
                Ok(Some(stream)) => {
                    self.shared.accept_failing.set(false);
                    let served = connection::serve(Rc::clone(&self), stream);
                    let registry = Arc::clone(&self.shared.registry);
                    glommio::spawn_local(async move { contain(served, &registry).await }).detach();
                }
                Ok(None) => return,
                Err(error) => self.pause_accepting(&error).await,
            }
        }
    }

    /// Out of descriptors or memory: new connections wait in the kernel's queue until there is room again.
    async fn pause_accepting(&self, error: &std::io::Error) {
        self.shared.registry.counters.accept_errors.inc();
        if !self.shared.accept_failing.replace(true) {
            let (label, address) = (&self.router.params().label, self.address);
            tracing::error!("{label} on {address} cannot accept connections for the moment: {error}");
        }
        let _ = self.shared.deadlines.within(Deadlines::TICK, std::future::pending::<()>()).await;
    }
}

/// Runs the task of one connection: a panic ends this connection, is counted, and ends nothing else.
async fn contain(task: impl Future<Output = ()>, registry: &Registry) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        registry.counters.task_panics.inc();
    }
}

/// Notes kept for reuse, about one for each sampled request that is served at the same time.
const MAX_SPARE_RECORDINGS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    #[test]
    fn a_panic_ends_the_task_of_its_connection_and_is_counted() {
        let registry = Registry::default();
        block_on(contain(async { panic!("for this test") }, &registry));
        assert_eq!(registry.counters.task_panics.value(), 1);
        block_on(contain(async {}, &registry));
        assert_eq!(registry.counters.task_panics.value(), 1);
    }
}
