//! A request that counts as under way until it is counted as something else.

use crate::metrics::SideMetrics;
use std::time::Duration;

/// Dropped uncounted (a task that panics or is cut off), it leaves nothing pending behind.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    metrics: &'a SideMetrics,
    is_counted: bool,
}

impl<'a> Pending<'a> {
    /// Counts a request as under way.
    pub(super) fn start(metrics: &'a SideMetrics) -> Self {
        metrics.request_started();
        Self { metrics, is_counted: false }
    }

    /// A response head with `status` was there after `latency`.
    pub(super) fn responded(&mut self, status: u16, latency: Duration) {
        self.is_counted = true;
        self.metrics.request_finished(status, status < 500, latency);
    }

    /// There was none, and after `latency` there will be none.
    pub(super) fn failed(&mut self, latency: Duration) {
        self.is_counted = true;
        self.metrics.request_failed(latency);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            self.metrics.request_abandoned();
        }
    }
}
