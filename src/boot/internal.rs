//! Which servers the routers of this process send requests to themselves: routers in a row are one process's for a
//! trial as well as for good. Such a server has to go on serving until what is in flight before it has ended.

use crate::name::NameTree;
use crate::namer::{self, Name};
use crate::router::RouterParams;
use std::net::SocketAddr;

/// Whether the dtab of any of `routers` has an address that `server` answers. What a host name leads to is not known.
pub(super) fn is_sent_to(server: SocketAddr, routers: &[RouterParams]) -> bool {
    let dentries = routers.iter().flat_map(|router| router.dtab.dentries());
    dentries.flat_map(|dentry| dentry.tree.leaves()).any(|path| match namer::lookup(path) {
        Ok(NameTree::Leaf(Name::Bound(bound))) => bound.destination.arrives_at(server),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Limits;
    use crate::name::{Dtab, Path};
    use std::time::Duration;

    fn router(dtab: &str) -> RouterParams {
        RouterParams {
            label: "router".to_owned(),
            dtab: Dtab::parse(dtab).unwrap(),
            dst_prefix: Path::parse("/svc").unwrap(),
            servers: Vec::new(),
            binding_timeout: Duration::from_secs(1),
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_server_whose_address_is_in_a_dtab_is_sent_to() {
        for (dtab, server, expected) in [
            ("/svc => /$/inet/127.1/9001", "127.0.0.1:9001", true),
            ("/svc => /$/inet/127.1/9001", "0.0.0.0:9001", true),
            ("/host => /$/inet/127.1/9001; /svc => /host", "127.0.0.1:9001", true),
            ("/svc => /nowhere | 0.5 * /$/inet/10.0.0.7/80 & /$/inet/9001", "127.0.0.1:9001", true),
            ("/svc => /$/inet/127.1/9001", "127.0.0.1:9000", false),
            ("/svc => /$/inet/10.0.0.7/9001", "127.0.0.1:9001", false),
            ("/svc => /$/inet/web.example.com/9001", "127.0.0.1:9001", false),
            ("", "127.0.0.1:9001", false),
        ] {
            let routers = [router(""), router(dtab)];
            assert_eq!(is_sent_to(server.parse().unwrap(), &routers), expected, "{dtab} {server}");
        }
    }
}
