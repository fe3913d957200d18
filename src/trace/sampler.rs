//! Sampling: from the low half of a trace id to yes or no, the same for every span of the trace.
//!
//! One salted hash serves every rate, so what a lower rate picks is a subset of what a higher rate picks.

use super::context::{Decide, Decision};
use super::id::TraceId;

/// How many telemeters can be configured: each has a bit in a recorded span.
pub const MAX_TELEMETERS: usize = 32;

/// Picks a share of all traces: a salted 64-bit hash of the trace id against a 64-bit threshold.
///
/// No rate is too small to count: the step is 2^-64. Rate 0 is never, rate 1 is always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    threshold: u64,
    /// Rate 1 has no threshold that fits into 64 bits.
    always: bool,
    salt: u64,
}

impl Sampler {
    /// A sampler that picks the share `rate` (0 to 1; less is 0, more is 1, not a number is 0).
    #[must_use]
    pub fn new(rate: f64, salt: u64) -> Self {
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
        #[expect(clippy::cast_sign_loss, reason = "a negative rate saturates at zero")]
        let threshold = (rate * TWO_TO_64) as u64;
        Self { threshold, always: rate >= 1.0, salt }
    }

    /// Whether the trace with this low half of its id is picked.
    #[must_use]
    pub const fn sampled(&self, trace_low: u64) -> bool {
        self.always || mix(trace_low ^ self.salt) < self.threshold
    }
}

/// The configured telemeters' samplers, and the one for `l5d-sample`. All share one salt.
#[derive(Clone, Debug)]
pub struct Samplers {
    salt: u64,
    telemeters: Vec<Sampler>,
    /// Says yes exactly when any of the telemeters' samplers does.
    highest: Option<Sampler>,
}

impl Samplers {
    /// Samplers for telemeters of these rates, in the order of the configuration. At most
    /// [`MAX_TELEMETERS`] of them take part.
    #[must_use]
    pub fn new(rates: impl IntoIterator<Item = f64>, salt: u64) -> Self {
        let telemeters: Vec<Sampler> =
            rates.into_iter().take(MAX_TELEMETERS).map(|rate| Sampler::new(rate, salt)).collect();
        let highest = telemeters.iter().copied().max_by_key(|sampler| (sampler.always, sampler.threshold));
        Self { salt, telemeters, highest }
    }

    /// How many telemeters there are.
    #[must_use]
    pub fn telemeters(&self) -> usize {
        self.telemeters.len()
    }

    /// Which telemeters take a span of a recorded trace, one bit each: those whose own rate picks the trace.
    ///
    /// When none does (the decision came with the request) or the trace was forced by the debug flag, all of
    /// them do. This depends on nothing but the trace, so a telemeter gets all spans of a trace or none, also
    /// when the trace visits several routers of this process.
    #[must_use]
    pub(crate) fn takers(&self, trace: TraceId, debug: bool) -> u32 {
        let all = u32::MAX.checked_shr(MAX_TELEMETERS_BITS - self.telemeters_bits()).unwrap_or(0);
        if debug || self.telemeters.len() <= 1 {
            return all;
        }
        let mut takers = 0;
        for (index, sampler) in self.telemeters.iter().enumerate() {
            takers |= u32::from(sampler.sampled(trace.low.get())) << index;
        }
        if takers == 0 { all } else { takers }
    }

    fn telemeters_bits(&self) -> u32 {
        u32::try_from(self.telemeters.len()).unwrap_or(MAX_TELEMETERS_BITS)
    }
}

const MAX_TELEMETERS_BITS: u32 = u32::BITS;
const _: () = assert!(MAX_TELEMETERS_BITS as usize == MAX_TELEMETERS);

impl Decide for Samplers {
    /// Yes when any telemeter's rate picks the trace, no when none does; no opinion without a telemeter.
    fn decide(&self, trace: TraceId) -> Decision {
        match &self.highest {
            Some(sampler) if sampler.sampled(trace.low.get()) => Decision::Yes,
            Some(_) => Decision::No,
            None => Decision::Unknown,
        }
    }

    fn picks(&self, rate: f64, trace: TraceId) -> bool {
        Sampler::new(rate, self.salt).sampled(trace.low.get())
    }
}

/// Spreads a difference in any bit over all 64: the finalizer of `SplitMix64`.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The sampling functions of Linkerd, Finagle and the Zipkin server, for comparison with them. The proxy
/// itself uses [`Sampler`]. Rates are 32-bit floats, as are theirs.
pub mod compat {
    /// Linkerd 1.x: the residue of the salted id modulo 10,000 against the rate. Rate 0 is never, which
    /// Linkerd misses for one id in 2^64.
    #[must_use]
    pub fn mod10000(trace_low: u64, salt: u64, rate: f32) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "the residue is below 10,000")]
        let residue = mod10000_residue(trace_low, salt) as f32;
        rate > 0.0 && residue < rate * 10_000.0
    }

    /// What [`mod10000`] compares. Below zero for the one id whose absolute value is no 64-bit integer.
    #[must_use]
    pub const fn mod10000_residue(trace_low: u64, salt: u64) -> i64 {
        (trace_low ^ salt).cast_signed().wrapping_abs() % 10_000
    }

    /// Finagle from 21.12 on: 24 bits of the folded, salted id against the rate.
    #[must_use]
    pub fn bit24(trace_low: u64, salt: u64, rate: f32) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit into a 32-bit float")]
        let residue = bit24_residue(trace_low, salt) as f32;
        residue < rate * 16_777_216.0
    }

    /// What [`bit24`] compares.
    #[must_use]
    pub const fn bit24_residue(trace_low: u64, salt: u64) -> i64 {
        (((trace_low >> 32) ^ trace_low ^ salt) & 0xff_ffff).cast_signed()
    }

    /// The Zipkin server's `COLLECTOR_SAMPLE_RATE`: the id itself against a bound; debug spans always.
    #[must_use]
    pub fn zipkin_collector(trace_low: u64, rate: f32, debug: bool) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "the product is a 32-bit float there, too")]
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as it does there")]
        let bound = (i64::MAX as f32 * rate) as i64;
        debug || trace_low.cast_signed().saturating_abs() <= bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::num::NonZeroU64;

    fn trace(low: u64) -> TraceId {
        TraceId::short(NonZeroU64::new(low).unwrap())
    }

    /// The share of `ids` that a sampler picks.
    fn picked(sampler: &Sampler, ids: impl Iterator<Item = u64>) -> usize {
        ids.filter(|id| sampler.sampled(*id)).count()
    }

    #[test]
    fn rate_zero_is_never_and_rate_one_is_always() {
        for (rate, expected) in [(0.0, 0), (-1.0, 0), (f64::NAN, 0), (1.0, 5_000), (7.0, 5_000)] {
            for salt in [0, 1, u64::MAX] {
                let ids = (0..2_500).chain(u64::MAX - 2_499..=u64::MAX);
                assert_eq!(picked(&Sampler::new(rate, salt), ids), expected, "rate {rate}");
            }
        }
    }

    #[test]
    fn consecutive_ids_are_picked_at_the_rate() {
        for rate in [0.001, 0.01, 0.25, 0.5, 0.9] {
            let count = picked(&Sampler::new(rate, 0x5eed), 0..200_000);
            let expected = rate * 200_000.0;
            // Five standard deviations: the ids are fixed, so this passes always or never.
            let slack = 5.0 * (expected * (1.0 - rate)).sqrt();
            assert!((count as f64 - expected).abs() < slack, "rate {rate}: {count}");
        }
    }

    #[test]
    fn the_threshold_is_exact_for_rates_down_to_a_billionth() {
        for rate in [1e-9, 2e-9, 1e-6, 0.001, 0.999_999_999] {
            let threshold = Sampler::new(rate, 0).threshold as f64;
            assert!((threshold / 2_f64.powi(64) - rate).abs() < rate * 1e-9, "{rate}");
        }
    }

    #[test]
    fn another_salt_picks_other_traces() {
        let (one, other) = (Sampler::new(0.5, 1), Sampler::new(0.5, 2));
        assert!((0..1_000).any(|id| one.sampled(id) != other.sampled(id)));
    }

    #[test]
    fn no_telemeter_has_no_opinion_and_still_obeys_a_sample_header() {
        let samplers = Samplers::new([], 7);
        assert_eq!(samplers.decide(trace(1)), Decision::Unknown);
        assert!(samplers.picks(1.0, trace(1)));
        assert!(!samplers.picks(0.0, trace(1)));
        assert_eq!(samplers.takers(trace(1), true), 0);
    }

    #[test]
    fn every_telemeter_takes_a_trace_that_none_of_their_rates_picked() {
        let samplers = Samplers::new([0.0, 0.0, 0.0], 7);
        assert_eq!(samplers.takers(trace(1), false), 0b111);
    }

    #[test]
    fn a_telemeter_takes_what_its_own_rate_picks_and_what_is_forced() {
        let samplers = Samplers::new([0.0, 1.0], 7);
        assert_eq!(samplers.decide(trace(9)), Decision::Yes);
        assert_eq!(samplers.takers(trace(9), false), 0b10);
        assert_eq!(samplers.takers(trace(9), true), 0b11);
    }

    #[test]
    fn as_many_telemeters_as_there_are_bits_all_have_one() {
        assert_eq!(Samplers::new([1.0; 32], 0).takers(trace(1), false), u32::MAX);
        assert_eq!(Samplers::new([1.0; 40], 0).telemeters(), MAX_TELEMETERS);
    }

    proptest! {
        #[test]
        fn a_higher_rate_picks_all_that_a_lower_one_picks(id in any::<u64>(), salt in any::<u64>(), a in 0.0..=1.0, b in 0.0..=1.0) {
            let (low, high) = (f64::min(a, b), f64::max(a, b));
            prop_assert!(!Sampler::new(low, salt).sampled(id) || Sampler::new(high, salt).sampled(id));
        }
    }
}
