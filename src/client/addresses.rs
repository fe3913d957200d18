//! A client: everything that the requests to one bound name share on this shard.

use super::Destination;
use crate::discovery::{Resolution, Watcher};
use crate::metrics::SideMetrics;
use crate::name::{self, Host};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// What is known of a client's addresses.
#[derive(Clone, Debug)]
pub enum Addresses {
    /// The first answer has not come yet.
    Pending,
    /// Where requests can go. Empty when the name does not exist.
    Known(Rc<[Rc<Destination>]>),
    /// No answer was ever good; the text says why.
    Failed(Rc<str>),
}

/// The client of one bound id.
#[derive(Debug)]
pub struct Client {
    id: String,
    origin: name::Destination,
    addresses: RefCell<Addresses>,
    /// The generation of the table that `addresses` was made of; none until the name could be asked for.
    seen: Cell<Option<u64>>,
    watcher: Rc<Watcher>,
    metrics: Arc<SideMetrics>,
}

impl Client {
    /// A client of `id`, whose addresses come from `origin`. A host that is a name is watched as long as it lives.
    #[must_use]
    pub fn new(
        id: String,
        origin: name::Destination,
        watcher: Rc<Watcher>,
        metrics: Arc<SideMetrics>,
    ) -> Self {
        let client = Self {
            id,
            addresses: RefCell::new(match &origin {
                name::Destination::Inet { host: Host::Ip(ip), port } => known(&[*ip], *port, None),
                name::Destination::Inet { host: Host::Name(_), .. } => Addresses::Pending,
                name::Destination::Failed { reason } => Addresses::Failed(reason.as_ref().into()),
            }),
            origin,
            seen: Cell::new(None),
            watcher,
            metrics,
        };
        client.refresh();
        client
    }

    /// The bound id, printed: `/$/inet/127.1/8080`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts what goes to this client.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<SideMetrics> {
        &self.metrics
    }

    /// The addresses as last published: one relaxed load unless something changed.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.refresh();
        self.addresses.borrow().clone()
    }

    /// An address as errors print it: `name/ip:port` when it came from a name.
    #[must_use]
    pub fn print(&self, address: SocketAddr) -> String {
        match self.watched() {
            Some((name, _)) => format!("{name}/{address}"),
            None => address.to_string(),
        }
    }

    /// All addresses that are known, printed.
    #[must_use]
    pub fn print_all(&self) -> Vec<String> {
        match &*self.addresses.borrow() {
            Addresses::Known(known) => {
                known.iter().map(|destination| self.print(destination.address())).collect()
            }
            Addresses::Pending | Addresses::Failed(_) => Vec::new(),
        }
    }

    /// Takes over what discovery has published since the last time, if anything.
    pub fn refresh(&self) {
        let Some((name, port)) = self.watched() else { return };
        let generation = self.watcher.generation();
        match self.seen.get() {
            Some(seen) if seen == generation => return,
            Some(_) => {}
            None => {
                if self.watcher.watch(name).is_err() {
                    let text = format!("too many names wait to be resolved, {name} could not be asked for");
                    *self.addresses.borrow_mut() = Addresses::Failed(text.into());
                    return;
                }
                *self.addresses.borrow_mut() = Addresses::Pending;
            }
        }
        self.seen.set(Some(generation));
        let table = self.watcher.table();
        let mut addresses = self.addresses.borrow_mut();
        match table.lookup(name) {
            None => {}
            Some(Resolution::Addresses(ips)) => *addresses = known(ips, port, Some(&addresses)),
            Some(Resolution::Negative) => *addresses = known(&[], port, None),
            // The last good set stays in use.
            Some(Resolution::Failed(_)) if matches!(&*addresses, Addresses::Known(_)) => {}
            Some(Resolution::Failed(text)) => *addresses = Addresses::Failed(text.as_str().into()),
        }
    }

    /// The host name and port whose addresses are watched, if this client has one.
    fn watched(&self) -> Option<(&str, u16)> {
        match &self.origin {
            name::Destination::Inet { host: Host::Name(name), port } => Some((name.as_str(), *port)),
            _ => None,
        }
    }

    /// Closes idle connections that are no longer good.
    pub fn sweep(&self) {
        if let Addresses::Known(destinations) = &*self.addresses.borrow() {
            for destination in destinations.iter() {
                destination.sweep();
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let (Some((name, _)), Some(_)) = (self.watched(), self.seen.get()) {
            self.watcher.release(name);
        }
    }
}

/// Destinations for `ips`; those that were known `before` keep their connections.
fn known(ips: &[IpAddr], port: u16, before: Option<&Addresses>) -> Addresses {
    let old: &[Rc<Destination>] = match before {
        Some(Addresses::Known(destinations)) => destinations,
        _ => &[],
    };
    let destination = |ip: &IpAddr| {
        let address = SocketAddr::new(*ip, port);
        let same = old.iter().find(|destination| destination.address() == address);
        same.map_or_else(|| Rc::new(Destination::new(address)), Rc::clone)
    };
    Addresses::Known(ips.iter().map(destination).collect())
}

#[cfg(test)]
mod tests;
