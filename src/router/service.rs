//! A service as one shard knows it: the name of a request, where it leads, and what all its requests share.

use super::Fault;
use super::rewrite::destination_line;
use crate::balance::pick_weighted;
use crate::client::Client;
use crate::name::{Bound, NameTree};
use crate::trace::{Kind, Site, SiteParts, Tag};
use rand::Rng;
use std::rc::Rc;

/// A bound service name.
#[derive(Debug)]
pub struct Service {
    name: String,
    line: String,
    site: Site,
    route: Route,
}

/// Where a name leads.
#[derive(Debug)]
pub enum Route {
    /// To one client.
    Leaf(Rc<Leaf>),
    /// To one of these, drawn by weight for each request.
    Union {
        /// In the order of the branches.
        weights: Vec<f64>,
        /// In the order of the weights.
        branches: Vec<Route>,
    },
    /// To no destination: neg, fail or empty.
    Nowhere,
    /// Binding failed; the text says why.
    Failed(String),
}

/// One client that a service leads to, with what the service leaves for it.
#[derive(Debug)]
pub struct Leaf {
    client: Rc<Client>,
    residual: String,
    lines: String,
    site: Site,
}

impl Service {
    /// A service of the router `label`.
    #[must_use]
    pub fn new(label: &str, name: String, base_dtab: &str, route: Route) -> Self {
        let tags = vec![
            (Tag::RouterLabel, label.to_owned()),
            (Tag::Service, name.clone()),
            (Tag::DtabBase, base_dtab.to_owned()),
            (Tag::DtabLocal, String::new()),
        ];
        let site = Site::new(SiteParts {
            kind: Kind::Server,
            service: label.to_owned(),
            span_name: format!("{label} {name}"),
            remote_service: String::new(),
            tags,
        });
        Self { line: destination_line("l5d-dst-service", &name), name, site, route }
    }

    /// The name, printed: `/svc/web`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole `l5d-dst-service` line.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.line.as_bytes()
    }

    /// Where the server spans of its requests are recorded.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The client for the next request (routing.md 3.3): the health of a branch is not considered.
    ///
    /// # Errors
    /// When the name leads nowhere or could not be bound. `base_dtab` explains.
    pub fn pick(&self, rng: &mut impl Rng, base_dtab: impl Fn() -> String) -> Result<&Rc<Leaf>, Fault> {
        let mut route = &self.route;
        loop {
            match route {
                Route::Leaf(leaf) => return Ok(leaf),
                Route::Union { weights, branches } => {
                    route = pick_weighted(weights, rng)
                        .and_then(|index| branches.get(index))
                        .ok_or_else(|| self.unroutable(&base_dtab))?;
                }
                Route::Nowhere => return Err(self.unroutable(&base_dtab)),
                Route::Failed(text) => return Err(Fault::Unbound(text.clone())),
            }
        }
    }

    /// The fault of a name without destinations.
    #[must_use]
    pub fn unroutable(&self, base_dtab: impl Fn() -> String) -> Fault {
        Fault::Unroutable { service: self.name.clone(), base_dtab: base_dtab() }
    }
}

impl Route {
    /// The route of a bound tree, which holds no alternates any more.
    pub fn new(tree: &NameTree<Bound>, leaf: &impl Fn(&Bound) -> Leaf) -> Self {
        match tree {
            NameTree::Leaf(bound) => Self::Leaf(Rc::new(leaf(bound))),
            NameTree::Union(branches) => Self::Union {
                weights: branches.iter().map(|branch| branch.weight.value()).collect(),
                branches: branches.iter().map(|branch| Self::new(&branch.tree, leaf)).collect(),
            },
            NameTree::Alt(_) | NameTree::Neg | NameTree::Fail | NameTree::Empty => Self::Nowhere,
        }
    }
}

impl Leaf {
    /// A leaf of a service of the router `label`.
    #[must_use]
    pub fn new(label: &str, client: Rc<Client>, residual: String) -> Self {
        let mut lines = destination_line("l5d-dst-client", client.id());
        if residual != "/" {
            lines.push_str(&destination_line("l5d-dst-residual", &residual));
        }
        let site = Site::new(SiteParts {
            kind: Kind::Client,
            service: label.to_owned(),
            span_name: String::new(),
            remote_service: client.id().trim_start_matches('/').to_owned(),
            tags: Vec::new(),
        });
        Self { client, residual, lines, site }
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Rc<Client> {
        &self.client
    }

    /// The residual path, printed; `/` when empty.
    #[must_use]
    pub fn residual(&self) -> &str {
        &self.residual
    }

    /// The whole `l5d-dst-client` and `l5d-dst-residual` lines.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        self.lines.as_bytes()
    }

    /// Where the client spans are recorded.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Directory;
    use crate::name::{Destination, Host, Path};
    use crate::signal::Signal;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use std::sync::Arc;

    fn leaf(id: &str, residual: &str) -> Leaf {
        let (_, mut watchers) = Directory::new(&[Arc::<Signal>::default()]);
        let origin = Destination::Inet { host: Host::LOOPBACK, port: 80 };
        let watcher = Rc::new(watchers.pop().unwrap());
        let client = Client::new(id.to_owned(), origin, watcher, Arc::default());
        Leaf::new("in", Rc::new(client), residual.to_owned())
    }

    /// A service whose route is `tree`; its paths are the ids of clients.
    fn service(tree: &str) -> Service {
        let bound = |id: &Path| Bound {
            id: id.clone(),
            residual: Path::from_labels([""; 0]),
            destination: Destination::Inet { host: Host::LOOPBACK, port: 80 },
        };
        let tree = NameTree::parse(tree).unwrap().map(&bound);
        let route = Route::new(&tree, &|bound| leaf(bound.id.as_str(), "/"));
        Service::new("in", "/svc/web".to_owned(), "/svc=>/x", route)
    }

    #[test]
    fn only_a_residual_that_is_there_is_told() {
        for (residual, lines) in
            [("/", "l5d-dst-client: /#/a\r\n"), ("/b", "l5d-dst-client: /#/a\r\nl5d-dst-residual: /b\r\n")]
        {
            assert_eq!(leaf("/#/a", residual).lines(), lines.as_bytes());
        }
    }

    #[test]
    fn a_union_is_drawn_by_weight_and_a_branch_that_leads_nowhere_keeps_its_share() {
        let service = service("7 * /a & 1 * /b & 2 * $");
        let mut rng = SmallRng::seed_from_u64(1);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let share = match service.pick(&mut rng, String::new) {
                Ok(leaf) if leaf.client().id() == "/a" => 0,
                Ok(_) => 1,
                Err(fault) => {
                    assert_eq!(fault, service.unroutable(String::new));
                    2
                }
            };
            counts[share] += 1;
        }
        for (count, expected) in counts.iter().zip([7_000, 1_000, 2_000]) {
            assert!((expected - 250..expected + 250).contains(count), "{counts:?}");
        }
    }

    #[test]
    fn a_union_inside_a_union_is_drawn_from_in_turn() {
        let service = service("0 * /a & 1 * (0 * /b & 1 * /c)");
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..100 {
            assert_eq!(service.pick(&mut rng, String::new).unwrap().client().id(), "/c");
        }
    }
}
