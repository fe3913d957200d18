//! A Zipkin-compatible collector, query API and trace viewer: axum on a thread of its own.
//!
//! The thread itself only moves bytes. Large batches are decoded and queries answered in a small pool beside it, over
//! a store that never makes one wait for the other.

pub mod annotation_query;
mod answer;
mod api;
mod connection;
mod ingest;
mod params;
mod query;
mod shared;
mod store;
mod viewer;

use crate::clock::Clock;
use connection::BoundedListener;
use shared::Shared;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

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

/// A collector that is running.
#[derive(Debug)]
pub struct Collector {
    local_addr: SocketAddr,
    /// Dropping it stops the collector as well.
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Collector {
    /// Starts to serve on `listener`, which is bound already and listens.
    ///
    /// # Errors
    /// When the listener is no good, or the thread or its runtime cannot be made.
    pub fn start(params: &CollectorParams, listener: TcpListener, clock: Clock) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(shared::BLOCKING_THREADS)
            .thread_name("collector-pool")
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let shared = Arc::new(Shared::new(params.max_spans, clock));
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || run(runtime, listener, shared, stopped))?;
        Ok(Self { local_addr, stop, thread })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, lets requests in flight finish for a short while, and ends the thread.
    pub fn shutdown(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the collector's thread panicked");
        }
    }
}

fn run(
    runtime: Runtime,
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        let serve = axum::serve(BoundedListener::new(listener), api::router(shared))
            .with_graceful_shutdown(told_to_stop(stopped.clone()));
        tokio::select! {
            result = serve.into_future() => {
                if let Err(error) = result {
                    tracing::error!("the collector ended: {error}");
                }
            }
            () = async { told_to_stop(stopped).await; sleep(SHUTDOWN_GRACE).await } => {}
        }
    });
    runtime.shutdown_timeout(POOL_GRACE);
}

/// Waits for the word, or for whoever could give it to be gone.
async fn told_to_stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// How long requests in flight may take to finish at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long what is left in the pool is then waited for. A query has no side effects: it may be left behind.
const POOL_GRACE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
