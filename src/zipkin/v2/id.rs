//! Ids as a Zipkin server reads them: 1 to 32 (trace) or 1 to 16 (span) lower-case hex digits, padded.

use std::fmt;
use std::num::NonZeroU64;

/// A trace's id, 64 or 128 bits wide; printed with 16 digits when the high half is zero, else with 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId {
    /// The high half; zero for a 64-bit id. Two words rather than a `u128`, which would align to 16 bytes.
    pub high: u64,
    /// The low half.
    pub low: u64,
}

/// A span's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub NonZeroU64);

/// Why an id was refused; the texts are Zipkin's, for they end up in its 400 answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No digits at all.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// More digits than the field holds.
    #[error("{0}.length > {1}")]
    TooLong(&'static str, usize),
    /// Zero, which means "no id".
    #[error("{0} is all zeros")]
    Zero(&'static str),
    /// Something other than lower-case hex digits.
    #[error("{0} should be lower-hex encoded with no prefix")]
    NotHex(String),
}

impl TraceId {
    /// Reads a trace id.
    ///
    /// # Errors
    /// When `text` is empty, too long, not lower-case hex, or zero.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_length("traceId", text, TRACE_DIGITS)?;
        let digits = text.as_bytes();
        let (high, low) = digits.split_at(digits.len().saturating_sub(SPAN_DIGITS));
        match (parse_hex(high), parse_hex(low)) {
            (Some(0), Some(0)) => Err(IdError::Zero("traceId")),
            (Some(high), Some(low)) => Ok(Self { high, low }),
            _ => Err(IdError::NotHex(text.to_owned())),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.high != 0 {
            write!(f, "{:016x}", self.high)?;
        }
        write!(f, "{:016x}", self.low)
    }
}

impl SpanId {
    /// Reads the span id in `field` (`id` or `parentId`, for the error text).
    ///
    /// # Errors
    /// When `text` is empty, too long, not lower-case hex, or zero. A zero `parentId` is to be taken as none.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, IdError> {
        check_length(field, text, SPAN_DIGITS)?;
        let id = parse_hex(text.as_bytes()).ok_or_else(|| IdError::NotHex(text.to_owned()))?;
        NonZeroU64::new(id).map(Self).ok_or(IdError::Zero(field))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn check_length(field: &'static str, text: &str, limit: usize) -> Result<(), IdError> {
    match text.len() {
        0 => Err(IdError::Empty(field)),
        length if length > limit => Err(IdError::TooLong(field, limit)),
        _ => Ok(()),
    }
}

/// The value of at most 16 lower-case hex digits; no digits are zero.
fn parse_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(nibble))
    })
}

const TRACE_DIGITS: usize = 32;
const SPAN_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wide_id_with_a_zero_high_half_prints_as_a_narrow_one() {
        let id = TraceId::parse("000000000000000048485a3953bb6124").unwrap();
        assert_eq!(id.to_string(), "48485a3953bb6124");
        assert_eq!(TraceId::parse("abc").unwrap().to_string(), "0000000000000abc");
        assert_eq!(TraceId::parse("1000000000000000a").unwrap(), TraceId { high: 1, low: 10 });
    }

    #[test]
    fn refused_ids_say_why_in_zipkins_words() {
        for (text, error) in [
            ("", "traceId is empty"),
            ("0", "traceId is all zeros"),
            ("0x1", "0x1 should be lower-hex encoded with no prefix"),
            ("ABC", "ABC should be lower-hex encoded with no prefix"),
            ("é", "é should be lower-hex encoded with no prefix"),
            ("000000000000000000000000000000001", "traceId.length > 32"),
        ] {
            assert_eq!(TraceId::parse(text).unwrap_err().to_string(), error);
        }
        assert_eq!(SpanId::parse("id", "12345678901234567").unwrap_err().to_string(), "id.length > 16");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(high: u64, low in 1_u64..) {
            let id = TraceId { high, low };
            prop_assert_eq!(TraceId::parse(&id.to_string()), Ok(id));
        }
    }
}
