//! What one shard has bound: a cache by name with a capacity and an idle time (routing.md 7.1).

use crate::clock::Monotonic;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// At most `capacity` values by name, each kept while it is used.
#[derive(Debug)]
pub struct Cache<T> {
    capacity: usize,
    idle_time: Duration,
    entries: RefCell<HashMap<Box<[u8]>, Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    value: Rc<T>,
    used: Cell<Monotonic>,
}

impl<T> Cache<T> {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity: usize, idle_time: Duration) -> Self {
        Self { capacity, idle_time, entries: RefCell::default() }
    }

    /// The value of `name`, which counts as used at `now`.
    pub fn get(&self, name: &[u8], now: Monotonic) -> Option<Rc<T>> {
        let entries = self.entries.borrow();
        let entry = entries.get(name)?;
        entry.used.set(now);
        Some(Rc::clone(&entry.value))
    }

    /// Keeps `value` under `name`. A full cache gives up the entry that has been idle longest; when all are in
    /// use the value is not kept: whoever holds it uses it once.
    pub fn insert(&self, name: &[u8], value: Rc<T>, now: Monotonic) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= self.capacity && !entries.contains_key(name) {
            let idle = entries.iter().filter(|(_, entry)| Rc::strong_count(&entry.value) == 1);
            let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used.get()).map(|(name, _)| name.clone())
            else {
                return;
            };
            entries.remove(&oldest);
        }
        entries.insert(name.into(), Entry { value, used: Cell::new(now) });
    }

    /// Gives up the entries that nobody holds and nobody has asked for in the idle time.
    pub fn expire(&self, now: Monotonic) {
        self.entries.borrow_mut().retain(|_, entry| {
            Rc::strong_count(&entry.value) > 1 || now.since(entry.used.get()) <= self.idle_time
        });
    }

    /// How many names are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether no name is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(600);

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_full_cache_gives_up_the_entry_that_was_idle_longest() {
        let cache = Cache::new(2, IDLE);
        cache.insert(b"a", Rc::new(1), at(1));
        cache.insert(b"b", Rc::new(2), at(2));
        assert_eq!(cache.get(b"a", at(3)).as_deref(), Some(&1));
        cache.insert(b"c", Rc::new(3), at(4));
        assert!(cache.get(b"b", at(5)).is_none());
        assert!(cache.get(b"a", at(5)).is_some());
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn an_entry_in_use_is_never_given_up_and_the_newcomer_is_used_once() {
        let cache = Cache::new(1, IDLE);
        let held = Rc::new(1);
        cache.insert(b"a", Rc::clone(&held), at(1));
        cache.insert(b"b", Rc::new(2), at(2));
        assert!(cache.get(b"b", at(3)).is_none());
        assert!(cache.get(b"a", at(3)).is_some());
    }

    #[test]
    fn entries_expire_once_idle_and_not_held() {
        let cache = Cache::new(9, IDLE);
        let held = Rc::new(1);
        cache.insert(b"held", Rc::clone(&held), at(0));
        cache.insert(b"idle", Rc::new(2), at(0));
        cache.insert(b"fresh", Rc::new(3), at(500));
        cache.expire(at(601));
        assert!(cache.get(b"held", at(601)).is_some());
        assert!(cache.get(b"idle", at(601)).is_none());
        assert!(cache.get(b"fresh", at(601)).is_some());
    }

    #[test]
    fn a_name_that_is_inserted_again_takes_no_second_place() {
        let cache = Cache::new(2, IDLE);
        cache.insert(b"a", Rc::new(1), at(1));
        cache.insert(b"b", Rc::new(2), at(1));
        cache.insert(b"a", Rc::new(3), at(2));
        assert_eq!(cache.get(b"a", at(3)).as_deref(), Some(&3));
        assert_eq!(cache.len(), 2);
    }
}
