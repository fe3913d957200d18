//! One address of a bound name: its idle connections and how many requests it is serving.

use crate::metrics::SideMetrics;
use crate::net::Stream;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

/// A connection to a destination, counted while it is open.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    metrics: Arc<SideMetrics>,
}

impl Connection {
    /// Counts `stream` as open.
    #[must_use]
    pub fn new(stream: Stream, metrics: &Arc<SideMetrics>) -> Self {
        metrics.connection_opened();
        Self { stream, metrics: Arc::clone(metrics) }
    }
}

impl Deref for Connection {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.connection_closed();
    }
}

/// An address that requests are sent to, on this shard.
#[derive(Debug)]
pub struct Destination {
    address: SocketAddr,
    /// Last used first, so that a lull lets the surplus age.
    idle: RefCell<Vec<Connection>>,
    in_flight: Cell<u32>,
}

impl Destination {
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self { address, idle: RefCell::new(Vec::new()), in_flight: Cell::new(0) }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests being served now; what the balancer goes by.
    #[must_use]
    pub const fn load(&self) -> u32 {
        self.in_flight.get()
    }

    /// Counts one more request until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(self)
    }

    /// An idle connection, if there is a good one; those that the destination has closed meanwhile go.
    #[must_use]
    pub fn checkout(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(connection) = idle.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps `connection` for the next request. More than [`MAX_IDLE`] are not kept.
    pub fn checkin(&self, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            connection.rest();
            idle.push(connection);
        }
    }

    /// Closes idle connections that the destination has closed or spoken on. Returns how many were closed.
    pub fn sweep(&self) -> usize {
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(|connection| connection.is_quiet());
        before - idle.len()
    }

    /// How many idle connections are kept.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// One request at a [`Destination`].
#[derive(Debug)]
pub struct InFlight<'a>(&'a Destination);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

/// Idle connections kept per address and shard.
pub const MAX_IDLE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Listener, Readiness, bind};
    use futures_lite::future::block_on;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};

    /// A connection and its other end.
    fn connection(metrics: &Arc<SideMetrics>) -> (Connection, TcpStream) {
        let readiness = Readiness::new().unwrap();
        let listener = Listener::new(bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap(), &readiness).unwrap();
        let other = TcpStream::connect(listener.local_address().unwrap()).unwrap();
        let stream = block_on(listener.accept()).unwrap().unwrap();
        (Connection::new(stream, metrics), other)
    }

    fn destination() -> Destination {
        Destination::new((Ipv4Addr::LOCALHOST, 80).into())
    }

    #[test]
    fn requests_count_as_load_until_they_end() {
        let destination = destination();
        let first = destination.begin();
        let second = destination.begin();
        assert_eq!(destination.load(), 2);
        drop(first);
        assert_eq!(destination.load(), 1);
        drop(second);
        assert_eq!(destination.load(), 0);
    }

    #[test]
    fn the_connection_used_last_is_used_next() {
        let (destination, metrics) = (destination(), Arc::default());
        let others = [(); 2].map(|()| {
            let (connection, other) = connection(&metrics);
            destination.checkin(connection);
            other
        });
        let next = destination.checkout().unwrap();
        assert_eq!(next.peer_address().unwrap(), others[1].local_addr().unwrap());
        assert_eq!(destination.idle(), 1);
    }

    #[test]
    fn a_connection_that_was_spoken_on_is_closed_and_not_used() {
        for by_sweep in [false, true] {
            let (destination, metrics) = (destination(), Arc::default());
            let (good, _good_end) = connection(&metrics);
            let (bad, mut bad_end) = connection(&metrics);
            bad_end.write_all(b"unasked").unwrap();
            destination.checkin(good);
            destination.checkin(bad);
            if by_sweep {
                assert_eq!(destination.sweep(), 1);
            }
            assert!(destination.checkout().is_some());
            assert!(destination.checkout().is_none());
            assert!(matches!(bad_end.read(&mut [0]), Ok(0) | Err(_)), "closed");
        }
    }
}
