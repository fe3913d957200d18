//! The ids of traces and spans, and their text form: lower-case hex, padded with zeros.

use rand::RngCore;
use std::fmt;
use std::num::NonZeroU64;

/// The id of one span: 64 bits, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

/// The id that all spans of a trace share: 64 or 128 bits, the low half never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId {
    /// The high half of a 128-bit id; `Some(0)` is still a 128-bit id on the wire.
    pub high: Option<u64>,
    /// The low half, or the whole of a 64-bit id.
    pub low: NonZeroU64,
}

impl SpanId {
    /// The id of this value; none for zero.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        match NonZeroU64::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// A fresh id. A generator's zero becomes 1: no loop for one draw in 2^64.
    #[must_use]
    pub fn random(rng: &mut impl RngCore) -> Self {
        Self(NonZeroU64::new(rng.next_u64()).unwrap_or(NonZeroU64::MIN))
    }

    /// Reads 1 to 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::new(parse_hex(text)?)
    }

    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl TraceId {
    /// A 64-bit id.
    #[must_use]
    pub const fn short(low: NonZeroU64) -> Self {
        Self { high: None, low }
    }

    /// Reads 1 to 32 lower-case hex digits; more than 16 make a 128-bit id.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text.len().checked_sub(16) {
            None | Some(0) => Some(Self::short(NonZeroU64::new(parse_hex(text)?)?)),
            Some(split) => {
                let (high, low) = text.split_at_checked(split)?;
                Some(Self { high: Some(parse_hex(high)?), low: NonZeroU64::new(parse_hex(low)?)? })
            }
        }
    }
}

impl From<SpanId> for TraceId {
    /// A root's trace id is its span id.
    fn from(root: SpanId) -> Self {
        Self::short(root.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(high) = self.high {
            write!(f, "{high:016x}")?;
        }
        write!(f, "{:016x}", self.low)
    }
}

/// The 16 hex digits of `value`. Several times cheaper than formatting, for the paths that write ids often.
#[must_use]
pub fn hex16(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair.copy_from_slice(&HEX_PAIRS[usize::from(byte)]);
    }
    digits
}

fn parse_hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0_u64, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

static HEX_PAIRS: [[u8; 2]; 256] = hex_pairs();

const fn hex_pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn zero_is_no_id() {
        assert_eq!(SpanId::new(0), None);
        assert_eq!(SpanId::parse(b"0000000000000000"), None);
        assert_eq!(TraceId::parse(b"00000000000000010000000000000000"), None);
    }

    #[test]
    fn text_that_is_not_lower_hex_of_the_right_length_is_no_id() {
        for text in ["", "0123456789ABCDEF", "g", "0x1", "12345678901234567", " 1"] {
            assert_eq!(SpanId::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(TraceId::parse(b"123456789012345678901234567890123"), None);
    }

    #[test]
    fn a_high_half_of_zero_keeps_its_width() {
        let id = TraceId::parse(b"0000000000000000000000000000000a").unwrap();
        assert_eq!(id.high, Some(0));
        assert_eq!(id.to_string(), "0000000000000000000000000000000a");
    }

    #[test]
    fn a_generator_that_draws_zero_still_gives_an_id() {
        struct Zeros;
        impl RngCore for Zeros {
            fn next_u32(&mut self) -> u32 {
                0
            }
            fn next_u64(&mut self) -> u64 {
                0
            }
            fn fill_bytes(&mut self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        assert_eq!(SpanId::random(&mut Zeros).get(), 1);
    }

    proptest! {
        #[test]
        fn ids_survive_their_text_form(high in any::<Option<u64>>(), low in 1_u64..) {
            let id = TraceId { high, low: NonZeroU64::new(low).unwrap() };
            prop_assert_eq!(TraceId::parse(id.to_string().as_bytes()), Some(id));
            let text = SpanId::new(low).unwrap().to_string();
            prop_assert_eq!(String::from_utf8_lossy(&hex16(low)).into_owned(), text);
        }
    }
}
