//! The plainest set-up: a proxy with one router, and the one destination it sends everything to.

use super::{Connection, Message, Origin, Proxy, Raw, one_router};
use std::net::SocketAddr;

/// A proxy and its destination.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) proxy: Proxy,
    pub(crate) origin: Origin,
    address: SocketAddr,
}

impl Relay {
    /// Before a destination that answers every request with `response`.
    #[track_caller]
    pub(crate) fn answering(response: impl AsRef<[u8]>) -> Self {
        Self::before(Origin::answering(response))
    }

    /// Before a destination that answers every request with what `answer` makes of it.
    #[track_caller]
    pub(crate) fn with<B: AsRef<[u8]>>(answer: impl Fn(&Message) -> B + Send + Sync + 'static) -> Self {
        Self::before(Origin::with(answer))
    }

    /// Before a destination that runs `script` with every connection.
    #[track_caller]
    pub(crate) fn scripted(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        Self::before(Origin::scripted(script))
    }

    #[track_caller]
    pub(crate) fn before(origin: Origin) -> Self {
        Self::configured(origin, "")
    }

    /// The same with more lines in the configuration; those above the first table belong to the router.
    #[track_caller]
    pub(crate) fn configured(origin: Origin, more: &str) -> Self {
        let proxy = Proxy::start(&one_router(origin.address(), more));
        let address = proxy.router();
        Self { proxy, origin, address }
    }

    /// A new connection to the router.
    #[track_caller]
    pub(crate) fn caller(&self) -> Raw {
        Raw::connect(self.address)
    }
}
