//! A shard's side: which names it uses, and the table as it is now.

use super::table::{Published, Table};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc::{OwnedPermit, Sender};

/// Places in the queue to the directory. Every watched name keeps one for its release, and a watch takes a
/// second one until its message is taken, so this also bounds the names that all shards together watch (a
/// name counts once for each shard that watches it).
pub const WATCHED_NAMES: usize = 8 * 1024;

/// What a shard tells the directory.
#[derive(Debug)]
pub(super) enum Request {
    /// The shard begins to use the name.
    Watch(Arc<str>),
    /// The shard no longer uses the name.
    Release(Arc<str>),
}

/// The name cannot be watched: too many are, or the control thread is that far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many host names are being resolved")]
pub struct QueueFull;

/// One shard's handle on host names. Cheap to use; give one to each shard.
pub struct Watcher {
    requests: Sender<Request>,
    published: Arc<Published>,
    held: RefCell<HashMap<Arc<str>, Held>>,
}

/// A name that this shard watches.
struct Held {
    users: usize,
    /// A place in the queue, reserved by the watch so that the release can never be lost.
    release: OwnedPermit<Request>,
}

impl Watcher {
    pub(super) fn new(requests: Sender<Request>, published: Arc<Published>) -> Self {
        Self { requests, published, held: RefCell::default() }
    }

    /// Begins to use `host`: it is looked up now, and again every [`super::REFRESH`]. Each success wants one
    /// [`Self::release`] later; a name that is watched already only counts one user more. Call this before
    /// reading the table, or the name may leave it in between.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when the name is new and there is no place for it. Nothing is watched then.
    pub fn watch(&self, host: &str) -> Result<(), QueueFull> {
        let mut held = self.held.borrow_mut();
        if let Some(known) = held.get_mut(host) {
            known.users += 1;
            return Ok(());
        }
        let reserve = || self.requests.clone().try_reserve_owned().map_err(|_| QueueFull);
        let (watch, release) = (reserve()?, reserve()?);
        let host: Arc<str> = host.into();
        watch.send(Request::Watch(Arc::clone(&host)));
        held.insert(host, Held { users: 1, release });
        Ok(())
    }

    /// Ends one use of `host`.
    pub fn release(&self, host: &str) {
        let mut held = self.held.borrow_mut();
        match held.get_mut(host) {
            Some(known) if known.users > 1 => known.users -= 1,
            Some(_) => {
                if let Some((host, last)) = held.remove_entry(host) {
                    last.release.send(Request::Release(host));
                }
            }
            None => debug_assert!(false, "{host} is released more often than watched"),
        }
    }

    /// Grows with every change of the table: one load.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.published.generation()
    }

    /// The table now, at least as new as the last [`Self::generation`].
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.published.table()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for (host, held) in self.held.get_mut().drain() {
            held.release.send(Request::Release(host));
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::{Receiver, channel};

    fn watcher(places: usize) -> (Watcher, Receiver<Request>) {
        let (sender, receiver) = channel(places);
        (Watcher::new(sender, Arc::default()), receiver)
    }

    fn next(requests: &mut Receiver<Request>) -> Option<String> {
        requests.try_recv().ok().map(|request| match request {
            Request::Watch(host) => format!("watch {host}"),
            Request::Release(host) => format!("release {host}"),
        })
    }

    #[test]
    fn only_the_first_watch_and_the_last_release_are_told() {
        let (watcher, mut requests) = watcher(10);
        watcher.watch("a").unwrap();
        watcher.watch("a").unwrap();
        watcher.release("a");
        assert_eq!(next(&mut requests).as_deref(), Some("watch a"));
        assert_eq!(next(&mut requests), None);
        watcher.release("a");
        assert_eq!(next(&mut requests).as_deref(), Some("release a"));
    }

    #[test]
    fn a_full_queue_refuses_new_names_and_still_takes_the_release() {
        let (watcher, mut requests) = watcher(2);
        watcher.watch("a").unwrap();
        assert_eq!(watcher.watch("b"), Err(QueueFull));
        watcher.watch("a").unwrap();
        watcher.release("a");
        watcher.release("a");
        assert_eq!(next(&mut requests).as_deref(), Some("watch a"));
        assert_eq!(next(&mut requests).as_deref(), Some("release a"));
        watcher.watch("b").unwrap();
    }

    #[test]
    fn names_held_are_bounded_while_messages_are_taken() {
        let (watcher, mut requests) = watcher(WATCHED_NAMES);
        for n in 0..WATCHED_NAMES - 1 {
            watcher.watch(&n.to_string()).unwrap();
            assert!(next(&mut requests).is_some());
        }
        assert_eq!(watcher.watch("one more"), Err(QueueFull));
    }

    #[test]
    fn a_watcher_that_ends_releases_its_names() {
        let (watcher, mut requests) = watcher(10);
        watcher.watch("a").unwrap();
        drop(watcher);
        assert_eq!(next(&mut requests).as_deref(), Some("watch a"));
        assert_eq!(next(&mut requests).as_deref(), Some("release a"));
    }

    #[test]
    fn a_name_cannot_be_watched_when_the_directory_is_gone() {
        let (watcher, requests) = watcher(10);
        drop(requests);
        assert_eq!(watcher.watch("a"), Err(QueueFull));
    }
}
