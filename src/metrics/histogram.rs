//! Latencies in log-linear buckets: recorded by one thread, read by any.
//!
//! ```text
//! value   0 .. 63      one bucket each                        64 buckets
//!         64 .. 127    one bucket each                        64 buckets
//!         128 .. 255   64 buckets of 2                        64 buckets
//!         ...                                                 ...
//!         2^30 .. 2^31 64 buckets of 2^24                     64 buckets
//! ```
//!
//! A bucket is at most 1/64 of its values wide, so its middle is within 0.8 % of every value in it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Buckets in one doubling of the value.
const PER_OCTAVE: u32 = 64;
/// Values are cut off here: 2^31 - 1 microseconds are 35 minutes.
const LARGEST: u32 = (1 << 31) - 1;
/// 64 single values and 25 octaves.
const BUCKETS: usize = 26 * 64;

/// A distribution of microseconds since it was made: 6.6 KiB.
///
/// Written by one thread (see [`super::Counter`]). Each bucket counts modulo 2^32, which is enough because
/// readers only look at differences of a minute, or at a process younger than its first minute.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU32]>,
    sum_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts one `latency`, rounded down to microseconds.
    #[inline]
    pub fn record(&self, latency: Duration) {
        let us = u32::try_from(latency.as_micros()).unwrap_or(LARGEST).min(LARGEST);
        if let Some(bucket) = self.buckets.get(bucket_of(us)) {
            bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        let sum = self.sum_us.load(Ordering::Relaxed).wrapping_add(u64::from(us));
        self.sum_us.store(sum, Ordering::Relaxed);
    }

    /// What was recorded so far, from any thread.
    #[must_use]
    pub fn read(&self) -> Recorded {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        Recorded { filled: filled(counts), sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// What a histogram held at one moment, or recorded between two: only the buckets that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    filled: Vec<(u16, u32)>,
    sum_us: u64,
}

impl Recorded {
    /// What came after `earlier`, a reading of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = vec![0_u32; BUCKETS];
        for (readings, sign) in [(&self.filled, 1_u32), (&earlier.filled, u32::MAX)] {
            for &(index, count) in readings {
                if let Some(sum) = counts.get_mut(usize::from(index)) {
                    *sum = sum.wrapping_add(count.wrapping_mul(sign));
                }
            }
        }
        Self { filled: filled(counts.into_iter()), sum_us: self.sum_us.wrapping_sub(earlier.sum_us) }
    }
}

fn filled(counts: impl Iterator<Item = u32>) -> Vec<(u16, u32)> {
    (0..).zip(counts).filter(|&(_, count)| count > 0).collect()
}

/// The distribution of one or several histograms, in numbers.
///
/// Percentiles are middles of buckets; `min` and `max` are the outer limits of the outermost buckets, so
/// that every value lies between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Values recorded.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// Not larger than any value.
    pub min: u64,
    /// Not smaller than any value.
    pub max: u64,
    /// Half of the values are not above it; the others likewise.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 95 %.
    pub p95: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p9990: u64,
    /// 99.99 %.
    pub p9999: u64,
    /// `sum / count`.
    pub avg: f64,
}

impl Summary {
    /// Adds up `parts` (shards of one thing) in microseconds.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut counts = vec![0_u64; BUCKETS];
        let mut sum = 0_u64;
        for part in parts {
            sum = sum.wrapping_add(part.sum_us);
            for &(index, count) in &part.filled {
                if let Some(total) = counts.get_mut(usize::from(index)) {
                    *total += u64::from(count);
                }
            }
        }
        let count = counts.iter().sum();
        let limits = |(index, _): (u32, &u64)| limits_of(index);
        let mut used = (0..).zip(&counts).filter(|&(_, &count)| count > 0).map(limits);
        let Some((min, first_max)) = used.next() else { return Self::default() };
        let max = used.last().map_or(first_max, |(_, max)| max);
        let percentile = |per_10_000: u64| {
            // The rank is rounded to the nearest, half up, and counts from 1.
            let rank = ((u128::from(count) * u128::from(per_10_000) + 5_000) / 10_000).max(1);
            let mut seen = 0_u128;
            let reached = (0..).zip(&counts).find(|&(_, &count)| {
                seen += u128::from(count);
                seen >= rank
            });
            reached.map(limits).map_or(max, |(low, high)| u64::midpoint(low, high))
        };
        Self {
            count,
            sum,
            min,
            max,
            p50: percentile(5_000),
            p90: percentile(9_000),
            p95: percentile(9_500),
            p99: percentile(9_900),
            p9990: percentile(9_990),
            p9999: percentile(9_999),
            avg: average(sum, count),
        }
    }

    /// The same in milliseconds, to the nearest whole one; the average keeps its fraction.
    #[must_use]
    pub fn in_ms(&self) -> Self {
        let ms = |us: u64| us.saturating_add(500) / 1_000;
        Self {
            count: self.count,
            sum: ms(self.sum),
            min: ms(self.min),
            max: ms(self.max),
            p50: ms(self.p50),
            p90: ms(self.p90),
            p95: ms(self.p95),
            p99: ms(self.p99),
            p9990: ms(self.p9990),
            p9999: ms(self.p9999),
            avg: self.avg / 1_000.0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an average for people; the error is below 1e-15 of it")]
fn average(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

/// The bucket that counts `us`.
fn bucket_of(us: u32) -> usize {
    let octave = (us | (PER_OCTAVE - 1)).ilog2() - 5;
    let bucket =
        if octave == 0 { us } else { octave * PER_OCTAVE + ((us >> (octave - 1)) & (PER_OCTAVE - 1)) };
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// The smallest and the largest value that bucket `index` counts.
fn limits_of(index: u32) -> (u64, u64) {
    let (octave, step) = (index / PER_OCTAVE, u64::from(index % PER_OCTAVE));
    if octave == 0 {
        return (step, step);
    }
    let low = (u64::from(PER_OCTAVE) + step) << (octave - 1);
    (low, low + (1 << (octave - 1)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn summary_of(values: &[u64]) -> Summary {
        let histogram = Histogram::default();
        for &us in values {
            histogram.record(Duration::from_micros(us));
        }
        Summary::of([&histogram.read()])
    }

    #[test]
    fn buckets_touch_without_gap_or_overlap() {
        let mut next = 0;
        for index in 0..u32::try_from(BUCKETS).unwrap() {
            let (low, high) = limits_of(index);
            assert_eq!(low, next, "bucket {index}");
            for value in [low, high] {
                assert_eq!(bucket_of(u32::try_from(value).unwrap()), index as usize, "value {value}");
            }
            next = high + 1;
        }
        assert_eq!(next, u64::from(LARGEST) + 1);
    }

    #[test]
    fn percentiles_follow_the_ranks() {
        let summary = summary_of(&(1..=100).collect::<Vec<_>>());
        assert_eq!((summary.min, summary.max, summary.count, summary.sum), (1, 100, 100, 5_050));
        assert_eq!((summary.p50, summary.p90, summary.p95, summary.p99), (50, 90, 95, 99));
        assert_eq!((summary.p9990, summary.p9999), (100, 100));
        assert!((summary.avg - 50.5).abs() < 1e-9);
    }

    #[test]
    fn too_long_a_latency_is_counted_as_the_longest() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_secs(1 << 40));
        assert_eq!(Summary::of([&histogram.read()]).max, u64::from(LARGEST));
    }

    #[test]
    fn a_difference_holds_only_what_came_later() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_micros(10));
        let earlier = histogram.read();
        histogram.record(Duration::from_micros(30));
        let summary = Summary::of([&histogram.read().since(&earlier)]);
        assert_eq!((summary.count, summary.min, summary.max, summary.sum), (1, 30, 30, 30));
    }

    #[test]
    fn a_difference_survives_a_wrapped_bucket() {
        let earlier = Recorded { filled: vec![(7, u32::MAX)], sum_us: u64::MAX };
        let later = Recorded { filled: vec![(7, 1)], sum_us: 13 };
        assert_eq!(later.since(&earlier), Recorded { filled: vec![(7, 2)], sum_us: 14 });
    }

    #[test]
    fn shards_add_up() {
        let (one, two) = (Histogram::default(), Histogram::default());
        one.record(Duration::from_micros(5));
        two.record(Duration::from_micros(9));
        let summary = Summary::of([&one.read(), &two.read()]);
        assert_eq!((summary.count, summary.min, summary.max, summary.sum), (2, 5, 9, 14));
    }

    #[test]
    fn milliseconds_are_whole_and_their_average_is_not() {
        let summary = summary_of(&[400, 1_900, 3_000]).in_ms();
        assert_eq!((summary.min, summary.p50, summary.max, summary.sum), (0, 2, 3, 5));
        assert!((summary.avg - 5.3 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_recorded_has_no_average() {
        assert_eq!(summary_of(&[]), Summary::default());
    }

    proptest! {
        #[test]
        fn a_bucket_is_within_one_percent_of_its_values(us in 0_u32..=LARGEST) {
            let (low, high) = limits_of(u32::try_from(bucket_of(us)).unwrap());
            let middle = f64::from(u32::try_from(u64::midpoint(low, high)).unwrap());
            prop_assert!(low <= u64::from(us) && u64::from(us) <= high);
            prop_assert!((middle - f64::from(us)).abs() <= 0.01 * f64::from(us));
        }
    }
}
