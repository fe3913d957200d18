//! What all requests to the collector share, and the bounds on the work they may ask for at a time.

use super::store::Store;
use crate::clock::Clock;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

/// The store, the clock, and three budgets.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    /// Kibibytes of bodies that are being read or wait to be decoded.
    bodies: Arc<Semaphore>,
    decoders: Semaphore,
    queries: Semaphore,
}

impl Shared {
    pub(super) fn new(max_spans: usize, clock: Clock) -> Self {
        Self {
            store: Arc::new(Store::new(max_spans)),
            clock,
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
            decoders: Semaphore::new(DECODERS),
            queries: Semaphore::new(QUERIES),
        }
    }

    /// Waits until there is memory for a body of `bytes`; it is taken until the result is dropped.
    pub(super) async fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1_024).min(BODIES_KIB)).unwrap_or(u32::MAX);
        Arc::clone(&self.bodies).acquire_many_owned(kib).await.ok()
    }

    /// Decodes off this thread. None when the runtime shuts down before it is done.
    pub(super) async fn decode<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.decoders.acquire().await.ok()?;
        spawn_blocking(work).await.ok()
    }

    /// Asks the store off this thread. None when the runtime shuts down before it is done.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.queries.acquire().await.ok()?;
        let store = Arc::clone(&self.store);
        spawn_blocking(move || work(&store)).await.ok()
    }
}

/// Memory for the bodies of all requests together.
const BODIES_KIB: usize = 64 * 1_024;

/// Batches decoded at a time.
const DECODERS: usize = 2;

/// Queries answered at a time.
const QUERIES: usize = 2;

/// Threads for both: each has its own, so neither ever waits for the other.
pub(super) const BLOCKING_THREADS: usize = DECODERS + QUERIES;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::runtime::Builder;

    #[test]
    fn queries_that_do_not_end_leave_decoding_its_threads() {
        let runtime = Builder::new_current_thread().max_blocking_threads(BLOCKING_THREADS).build().unwrap();
        let shared = Arc::new(Shared::new(1, Clock::start()));
        let (release, stuck) = mpsc::channel::<()>();
        let stuck = Arc::new(std::sync::Mutex::new(stuck));
        let decoded = runtime.block_on(async {
            for _ in 0..10 * QUERIES {
                let (shared, stuck) = (Arc::clone(&shared), Arc::clone(&stuck));
                let query = async move { shared.query(move |_| stuck.lock().unwrap().recv().is_err()).await };
                tokio::spawn(query);
            }
            tokio::task::yield_now().await;
            shared.decode(|| "decoded").await
        });
        assert_eq!(decoded, Some("decoded"));
        drop(release);
    }
}
