//! Numbers with one writer and any number of readers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows.
///
/// Written by one thread: adding is a relaxed load and a relaxed store, because a locked read-modify-write
/// costs more than all the rest of a request's counting. Two writers would lose counts, nothing worse.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`, wrapping.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The count so far, from any thread.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down. Written by one thread, like [`Counter`].
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Takes one away.
    #[inline]
    pub fn dec(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// The value now, from any thread.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_up_and_a_gauge_returns() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        counter.inc();
        counter.add(41);
        gauge.inc();
        gauge.inc();
        gauge.dec();
        assert_eq!((counter.value(), gauge.value()), (42, 1));
    }
}
