//! The metrics of one shard: which servers, services and clients it counts, and what happened to itself.

use super::counter::Counter;
use super::side::SideMetrics;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Scopes that nobody uses are forgotten when a shard holds more than this beside those in use: one that
/// comes back soon goes on counting, and names that callers invent cannot fill the memory.
pub const RETAINED_IDLE_SCOPES: usize = 256;

/// Whose metrics these are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A listener of a router, by its configured address.
    Server {
        /// The router's label.
        router: String,
        /// Where it was told to listen; port 0 stays 0.
        address: SocketAddr,
    },
    /// A logical name.
    Service {
        /// The router's label.
        router: String,
        /// As in `/svc/web`.
        name: String,
    },
    /// A bound name.
    Client {
        /// The router's label.
        router: String,
        /// As in `/$/inet/127.1/8080`.
        id: String,
    },
}

/// What happens on a shard beside its requests.
#[derive(Debug, Default)]
pub struct ShardCounters {
    /// Connections ended by a panic of their own task.
    pub task_panics: Counter,
    /// Failed accepts: out of files or memory.
    pub accept_errors: Counter,
    /// Requests whose head was no HTTP, refused before any router saw them.
    pub bad_heads: Counter,
}

/// The metrics of one shard.
#[derive(Debug, Default)]
pub struct Registry {
    /// Events of the shard itself.
    pub counters: ShardCounters,
    scopes: Mutex<Scopes>,
}

#[derive(Debug, Default)]
struct Scopes {
    known: HashMap<Scope, Arc<Tracked>>,
    created: u64,
    sweep_at: usize,
}

/// One scope's metrics, and a number that tells it from an earlier one of the same name.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) id: u64,
    pub(super) side: Arc<SideMetrics>,
}

impl Registry {
    /// The metrics of `scope`, made when they are not known. Keep the result: this call takes a lock, using
    /// the result does not. Dropping every clone of the result allows them to be forgotten.
    pub fn scope(&self, scope: Scope) -> Arc<SideMetrics> {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tracked) = scopes.known.get(&scope) {
            return Arc::clone(&tracked.side);
        }
        if scopes.known.len() >= scopes.sweep_at.max(RETAINED_IDLE_SCOPES) {
            scopes.known.retain(|_, tracked| Arc::strong_count(&tracked.side) > 1);
            // Sweeping again only after as many new ones as there are, keeps the cost per scope constant.
            scopes.sweep_at = (2 * scopes.known.len()).max(scopes.known.len() + RETAINED_IDLE_SCOPES);
        }
        scopes.created += 1;
        let side = Arc::new(SideMetrics::default());
        let tracked = Tracked { id: scopes.created, side: Arc::clone(&side) };
        scopes.known.insert(scope, Arc::new(tracked));
        side
    }

    /// Every scope known now. Holds the lock only while it copies the list.
    pub(super) fn list(&self) -> Vec<(Scope, Arc<Tracked>)> {
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.known.iter().map(|(scope, tracked)| (scope.clone(), Arc::clone(tracked))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: impl ToString) -> Scope {
        Scope::Service { router: "in".to_owned(), name: name.to_string() }
    }

    #[test]
    fn one_scope_has_one_set_of_metrics() {
        let registry = Registry::default();
        let first = registry.scope(service("/svc/a"));
        assert!(Arc::ptr_eq(&first, &registry.scope(service("/svc/a"))));
        assert!(!Arc::ptr_eq(&first, &registry.scope(service("/svc/b"))));
    }

    #[test]
    fn a_scope_that_comes_back_soon_goes_on_counting() {
        let registry = Registry::default();
        registry.scope(service("/svc/a")).request_started();
        assert_eq!(registry.scope(service("/svc/a")).pending.value(), 1);
    }

    #[test]
    fn scopes_that_nobody_uses_are_bounded_and_those_in_use_stay() {
        let registry = Registry::default();
        let kept: Vec<_> = (0..10).map(|n| registry.scope(service(n))).collect();
        for n in 10..5_000 {
            registry.scope(service(n));
        }
        assert!(registry.list().len() <= 2 * RETAINED_IDLE_SCOPES);
        for (n, side) in kept.iter().enumerate() {
            assert!(Arc::ptr_eq(side, &registry.scope(service(n))));
        }
    }
}
