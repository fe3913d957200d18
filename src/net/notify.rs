//! Tells waiting tasks of the same shard that something changed.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A change that tasks of one shard can wait for.
#[derive(Debug, Default)]
pub struct Notify {
    changes: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Notify {
    /// Waits for the next [`Notify::notify`] after this call.
    pub async fn changed(&self) {
        let seen = self.changes.get();
        poll_fn(|cx| {
            if self.changes.get() != seen {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Wakes every task that waits.
    pub fn notify(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
        // Waking may run a task at once, and that task may wait here again.
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn a_wait_ends_at_the_next_change_and_not_before() {
        let notify = Notify::default();
        notify.notify();
        let mut wait = Box::pin(notify.changed());
        assert!(block_on(poll_once(&mut wait)).is_none());
        notify.notify();
        assert!(block_on(poll_once(&mut wait)).is_some());
    }
}
