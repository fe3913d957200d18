//! Binds every listener before anything serves: one socket for the admin server and the collector each, and
//! one per shard for each server of a router.

use super::ports::{Wanted, explain};
use super::report::Finding;
use crate::config::Config;
use crate::net;
use socket2::Socket;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

/// All listeners, bound and listening: from here on connections wait for whoever accepts them.
#[derive(Debug)]
pub(super) struct Listeners {
    /// For the admin server.
    pub(super) admin: TcpListener,
    /// For the collector, if there is one.
    pub(super) collector: Option<TcpListener>,
    /// For the routers, in the order of the configuration.
    pub(super) servers: Vec<Server>,
}

/// One server of one router.
#[derive(Debug)]
pub(super) struct Server {
    /// The router's place in the configuration.
    pub(super) router: usize,
    /// Where it was told to listen.
    pub(super) configured: SocketAddr,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// One socket for each shard.
    pub(super) sockets: Vec<OwnedFd>,
}

/// Binds all listeners of `config`.
///
/// # Errors
///
/// With everything that cannot be bound; nothing stays bound then.
pub(super) fn bind_all(config: &Config, shards: usize) -> Result<Listeners, Vec<Finding>> {
    let mut findings = Vec::new();
    let admin = keep(bind_one(&Wanted::admin(config)), &mut findings);
    let collector = config.collector.as_ref().map(|params| bind_one(&Wanted::collector(params)));
    let collector = collector.and_then(|bound| keep(bound, &mut findings));
    let mut servers = Vec::new();
    for (router, params) in config.routers.iter().enumerate() {
        for (index, &configured) in params.servers.iter().enumerate() {
            let bound = bind_server(router, configured, shards);
            let bound =
                bound.map_err(|error| explain(&Wanted::server(router, params, index, configured), &error));
            servers.extend(keep(bound, &mut findings));
        }
    }
    match admin {
        Some(admin) if findings.is_empty() => Ok(Listeners { admin, collector, servers }),
        _ => Err(findings),
    }
}

fn keep<T>(bound: Result<T, Finding>, findings: &mut Vec<Finding>) -> Option<T> {
    bound.map_err(|finding| findings.push(finding)).ok()
}

/// The standard library's listener sets SO_REUSEADDR, and no second process may share it.
fn bind_one(wanted: &Wanted) -> Result<TcpListener, Finding> {
    TcpListener::bind(wanted.address).map_err(|error| explain(wanted, &error))
}

fn bind_server(router: usize, configured: SocketAddr, shards: usize) -> io::Result<Server> {
    let mut server = Server { router, configured, address: configured, sockets: Vec::new() };
    for _ in 0..shards {
        // After the first socket the port is known, also if the kernel chose it.
        let socket = net::bind(server.address)?;
        server.address = local_address(&socket)?;
        server.sockets.push(socket);
    }
    Ok(server)
}

fn local_address(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let socket = Socket::from(socket.as_fd().try_clone_to_owned()?);
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("a TCP socket without an IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_server_share_the_port_that_the_kernel_chose() {
        let server = bind_server(0, "127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_ne!(server.address.port(), 0);
        assert_eq!(server.configured.port(), 0);
        let addresses: Vec<_> = server.sockets.iter().map(|socket| local_address(socket).unwrap()).collect();
        assert_eq!(addresses, [server.address; 3]);
    }
}
