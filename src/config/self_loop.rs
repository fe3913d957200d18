//! Names that a router's dtab sends straight back to the router's own server: such a request would go round until
//! it is cut off. Only what is certain from the file alone is found: addresses written as numbers, nothing that depends
//! on host names or on other routers.

use crate::name::{Dtab, NameTree, Path};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Names that loop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SelfLoop {
    /// One name, or all that no rule names.
    pub(super) names: String,
    /// Where they come back to.
    pub(super) server: SocketAddr,
}

/// The first loop found among the names that the identifier gives: `prefix` and one label.
pub(super) fn find(dtab: &Dtab, prefix: &Path, servers: &[SocketAddr]) -> Option<SelfLoop> {
    if servers.is_empty() {
        return None;
    }
    let mut search = Search { dtab, servers, steps: MAX_STEPS };
    // Names that a rule mentions may fare differently from all others, for which one unheard-of label stands.
    let mentioned = dtab.dentries().iter().map(|dentry| dentry.prefix.to_string()).collect::<Vec<_>>();
    let mut labels = mentioned.iter().flat_map(|prefix| prefix.split('/')).collect::<BTreeSet<_>>();
    labels.retain(|label| !label.is_empty() && *label != "*");
    let other =
        (0..).map(|number| format!("other{number}")).find(|label| !labels.contains(label.as_str()))?;
    let any = prefix.child(other.as_bytes());
    if let Outcome::Own(server) = search.follow(&any, 0) {
        return Some(SelfLoop { names: format!("{}/*", prefix.to_string().trim_end_matches('/')), server });
    }
    for label in labels {
        let Ok(label) = Path::parse(&format!("/{label}")) else { continue };
        let name = prefix.join(&label);
        if let Outcome::Own(server) = search.follow(&name, 0) {
            return Some(SelfLoop { names: name.to_string(), server });
        }
    }
    None
}

/// Where a name ends.
enum Outcome {
    /// For certain at this server of the router itself.
    Own(SocketAddr),
    /// Nowhere, so that an alternate is tried.
    Neg,
    /// Elsewhere, or not known.
    Elsewhere,
}

struct Search<'a> {
    dtab: &'a Dtab,
    servers: &'a [SocketAddr],
    /// Lookups left; a few entries that mention each other can ask for a great many.
    steps: usize,
}

impl Search<'_> {
    fn follow(&mut self, name: &Path, depth: usize) -> Outcome {
        if self.steps == 0 || depth > MAX_DEPTH {
            return Outcome::Elsewhere;
        }
        self.steps -= 1;
        match self.dtab.lookup(name) {
            // Namers are asked about what no rule rewrites.
            NameTree::Neg => self.own(name).map_or(Outcome::Elsewhere, Outcome::Own),
            tree => self.follow_tree(&tree, depth + 1),
        }
    }

    fn follow_tree(&mut self, tree: &NameTree<Path>, depth: usize) -> Outcome {
        match tree {
            NameTree::Leaf(name) => self.follow(name, depth),
            NameTree::Neg => Outcome::Neg,
            NameTree::Fail | NameTree::Empty => Outcome::Elsewhere,
            NameTree::Alt(trees) => {
                let outcomes = trees.iter().map(|tree| self.follow_tree(tree, depth));
                outcomes.into_iter().find(|outcome| !matches!(outcome, Outcome::Neg)).unwrap_or(Outcome::Neg)
            }
            NameTree::Union(branches) => {
                let mut own = None;
                for branch in branches {
                    match self.follow_tree(&branch.tree, depth) {
                        Outcome::Own(server) => own = Some(server),
                        Outcome::Neg => {}
                        Outcome::Elsewhere => return Outcome::Elsewhere,
                    }
                }
                own.map_or(Outcome::Neg, Outcome::Own)
            }
        }
    }

    /// The server that `/$/inet/<ip>/<port>` or `/$/inet/<port>` means, if it is one of the router's own.
    fn own(&self, name: &Path) -> Option<SocketAddr> {
        let mut labels = name.labels().map(|label| label.as_str());
        if (labels.next()?, labels.next()?) != ("$", "inet") {
            return None;
        }
        let (first, second) = (labels.next()?, labels.next().and_then(|port| port.parse::<u16>().ok()));
        let (ip, port) = match second {
            Some(port) => (parse_ip(first)?, port),
            None => (IpAddr::V4(Ipv4Addr::LOCALHOST), first.parse().ok()?),
        };
        let reaches = |server: &&SocketAddr| {
            // Linux connects to the loopback address when asked for 0.0.0.0, and a server on 0.0.0.0 answers there.
            let local = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
            server.port() == port
                && server.port() != 0
                && (server.ip() == ip
                    || (server.ip().is_unspecified() && server.is_ipv4() == ip.is_ipv4() && local(ip))
                    || (ip.is_unspecified() && server.ip() == loopback_like(ip)))
        };
        self.servers.iter().find(reaches).copied()
    }
}

fn loopback_like(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(std::net::Ipv6Addr::LOCALHOST) }
}

/// An address as dtabs write them, decimal short forms such as `127.1` included.
fn parse_ip(host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse() {
        return Some(ip);
    }
    let mut address = 0_u32;
    let parts = host.split('.').collect::<Vec<_>>();
    let (last, octets) = parts.split_last()?;
    for (octet, shift) in octets.iter().zip([24, 16, 8]) {
        address |= u32::from(octet.parse::<u8>().ok()?) << shift;
    }
    // The last part fills all that is left.
    let left = 32_u32.checked_sub(8 * u32::try_from(octets.len()).ok()?).filter(|left| *left > 0)?;
    let rest = last.parse::<u32>().ok().filter(|rest| u64::from(*rest) < 1 << left)?;
    Some(IpAddr::V4(Ipv4Addr::from_bits(address | rest)))
}

/// Rewrites that a name may take, as in the interpreter.
const MAX_DEPTH: usize = 100;

/// Lookups for one router; beyond them nothing is said.
const MAX_STEPS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn find(dtab: &str, server: &str) -> Option<String> {
        let dtab = Dtab::parse(dtab).unwrap();
        let prefix = Path::parse("/svc").unwrap();
        super::find(&dtab, &prefix, &[server.parse().unwrap()]).map(|found| found.names)
    }

    #[test]
    fn a_dtab_that_sends_its_names_back_is_found() {
        let cases = [
            ("/svc => /$/inet/127.1/4140", "127.0.0.1:4140", "/svc/*"),
            ("/svc => /$/inet/127.0.0.1/4140", "0.0.0.0:4140", "/svc/*"),
            ("/svc => /$/inet/0.0.0.0/4140", "127.0.0.1:4140", "/svc/*"),
            ("/svc => /$/inet/4140", "127.0.0.1:4140", "/svc/*"),
            ("/svc => /$/inet/10.0.0.7/4140", "10.0.0.7:4140", "/svc/*"),
            ("/svc => /$/inet/::1/4140", "[::1]:4140", "/svc/*"),
            ("/host => /$/inet/127.1/4140 ; /svc => /host", "127.0.0.1:4140", "/svc/*"),
            ("/svc/* => /$/inet/127.1/4140", "127.0.0.1:4140", "/svc/*"),
            ("/svc => ~ | /$/inet/127.1/4140 | /$/inet/127.1/80", "127.0.0.1:4140", "/svc/*"),
            ("/svc => 0.3*/$/inet/127.1/4140 & /$/inet/127.0.1/4140", "127.0.0.1:4140", "/svc/*"),
            ("/svc => /$/inet/127.1/80 ; /svc/web => /$/inet/127.1/4140", "127.0.0.1:4140", "/svc/web"),
            ("/svc => /$/inet/127.1/4140 ; /svc/web => /$/inet/127.1/80", "127.0.0.1:4140", "/svc/*"),
        ];
        for (dtab, server, names) in cases {
            assert_eq!(find(dtab, server).as_deref(), Some(names), "{dtab}");
        }
    }

    #[test]
    fn a_dtab_that_may_lead_elsewhere_is_not() {
        let cases = [
            ("", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/9001", "127.0.0.1:9000"),
            ("/svc => /$/inet/127.2/4140", "127.0.0.1:4140"),
            ("/svc => /$/inet/10.0.0.7/4140", "0.0.0.0:4140"),
            ("/svc => /$/inet/localhost/4140", "127.0.0.1:4140"),
            ("/svc => /#/io.l5d.fs", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/80 | /$/inet/127.1/4140", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/4140 & /$/inet/127.1/80", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/4140 ; /svc => /$/inet/127.1/80", "127.0.0.1:4140"),
            ("/other => /$/inet/127.1/4140", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/4140 ; /$/inet => /#/elsewhere", "127.0.0.1:4140"),
            ("/svc => /$/inet/127.1/0", "127.0.0.1:0"),
            ("/svc => $ | /$/inet/127.1/4140", "127.0.0.1:4140"),
            ("/svc => /svc", "127.0.0.1:4140"),
        ];
        for (dtab, server) in cases {
            assert_eq!(find(dtab, server), None, "{dtab}");
        }
    }

    #[test]
    fn entries_that_multiply_are_given_up_on() {
        let doubling = (0..60).map(|n| format!("/n{n} => ~ | /n{0} & /n{0}", n + 1)).collect::<Vec<_>>();
        assert_eq!(find(&format!("/svc => /n0 ; {}", doubling.join(" ; ")), "127.0.0.1:4140"), None);
    }

    #[test]
    fn short_addresses_are_read_as_their_long_ones() {
        let cases = [
            ("127.1", Some("127.0.0.1")),
            ("127.0.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("127.65536", Some("127.1.0.0")),
            ("::1", Some("::1")),
            ("127.0.0.256", None),
            ("127.0.0.0.1", None),
            ("4294967296", None),
            ("127.", None),
            ("web", None),
        ];
        for (host, ip) in cases {
            assert_eq!(parse_ip(host), ip.map(|ip| ip.parse().unwrap()), "{host}");
        }
    }
}
