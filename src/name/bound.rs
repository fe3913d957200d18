//! `Bound`: what a name turned out to mean once no dtab entry and no namer has more to say.

use super::{Host, Path};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A concrete destination. Everything that is kept per destination (pool, balancer) is kept per `id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Names the destination, e.g. `/$/inet/127.1/8080`.
    pub id: Path,
    /// What the namer did not use of the name, e.g. `/api`.
    pub residual: Path,
    /// Where its addresses come from.
    pub destination: Destination,
}

/// Prints the id: the name that logs, metrics and error texts give a destination.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// Where the addresses of a bound name come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// All addresses of `host`, at this port.
    Inet {
        /// A literal address, or a name to look up.
        host: Host,
        /// Never 0.
        port: u16,
    },
    /// There can be no address, for a reason that the caller is told. Still a destination: a name like this
    /// neither moves on to the next alternate nor loses its share of a union.
    Failed {
        /// The text for the caller.
        reason: Box<str>,
    },
}

impl Destination {
    /// Whether a connection to it surely arrives at `server`, which listens on this machine: its address is a
    /// literal one, or this machine's loopback address by name.
    #[must_use]
    pub fn arrives_at(&self, server: SocketAddr) -> bool {
        let Self::Inet { host: Host::Ip(ip), port } = self else { return false };
        // Linux connects to the loopback address when asked for 0.0.0.0.
        let ip = match *ip {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        // A server on 0.0.0.0 answers on every loopback address; which others are this machine's is not known.
        let everywhere = server.ip().is_unspecified() && server.is_ipv4() == ip.is_ipv4() && ip.is_loopback();
        server.port() == *port && (server.ip() == ip || everywhere)
    }
}
