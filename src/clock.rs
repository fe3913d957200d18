//! Time: one monotonic clock, and the wall-clock offset that all shards share. The only file that reads time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A reading of the monotonic clock, in nanoseconds since an arbitrary start (CLOCK_MONOTONIC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(u64);

impl Monotonic {
    /// A reading of `nanoseconds`; for tests and simulations, which invent their own time.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the clock's arbitrary start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The reading `after` this one.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Reads the monotonic clock and turns readings into wall-clock microseconds.
///
/// The wall clock is read once, when the process starts: every shard uses a copy of the same clock, so
/// timestamps of different shards nest (a wall clock that is stepped meanwhile would break that).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Wall-clock nanoseconds since the Unix epoch at monotonic reading zero.
    wall_offset_ns: u64,
}

impl Clock {
    /// A clock whose wall time is the machine's now. Make one per process and copy it.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this file is where time is read")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        Self { wall_offset_ns: wall_ns.saturating_sub(read_monotonic().0) }
    }

    /// The monotonic time now: one vDSO call, no system call.
    #[must_use]
    pub fn now(&self) -> Monotonic {
        read_monotonic()
    }

    /// Microseconds since the Unix epoch at `at`, rounded down.
    #[must_use]
    pub const fn wall_us(&self, at: Monotonic) -> u64 {
        self.wall_offset_ns.saturating_add(at.0) / 1_000
    }
}

fn read_monotonic() -> Monotonic {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that the call fills; CLOCK_MONOTONIC always exists on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Monotonic(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_moves_with_the_monotonic_clock() {
        let clock = Clock::start();
        let now = clock.now();
        assert_eq!(clock.wall_us(now.plus(Duration::from_millis(3))), clock.wall_us(now) + 3_000);
    }

    #[test]
    fn a_reading_is_never_before_an_earlier_one() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
