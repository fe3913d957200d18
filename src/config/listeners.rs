//! Everything that listens, and whether two of them want the same port.

use super::error::Problem;
use super::table::{Faults, Field, Table};
use std::net::{IpAddr, SocketAddr};

/// The listeners that a file describes.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    /// The table that describes it: `routers[0].servers[0]`.
    table: String,
    /// Where the port is written, or else the table; none when the file mentions neither.
    at: Option<usize>,
    address: SocketAddr,
}

impl Listeners {
    /// Adds the listener of `table`, whose port is in `port` if it is not the default.
    pub(super) fn add(&mut self, table: &Table<'_>, port: Option<&Field<'_>>, address: SocketAddr) {
        let at = port.map_or(table.at, |port| port.node.at);
        self.listeners.push(Listener { table: table.key.clone(), at: Some(at), address });
    }

    /// Adds a listener that is there although the file does not mention it.
    pub(super) fn add_unwritten(&mut self, table: &str, address: SocketAddr) {
        self.listeners.push(Listener { table: table.to_owned(), at: None, address });
    }

    /// Notes every listener that wants the port of another one that comes before it in the file.
    pub(super) fn refuse_conflicts(mut self, faults: &mut Faults<'_>) {
        self.listeners.sort_by_key(|listener| listener.at);
        for (index, listener) in self.listeners.iter().enumerate() {
            let Some(at) = listener.at else { continue };
            let earlier = self.listeners.iter().take(index);
            if let Some(other) = earlier.into_iter().find(|other| overlap(other.address, listener.address)) {
                let place = match other.at {
                    Some(at) => format!("line {}", faults.text.position(at).line),
                    None => "its default".to_owned(),
                };
                let other = format!("{} listens on {} ({place})", other.table, other.address);
                let problem = Problem::ServerConflict { port: listener.address.port(), other };
                faults.add(at, format!("{}.port", listener.table), problem);
            }
        }
    }
}

/// Whether both cannot listen at the same time. Linux lets `[::]` take IPv4 connections as well.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers = |wide: IpAddr, narrow: IpAddr| match wide {
        IpAddr::V4(ip) => ip.is_unspecified() && narrow.is_ipv4(),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_port_clashes_on_the_same_or_on_every_address() {
        let cases = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.2:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:0", "127.0.0.1:0", false),
        ];
        for (a, b, expected) in cases {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(overlap(a, b), expected, "{a} {b}");
            assert_eq!(overlap(b, a), expected, "{b} {a}");
        }
    }
}
