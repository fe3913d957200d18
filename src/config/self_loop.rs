//! Names that a router's dtab sends straight back to the router's own server: such a request would go round until
//! it is cut off. Names are bound as for a request, but only what is certain from the file alone is a loop: every
//! destination an address in the dtab, none a host name, and nothing that depends on other routers.

use crate::interpreter::{self, BindLimits};
use crate::name::{Bound, Dtab, NameTree, Path};
use crate::namer;
use std::collections::BTreeSet;
use std::net::SocketAddr;

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
    let rules = dtab.dentries().iter().map(|dentry| dentry.prefix.to_string()).collect::<Vec<_>>();
    let mut labels = rules.iter().flat_map(|rule| rule.split('/')).collect::<BTreeSet<_>>();
    labels.retain(|label| !label.is_empty() && *label != WILDCARD);
    // Names that a rule mentions may fare differently from all others, for which one unheard-of label stands.
    let unheard_of =
        (0..).map(|number| format!("other{number}")).find(|label| !labels.contains(label.as_str()))?;
    if let Some(server) = loops(dtab, &prefix.child(unheard_of.as_bytes()), servers) {
        return Some(SelfLoop {
            names: format!("{}/{WILDCARD}", prefix.to_string().trim_end_matches('/')),
            server,
        });
    }
    labels.into_iter().take(MAX_NAMES).find_map(|label| {
        let name = prefix.join(&Path::parse(&format!("/{label}")).ok()?);
        loops(dtab, &name, servers).map(|server| SelfLoop { names: name.to_string(), server })
    })
}

/// The server that `name` comes back to, if that is the only thing that can become of it.
fn loops(dtab: &Dtab, name: &Path, servers: &[SocketAddr]) -> Option<SocketAddr> {
    let limits = BindLimits { steps: MAX_STEPS, ..BindLimits::default() };
    match interpreter::bind_within(&limits, dtab, name, namer::lookup).ok()? {
        NameTree::Leaf(bound) => own(&bound, servers),
        NameTree::Union(branches) => {
            let mut found = None;
            for branch in branches {
                let NameTree::Leaf(bound) = branch.tree else { return None };
                found = Some(own(&bound, servers)?);
            }
            found
        }
        // A bound tree has no alts.
        NameTree::Alt(_) | NameTree::Neg | NameTree::Fail | NameTree::Empty => None,
    }
}

/// The one of `servers` that a connection to `bound` arrives at.
fn own(bound: &Bound, servers: &[SocketAddr]) -> Option<SocketAddr> {
    servers.iter().find(|server| bound.destination.arrives_at(**server)).copied()
}

/// How a prefix writes any label.
const WILDCARD: &str = "*";

/// Labels of one dtab that are tried.
const MAX_NAMES: usize = 256;

/// Work for one of them; beyond it nothing is said.
const MAX_STEPS: usize = 50_000;

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
            ("/svc => /$/inet/localhost/4140", "127.0.0.1:4140", "/svc/*"),
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
            ("/svc => /$/inet/web.example.com/4140", "127.0.0.1:4140"),
            ("/svc => /$/inet/0.0.0.0/4140", "127.0.0.2:4140"),
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
}
