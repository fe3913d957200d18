//! One-minute windows of latencies, kept by the reader so that shards only ever count up.

use super::histogram::Recorded;
use std::collections::HashMap;

/// A histogram of one shard: the shard's index, and the number that its registry gave.
pub(super) type Key = (usize, u64);

/// What each histogram recorded in the last full minute.
#[derive(Debug, Default)]
pub(super) struct Windows {
    of: HashMap<Key, Window>,
}

#[derive(Debug)]
struct Window {
    /// The reading at the end of the minute.
    end: Recorded,
    /// What was recorded during the minute.
    minute: Recorded,
}

impl Windows {
    /// Ends the minute: `readings` are all histograms as they are now, and those that are missing are gone.
    pub(super) fn roll(&mut self, readings: impl IntoIterator<Item = (Key, Recorded)>) {
        let mut before = std::mem::take(&mut self.of);
        for (key, end) in readings {
            let start = before.remove(&key).map(|window| window.end).unwrap_or_default();
            let minute = end.since(&start);
            self.of.insert(key, Window { end, minute });
        }
    }

    /// What `key` recorded in the last full minute, once it has seen the end of one.
    pub(super) fn minute(&self, key: Key) -> Option<&Recorded> {
        self.of.get(&key).map(|window| &window.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::{Histogram, Summary};
    use super::*;
    use std::time::Duration;

    const KEY: Key = (0, 1);

    fn count(windows: &Windows) -> Option<u64> {
        windows.minute(KEY).map(|minute| Summary::of([minute]).count)
    }

    #[test]
    fn a_window_shows_the_last_full_minute_and_nothing_newer() {
        let (histogram, mut windows) = (Histogram::default(), Windows::default());
        histogram.record(Duration::from_micros(1));
        assert_eq!(count(&windows), None);
        windows.roll([(KEY, histogram.read())]);
        histogram.record(Duration::from_micros(2));
        histogram.record(Duration::from_micros(3));
        assert_eq!(count(&windows), Some(1));
        windows.roll([(KEY, histogram.read())]);
        assert_eq!(count(&windows), Some(2));
        windows.roll([(KEY, histogram.read())]);
        assert_eq!(count(&windows), Some(0));
    }

    #[test]
    fn a_histogram_that_is_gone_leaves_its_window() {
        let mut windows = Windows::default();
        windows.roll([(KEY, Recorded::default())]);
        windows.roll([]);
        assert_eq!(count(&windows), None);
    }
}
