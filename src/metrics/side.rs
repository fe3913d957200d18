//! What is counted for one server, one service or one client on one shard.

use super::counter::{Counter, Gauge};
use super::histogram::Histogram;
use std::time::Duration;

/// Counts of one place that requests pass. Its methods are called by one shard; any thread may read.
///
/// An exchange is counted when it is over: [`Self::request_started`] only raises `pending`, and exactly one
/// of [`Self::request_finished`], [`Self::request_failed`] and [`Self::request_abandoned`] follows.
#[derive(Debug, Default)]
pub struct SideMetrics {
    pub(super) requests: Counter,
    pub(super) success: Counter,
    pub(super) failures: Counter,
    pub(super) pending: Gauge,
    pub(super) connects: Counter,
    pub(super) closes: Counter,
    pub(super) connections: Gauge,
    pub(super) failed_connects: Counter,
    pub(super) status: StatusCounters,
    pub(super) latency: Histogram,
}

impl SideMetrics {
    /// A request arrived here.
    #[inline]
    pub fn request_started(&self) {
        self.pending.inc();
    }

    /// A request that was started got a response with `status`, `latency` after it started.
    ///
    /// `success` is the response class, which the status alone does not tell.
    #[inline]
    pub fn request_finished(&self, status: u16, success: bool, latency: Duration) {
        self.status.count(status);
        self.complete(success, latency);
    }

    /// A request that was started ended without a response, `latency` after it started.
    #[inline]
    pub fn request_failed(&self, latency: Duration) {
        self.status.error.inc();
        self.complete(false, latency);
    }

    /// A request that was started ended without an outcome of its own: it is no longer pending, and counted
    /// as nothing else.
    #[inline]
    pub fn request_abandoned(&self) {
        self.pending.dec();
    }

    /// A connection was accepted or opened.
    #[inline]
    pub fn connection_opened(&self) {
        self.connects.inc();
        self.connections.inc();
    }

    /// A connection that was opened is closed.
    #[inline]
    pub fn connection_closed(&self) {
        self.closes.inc();
        self.connections.dec();
    }

    /// A connection could not be opened. The request that wanted it counts as neither request nor failure
    /// of this client.
    #[inline]
    pub fn connect_failed(&self) {
        self.failed_connects.inc();
    }

    fn complete(&self, success: bool, latency: Duration) {
        self.pending.dec();
        self.requests.inc();
        if success {
            self.success.inc()
        } else {
            self.failures.inc()
        }
        self.latency.record(latency);
    }
}

/// Responses by status class, and by code where the code is a registered one.
#[derive(Debug)]
pub(super) struct StatusCounters {
    /// 1xx to 5xx.
    classes: [Counter; 5],
    /// In the order of [`KNOWN`].
    codes: Box<[Counter]>,
    /// No response at all.
    pub(super) error: Counter,
}

/// Status codes that are counted one by one, as ranges, first and last.
const KNOWN: [(u16, u16); 6] = [(100, 103), (200, 208), (226, 226), (300, 308), (400, 451), (500, 511)];

impl Default for StatusCounters {
    fn default() -> Self {
        let codes = KNOWN.iter().flat_map(|&(first, last)| first..=last);
        Self {
            classes: Default::default(),
            codes: codes.map(|_| Counter::default()).collect(),
            error: Counter::default(),
        }
    }
}

impl StatusCounters {
    fn count(&self, status: u16) {
        match self.classes.get(usize::from(status / 100).wrapping_sub(1)) {
            Some(class) => class.inc(),
            // Not a status: whoever answered did not speak HTTP.
            None => self.error.inc(),
        }
        let mut before = 0;
        for (first, last) in KNOWN {
            if (first..=last).contains(&status) {
                if let Some(code) = self.codes.get(usize::from(before + (status - first))) {
                    code.inc();
                }
                return;
            }
            before += last - first + 1;
        }
    }

    /// The class counters, 1xx first.
    pub(super) fn by_class(&self) -> impl Iterator<Item = (u16, u64)> {
        (1..).zip(self.classes.iter().map(Counter::value))
    }

    /// The codes that were seen.
    pub(super) fn by_code(&self) -> impl Iterator<Item = (u16, u64)> {
        let codes = KNOWN.iter().flat_map(|&(first, last)| first..=last);
        codes.zip(self.codes.iter().map(Counter::value)).filter(|&(_, count)| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_pending_until_it_is_counted() {
        let side = SideMetrics::default();
        side.request_started();
        assert_eq!((side.pending.value(), side.requests.value()), (1, 0));
        side.request_finished(404, true, Duration::from_millis(2));
        assert_eq!((side.pending.value(), side.requests.value()), (0, 1));
        assert_eq!((side.success.value(), side.failures.value()), (1, 0));
        side.request_started();
        side.request_failed(Duration::ZERO);
        assert_eq!((side.requests.value(), side.failures.value(), side.status.error.value()), (2, 1, 1));
        side.request_started();
        side.request_abandoned();
        assert_eq!((side.requests.value(), side.pending.value()), (2, 0));
    }

    #[test]
    fn connections_are_those_opened_and_not_closed() {
        let side = SideMetrics::default();
        side.connection_opened();
        side.connection_opened();
        side.connection_closed();
        side.connect_failed();
        assert_eq!((side.connects.value(), side.closes.value(), side.connections.value()), (2, 1, 1));
        assert_eq!(side.failed_connects.value(), 1);
    }

    #[test]
    fn every_registered_status_has_a_counter_of_its_own() {
        for (first, last) in KNOWN {
            for code in first..=last {
                let status = StatusCounters::default();
                status.count(code);
                assert_eq!(status.by_code().collect::<Vec<_>>(), [(code, 1)]);
                assert_eq!(status.by_class().find(|&(_, count)| count > 0), Some((code / 100, 1)));
            }
        }
    }

    #[test]
    fn other_numbers_count_in_their_class_or_as_errors() {
        let status = StatusCounters::default();
        for code in [299, 599] {
            status.count(code);
        }
        for code in [0, 99, 600, u16::MAX] {
            status.count(code);
        }
        assert_eq!(status.by_code().count(), 0);
        assert_eq!(status.by_class().collect::<Vec<_>>(), [(1, 0), (2, 1), (3, 0), (4, 0), (5, 1)]);
        assert_eq!(status.error.value(), 4);
    }
}
