//! How another thread tells a shard that something happened: a set of bits and one waiting task.

use atomic_waker::AtomicWaker;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

/// Raised by any thread, awaited by one task. Raising never blocks, and raising a bit twice before it is
/// seen is the same as raising it once.
#[derive(Debug, Default)]
pub struct Signal {
    bits: AtomicU32,
    waiting: AtomicWaker,
}

impl Signal {
    /// Stop accepting where no router of this process sends to, and finish what is in flight there.
    pub const DRAIN_EDGE: u32 = 1 << 3;
    /// Stop accepting everywhere, finish what is in flight, end.
    pub const DRAIN: u32 = 1;
    /// A new table of addresses was published.
    pub const ADDRESSES: u32 = 1 << 1;
    /// The time to finish is over: cut what is left.
    pub const CUT: u32 = 1 << 2;

    /// Raises `bits` and wakes the waiting task, from any thread.
    pub fn raise(&self, bits: u32) {
        self.bits.fetch_or(bits, Ordering::Release);
        self.waiting.wake();
    }

    /// Waits until at least one bit is raised, and takes all raised bits.
    pub async fn wait(&self) -> u32 {
        poll_fn(|cx| {
            self.waiting.register(cx.waker());
            match self.bits.swap(0, Ordering::Acquire) {
                0 => Poll::Pending,
                bits => Poll::Ready(bits),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn bits_raised_before_the_wait_are_seen_once() {
        let signal = Signal::default();
        signal.raise(Signal::DRAIN);
        signal.raise(Signal::DRAIN | Signal::ADDRESSES);
        let seen = futures_lite::future::block_on(signal.wait());
        assert_eq!(seen, Signal::DRAIN | Signal::ADDRESSES);
        assert!(futures_lite::future::block_on(futures_lite::future::poll_once(signal.wait())).is_none());
    }

    #[test]
    fn another_thread_wakes_the_waiting_task() {
        let signal = Arc::new(Signal::default());
        let other = Arc::clone(&signal);
        let thread = std::thread::spawn(move || other.raise(Signal::CUT));
        assert_eq!(futures_lite::future::block_on(signal.wait()), Signal::CUT);
        thread.join().unwrap();
    }
}
