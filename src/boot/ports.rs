//! Finds listeners that cannot be had, all of them at once and before anything serves.
//!
//! Shards share a port with SO_REUSEPORT, which would also share it with another instance of the same user:
//! each would get half of the connections. A probe without that option is refused instead. It sets
//! SO_REUSEADDR, as every real listener does, so that connections in TIME_WAIT do not refuse a restart.

use super::report::Finding;
use crate::collector::CollectorParams;
use crate::config::Config;
use crate::router::RouterParams;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A listener that the configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whose it is: a router's label, `admin` or `collector`.
    owner: String,
    /// The key of its port.
    key: String,
    pub(super) address: SocketAddr,
}

impl Wanted {
    pub(super) fn admin(config: &Config) -> Self {
        Self { owner: "admin".to_owned(), key: "admin.port".to_owned(), address: config.admin.address }
    }

    pub(super) fn collector(params: &CollectorParams) -> Self {
        Self { owner: "collector".to_owned(), key: "collector.port".to_owned(), address: params.address }
    }

    /// Server number `server` of router number `router`.
    pub(super) fn server(router: usize, params: &RouterParams, server: usize, address: SocketAddr) -> Self {
        Self {
            owner: params.label.clone(),
            key: format!("routers[{router}].servers[{server}].port"),
            address,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.owner, self.address)
    }
}

/// Every listener of `config`.
pub(super) fn wanted(config: &Config) -> Vec<Wanted> {
    let routers = config.routers.iter().enumerate().flat_map(|(router, params)| {
        let servers = params.servers.iter().enumerate();
        servers.map(move |(server, &address)| Wanted::server(router, params, server, address))
    });
    let collector = config.collector.as_ref().map(Wanted::collector);
    std::iter::once(Wanted::admin(config)).chain(routers).chain(collector).collect()
}

/// Those of `wanted` that cannot be had. Port 0 always can.
pub(super) fn unusable(wanted: &[Wanted]) -> Vec<Finding> {
    let fixed = wanted.iter().filter(|listener| listener.address.port() != 0);
    fixed
        .filter_map(|listener| probe(listener.address).err().map(|error| explain(listener, &error)))
        .collect()
}

fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// Says why `listener` cannot be had.
pub(super) fn explain(listener: &Wanted, error: &io::Error) -> Finding {
    let port = listener.address.port();
    let change = format!("change {}", listener.key);
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => Finding::new(
            format!("{listener} is in use by another process"),
            &[&format!("stop it (ss -ltnp 'sport = :{port}' shows it) or {change}")],
        ),
        Some(libc::EACCES) => Finding::new(
            format!("{listener}: this user may not listen on port {port}"),
            &[
                &format!("systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE, or {change}"),
                &format!("for every process: sysctl -w net.ipv4.ip_unprivileged_port_start={port}"),
            ],
        ),
        Some(libc::EADDRNOTAVAIL) => Finding::new(
            format!("{listener}: this machine has no address {}", listener.address.ip()),
            &[&format!("ip address shows those it has; change {}", listener.key.replace(".port", ".ip"))],
        ),
        _ => Finding::new(format!("{listener} cannot be listened on: {error}"), &[&change]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};

    fn listener(address: SocketAddr) -> Wanted {
        Wanted { owner: "router1".to_owned(), key: "routers[0].servers[0].port".to_owned(), address }
    }

    /// Listens as the servers do.
    fn serve(address: &str) -> TcpListener {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(16).unwrap();
        socket.into()
    }

    #[test]
    fn a_second_instance_is_found_though_the_first_shares_its_port() {
        let first = serve("127.0.0.1:0");
        let address = first.local_addr().unwrap();
        let any = SocketAddr::from(([0, 0, 0, 0], address.port()));
        let found = unusable(&[listener(address), listener(any)]);
        let port = address.port();
        let expected = format!(
            "router1: {address} is in use by another process\n    stop it (ss -ltnp 'sport = :{port}' shows it) \
             or change routers[0].servers[0].port"
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].to_string(), expected);
    }

    #[test]
    fn a_restart_is_not_refused_because_of_connections_in_time_wait() {
        let first = serve("127.0.0.1:0");
        let address = first.local_addr().unwrap();
        let mut caller = TcpStream::connect(address).unwrap();
        let (accepted, _) = first.accept().unwrap();
        // Whoever closes first keeps the connection in TIME_WAIT.
        accepted.shutdown(Shutdown::Both).unwrap();
        drop(accepted);
        assert_eq!(caller.read(&mut [0]).unwrap(), 0);
        drop(caller);
        drop(first);
        assert_eq!(unusable(&[listener(address)]), []);
        serve(&address.to_string());
    }

    #[test]
    fn other_refusals_say_what_to_change() {
        for (error, part) in [
            (libc::EACCES, "CAP_NET_BIND_SERVICE"),
            (libc::EADDRNOTAVAIL, "change routers[0].servers[0].ip"),
            (libc::EAFNOSUPPORT, "change routers[0].servers[0].port"),
        ] {
            let wanted = listener("127.0.0.1:80".parse().unwrap());
            let text = explain(&wanted, &io::Error::from_raw_os_error(error)).to_string();
            assert!(text.starts_with("router1: 127.0.0.1:80") && text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_found_and_port_0_is_not_probed() {
        let elsewhere = "192.0.2.1:0".parse().unwrap();
        assert_eq!(unusable(&[listener(elsewhere)]), []);
        let elsewhere = "192.0.2.1:9".parse().unwrap();
        let found = unusable(&[listener(elsewhere)]);
        assert!(found.len() == 1 && found[0].problem.contains("no address 192.0.2.1"), "{found:?}");
    }
}
