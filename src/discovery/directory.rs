//! The control thread's side: looks names up, again and again while they are used, and publishes changes.

use super::resolve::{Outcome, Resolver};
use super::table::{Published, Resolution, Table};
use super::watcher::{Request, WATCHED_NAMES, Watcher};
use crate::signal::Signal;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// From the end of a name's lookup to the next.
pub const REFRESH: Duration = Duration::from_secs(5);

/// Lookups at a time; more wait their turn. The runtime needs as many blocking threads.
pub const LOOKUPS_IN_FLIGHT: usize = 100;

/// Resolves the names that shards watch. Made by [`Directory::new`], then driven by [`Directory::run`].
#[derive(Debug)]
pub struct Directory {
    requests: Receiver<Request>,
    published: Arc<Published>,
    shards: Vec<Arc<Signal>>,
}

impl Directory {
    /// A directory, and the watchers of the shards that `signals` wake, in the same order.
    #[must_use]
    pub fn new(signals: &[Arc<Signal>]) -> (Self, Vec<Watcher>) {
        let (sender, requests) = mpsc::channel(WATCHED_NAMES);
        let published = Arc::<Published>::default();
        let watcher = |_| Watcher::new(sender.clone(), Arc::clone(&published));
        let watchers = signals.iter().map(watcher).collect();
        (Self { requests, published, shards: signals.to_vec() }, watchers)
    }

    /// Resolves names until every watcher is gone.
    pub async fn run(self, resolver: Resolver) {
        let Self { mut requests, published, shards } = self;
        let mut names = Names::default();
        let mut lookups: JoinSet<(Arc<str>, Outcome)> = JoinSet::new();
        loop {
            let free = lookups.len() < LOOKUPS_IN_FLIGHT;
            let due = names.first_due().filter(|_| free);
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => names.take(request, Instant::now()),
                    None => return,
                },
                Some(done) = lookups.join_next() => {
                    // An error here would be a lookup that panicked, and `Resolver` makes those failures.
                    if let Ok((host, outcome)) = done {
                        names.answer(&host, outcome, Instant::now());
                    }
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {},
            }
            // Everything that is there already is taken before one publication for all of it.
            while let Ok(request) = requests.try_recv() {
                names.take(request, Instant::now());
            }
            while let Some(Ok((host, outcome))) = lookups.try_join_next() {
                names.answer(&host, outcome, Instant::now());
            }
            if let Some(table) = names.changed() {
                published.publish(table, &shards);
            }
            while lookups.len() < LOOKUPS_IN_FLIGHT {
                let Some(host) = names.start_due(Instant::now()) else { break };
                let lookup = resolver.look_up(Arc::clone(&host));
                lookups.spawn(async move { (host, lookup.await) });
            }
        }
    }
}

/// The names in use and what is known about them; pure, told the time.
#[derive(Debug, Default)]
struct Names {
    names: HashMap<Arc<str>, Name>,
    /// When the next lookup of each name that is not being looked up is due.
    due: BTreeSet<(Instant, Arc<str>)>,
    table: Table,
    dirty: bool,
}

#[derive(Debug)]
struct Name {
    /// Shards that use it.
    users: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The next lookup is due then.
    Waiting(Instant),
    /// A lookup is under way.
    Asked,
}

impl Names {
    fn take(&mut self, request: Request, now: Instant) {
        match request {
            Request::Watch(host) => {
                if let Some(name) = self.names.get_mut(&host) {
                    name.users += 1;
                } else {
                    self.due.insert((now, Arc::clone(&host)));
                    self.names.insert(host, Name { users: 1, state: State::Waiting(now) });
                }
            }
            Request::Release(host) => {
                let Some(name) = self.names.get_mut(&host) else { return };
                name.users = name.users.saturating_sub(1);
                if name.users == 0 {
                    self.forget(&host);
                }
            }
        }
    }

    /// Takes an unused name out of the table, and altogether unless it is being looked up: then the answer
    /// does it, so that a name that comes back meanwhile is not looked up twice at a time.
    fn forget(&mut self, host: &Arc<str>) {
        if self.table.lookup(host).is_some() {
            self.table.remove(host);
            self.dirty = true;
        }
        if let Some(State::Waiting(due)) = self.names.get(host).map(|name| &name.state) {
            self.due.remove(&(*due, Arc::clone(host)));
            self.names.remove(host);
        }
    }

    fn answer(&mut self, host: &Arc<str>, outcome: Outcome, now: Instant) {
        let Some(name) = self.names.get_mut(host) else { return };
        let next = now + REFRESH;
        name.state = State::Waiting(next);
        self.due.insert((next, Arc::clone(host)));
        if name.users == 0 {
            self.forget(host);
            return;
        }
        let known = self.table.lookup(host);
        let new = match outcome {
            Outcome::Found(addresses) if addresses.is_empty() => Resolution::Negative,
            Outcome::Found(mut addresses) => {
                addresses.sort_unstable();
                addresses.dedup();
                Resolution::Addresses(addresses.into())
            }
            Outcome::NoSuchHost => Resolution::Negative,
            Outcome::Failed(why) => match known {
                Some(Resolution::Addresses(_) | Resolution::Negative) => {
                    tracing::debug!(host = &**host, why, "lookup failed; what was known stays");
                    return;
                }
                Some(Resolution::Failed(_)) | None => Resolution::Failed(why),
            },
        };
        if known != Some(&new) {
            self.table.set(host, new);
            self.dirty = true;
        }
    }

    fn first_due(&self) -> Option<Instant> {
        self.due.first().map(|&(due, _)| due)
    }

    /// The next name to look up now, which counts as asked from here on.
    fn start_due(&mut self, now: Instant) -> Option<Arc<str>> {
        if self.first_due()? > now {
            return None;
        }
        let (_, host) = self.due.pop_first()?;
        if let Some(name) = self.names.get_mut(&host) {
            name.state = State::Asked;
        }
        Some(host)
    }

    /// The table, when it changed since the last call.
    fn changed(&mut self) -> Option<Table> {
        std::mem::take(&mut self.dirty).then(|| self.table.clone())
    }
}

#[cfg(test)]
mod tests;
