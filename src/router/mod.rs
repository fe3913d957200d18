//! What one router decides: names for requests, clients for names, headers and faults.

mod fault;
mod params;
pub mod rewrite;
mod service;

pub use fault::{Fault, Stage, Target, Waiting, encode_err};
pub use params::RouterParams;
pub use service::{Leaf, Route, Service};

use crate::client::Client;
use crate::clock::Monotonic;
use crate::discovery::Watcher;
use crate::interpreter::{Cache, bind};
use crate::metrics::{Registry, Scope};
use crate::name::Bound;
use crate::namer;
use crate::trace::{Kind, Site, SiteParts, Tag};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// One router on one shard.
#[derive(Debug)]
pub struct Router {
    params: RouterParams,
    dtab_text: String,
    unidentified: Site,
    services: Cache<Service>,
    clients: RefCell<HashMap<String, Weak<Client>>>,
    watcher: Rc<Watcher>,
    registry: Arc<Registry>,
}

impl Router {
    /// A router that has bound nothing yet.
    #[must_use]
    pub fn new(params: RouterParams, watcher: Rc<Watcher>, registry: Arc<Registry>) -> Self {
        let unidentified = Site::new(SiteParts {
            kind: Kind::Server,
            service: params.label.clone(),
            span_name: String::new(),
            remote_service: String::new(),
            tags: vec![(Tag::RouterLabel, params.label.clone())],
        });
        Self {
            dtab_text: params.dtab.to_string(),
            params,
            unidentified,
            services: Cache::new(MAX_SERVICES, SERVICE_IDLE_TIME),
            clients: RefCell::default(),
            watcher,
            registry,
        }
    }

    /// What the configuration says.
    #[must_use]
    pub const fn params(&self) -> &RouterParams {
        &self.params
    }

    /// Where the server spans of requests without a name are recorded.
    #[must_use]
    pub const fn unidentified(&self) -> &Site {
        &self.unidentified
    }

    /// The service of the name that `token` completes, bound now if it is not known.
    pub fn service(&self, token: &[u8], now: Monotonic) -> Rc<Service> {
        if let Some(service) = self.services.get(token, now) {
            return service;
        }
        let service = Rc::new(self.bind(token));
        self.services.insert(token, Rc::clone(&service), now);
        service
    }

    /// The base dtab, an entry a line, for explanations.
    #[must_use]
    pub fn explain_dtab(&self) -> String {
        self.params.dtab.listing().to_string()
    }

    /// Gives up services that have been idle for long.
    pub fn expire(&self, now: Monotonic) {
        self.services.expire(now);
        self.clients.borrow_mut().retain(|_, client| client.strong_count() > 0);
    }

    /// Takes over newly published addresses and closes connections that are no longer good.
    pub fn refresh_clients(&self) {
        for client in self.clients.borrow().values().filter_map(Weak::upgrade) {
            client.refresh();
            client.sweep();
        }
    }

    fn bind(&self, token: &[u8]) -> Service {
        let path = self.params.dst_prefix.child(token);
        let route = match bind(&self.params.dtab, &path, namer::lookup) {
            Ok(tree) => Route::new(&tree, &|bound| self.leaf(bound)),
            Err(error) => Route::Failed(error.to_string()),
        };
        Service::new(&self.params.label, path.to_string(), &self.dtab_text, route)
    }

    fn leaf(&self, bound: &Bound) -> Leaf {
        Leaf::new(&self.params.label, self.client(bound), bound.residual.to_string())
    }

    /// The client of a bound id: services that are bound to the same id share it.
    fn client(&self, bound: &Bound) -> Rc<Client> {
        let id = bound.id.to_string();
        if let Some(client) = self.clients.borrow().get(&id).and_then(Weak::upgrade) {
            return client;
        }
        let scope = Scope::Client { router: self.params.label.clone(), id: id.clone() };
        let metrics = self.registry.scope(scope);
        let watcher = Rc::clone(&self.watcher);
        let client = Rc::new(Client::new(id.clone(), bound.destination.clone(), watcher, metrics));
        self.clients.borrow_mut().insert(id, Rc::downgrade(&client));
        client
    }
}

/// Services kept per router and shard; Linkerd's `bindingCache.paths`.
const MAX_SERVICES: usize = 1_000;
/// Linkerd's `bindingCache.idleTtlSecs`.
const SERVICE_IDLE_TIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
