//! Deadlines of one shard, kept by one coarse tick instead of a timer each.
//!
//! Only waits that are rare have one (connecting, binding, draining), so a sorted map is enough. glommio's stream
//! time-outs are not used: they leak their waker, and with it the whole task, until the deadline.

use crate::clock::{Clock, Monotonic};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A wait was not over in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// The waits of one shard that must end at some time. [`Deadlines::tick`] has to be called regularly.
#[derive(Debug)]
pub struct Deadlines {
    clock: Clock,
    waits: RefCell<BTreeMap<(Monotonic, u64), Waker>>,
    next: Cell<u64>,
}

impl Deadlines {
    /// How often [`Deadlines::tick`] is to be called, and so how late a deadline may fire.
    pub const TICK: Duration = Duration::from_millis(50);

    /// No waits yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, waits: RefCell::default(), next: Cell::new(0) }
    }

    /// Waits for `work`, at most `limit` (late by at most one tick).
    ///
    /// # Errors
    /// [`Expired`] when `work` was not ready by then; it is dropped unfinished.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, Expired> {
        let mut work = pin!(work);
        let mut wait: Option<Wait<'_>> = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            let wait = wait.get_or_insert_with(|| Wait::new(self, limit));
            if self.clock.now() >= wait.key.0 {
                return Poll::Ready(Err(Expired));
            }
            self.waits.borrow_mut().insert(wait.key, cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Wakes every wait whose deadline is over at `now`.
    pub fn tick(&self, now: Monotonic) {
        loop {
            let mut waits = self.waits.borrow_mut();
            let Some(first) = waits.first_entry().filter(|first| first.key().0 <= now) else { return };
            let waker = first.remove();
            // Waking may run the task at once, which may come back here.
            drop(waits);
            waker.wake();
        }
    }
}

/// A place in the map that is given up when the wait ends, however it ends.
struct Wait<'a> {
    deadlines: &'a Deadlines,
    key: (Monotonic, u64),
}

impl<'a> Wait<'a> {
    fn new(deadlines: &'a Deadlines, limit: Duration) -> Self {
        let id = deadlines.next.get();
        deadlines.next.set(id.wrapping_add(1));
        Self { deadlines, key: (deadlines.clock.now().plus(limit), id) }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.deadlines.waits.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, pending, poll_once};

    #[test]
    fn work_that_is_ready_leaves_no_wait_behind() {
        let deadlines = Deadlines::new(Clock::start());
        assert_eq!(block_on(deadlines.within(Duration::from_secs(1), async { 7 })), Ok(7));
        assert!(deadlines.waits.borrow().is_empty());
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let deadlines = Deadlines::new(Clock::start());
        let mut wait = Box::pin(deadlines.within(Duration::from_secs(60), pending::<()>()));
        assert!(block_on(poll_once(&mut wait)).is_none());
        assert_eq!(deadlines.waits.borrow().len(), 1);
        drop(wait);
        assert!(deadlines.waits.borrow().is_empty());
    }

    #[test]
    fn a_wait_ends_once_its_deadline_is_over() {
        let deadlines = Deadlines::new(Clock::start());
        let mut wait = Box::pin(deadlines.within(Duration::ZERO, pending::<()>()));
        assert_eq!(block_on(&mut wait), Err(Expired));
    }

    #[test]
    fn a_tick_wakes_only_what_is_over() {
        let clock = Clock::start();
        let deadlines = Deadlines::new(clock);
        let mut short = Box::pin(deadlines.within(Duration::from_secs(1), pending::<()>()));
        let mut long = Box::pin(deadlines.within(Duration::from_secs(100), pending::<()>()));
        assert!(block_on(poll_once(&mut short)).is_none());
        assert!(block_on(poll_once(&mut long)).is_none());
        deadlines.tick(clock.now().plus(Duration::from_secs(2)));
        assert_eq!(deadlines.waits.borrow().len(), 1);
    }
}
