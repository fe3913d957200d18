//! The trace context of a request: its ids, its sampling decision, and the `l5d-ctx-trace` header that carries both.
//!
//! Reading and writing `l5d-sample` and `l5d-reqid` is here too; *making* a decision is `sampler.rs`.

use super::id::{SpanId, TraceId, hex16};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rand::RngCore;
use std::num::NonZeroU64;

/// Whether the spans of a trace are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Recorded.
    Yes,
    /// Not recorded.
    No,
    /// Nobody decided yet.
    Unknown,
}

/// Whoever decides whether a trace is recorded: [`super::Samplers`], or what a test puts in its place.
pub trait Decide {
    /// What the configured tracers say about a trace that nobody decided about.
    fn decide(&self, trace: TraceId) -> Decision;
    /// Whether a trace is among the share `rate` (0 to 1) that an `l5d-sample` header asks for.
    fn picks(&self, rate: f64, trace: TraceId) -> bool;
}

/// The place of a span in its trace, and what was decided about the trace.
#[derive(Clone, Copy, Debug)]
pub struct TraceContext {
    /// The span that is current.
    pub span: SpanId,
    /// Its parent; a root has none.
    pub parent: Option<SpanId>,
    /// The trace that both belong to.
    pub trace: TraceId,
    /// The decision as its bits say; [`TraceContext::effective`] adds the debug flag.
    pub decision: Decision,
    /// The flags word as it came, unknown bits included: they travel on.
    flags: u64,
}

const DEBUG: u64 = 1;
const SAMPLING_KNOWN: u64 = 1 << 1;
const SAMPLED: u64 = 1 << 2;

/// Bytes of a 64-bit trace's context: span, parent, trace, flags.
const SHORT: usize = 32;
/// Bytes of a 128-bit trace's context: the same and the high half of the trace id.
const LONG: usize = 40;
/// Base64 characters of the longer form.
const LONG_TEXT: usize = 56;

/// Standard alphabet; written with padding, read with the right padding or with none.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl TraceContext {
    /// A context of these parts. `flags` is the word as it came from the wire.
    #[must_use]
    pub const fn new(
        span: SpanId,
        parent: Option<SpanId>,
        trace: TraceId,
        decision: Decision,
        flags: u64,
    ) -> Self {
        Self { span, parent, trace, decision, flags }
    }

    /// The start of a trace: the trace's id is the span's.
    #[must_use]
    pub fn root(span: SpanId) -> Self {
        Self::new(span, None, span.into(), Decision::Unknown, 0)
    }

    /// The context of a child `span`: same trace and flags, and the effective decision.
    #[must_use]
    pub const fn child(&self, span: SpanId) -> Self {
        Self::new(span, Some(self.span), self.trace, self.effective(), self.flags)
    }

    /// Reads the value of an `l5d-ctx-trace` header. None, which counts as no header, unless it is base64 of
    /// 32 or 40 bytes with a span id and a trace id that are not zero.
    #[must_use]
    pub fn decode(header: &[u8]) -> Option<Self> {
        if header.len() > LONG_TEXT {
            return None;
        }
        // The decoder wants room for whole groups, up to two bytes more than what it then writes.
        let mut bytes = [0; LONG + 2];
        let length = BASE64.decode_slice(header, &mut bytes).ok()?;
        let (words, rest) = bytes.get(..length)?.as_chunks::<8>();
        let word = |at: usize| words.get(at).copied().map(u64::from_be_bytes);
        let high = match length {
            SHORT => None,
            LONG => Some(word(4)?),
            _ => return None,
        };
        debug_assert!(rest.is_empty());
        let span = SpanId::new(word(0)?)?;
        let parent = SpanId::new(word(1)?).filter(|parent| *parent != span);
        let flags = word(3)?;
        let decision = match (flags & SAMPLING_KNOWN != 0, flags & SAMPLED != 0) {
            (true, true) => Decision::Yes,
            (true, false) => Decision::No,
            // "Sampled" alone says nothing: it only has a meaning together with "known".
            (false, _) => Decision::Unknown,
        };
        Some(Self { span, parent, trace: TraceId { high, low: NonZeroU64::new(word(2)?)? }, decision, flags })
    }

    /// Appends the value of the `l5d-ctx-trace` header: 44 characters, 56 for a 128-bit trace.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; LONG];
        let parent = self.parent.unwrap_or(self.span);
        let words =
            [self.span.get(), parent.get(), self.trace.low.get(), self.flags(), self.trace.high.unwrap_or(0)];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        let used = if self.trace.high.is_some() { LONG } else { SHORT };
        let mut text = [0; LONG_TEXT];
        let written = bytes.get(..used).and_then(|bytes| BASE64.encode_slice(bytes, &mut text).ok());
        out.extend_from_slice(written.and_then(|length| text.get(..length)).unwrap_or_default());
    }

    /// Appends the value of the `l5d-reqid` header: the low half of the trace id, 16 hex digits.
    pub fn encode_reqid(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&hex16(self.trace.low.get()));
    }

    /// The flags word for the wire: the bits of the decision are written anew, all others stay as they came.
    /// (Linkerd only ever sets bits, so that its "no" after an inherited "yes" goes out as "yes".)
    #[must_use]
    pub const fn flags(&self) -> u64 {
        let others = self.flags & !(SAMPLING_KNOWN | SAMPLED);
        match self.effective() {
            Decision::Yes => others | SAMPLING_KNOWN | SAMPLED,
            Decision::No => others | SAMPLING_KNOWN,
            Decision::Unknown => others,
        }
    }

    /// The decision, debug flag included.
    #[must_use]
    pub const fn effective(&self) -> Decision {
        if self.debug() { Decision::Yes } else { self.decision }
    }

    /// Whether spans of this trace are recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        matches!(self.effective(), Decision::Yes)
    }

    /// Whether the trace was forced by its debug flag.
    #[must_use]
    pub const fn debug(&self) -> bool {
        self.flags & DEBUG != 0
    }
}

/// The server span's context of a request that came with these header values (the first line of each name).
///
/// A header that does not parse counts as absent. The configured tracers are asked only when no decision came
/// in; `l5d-sample` decides over an inherited decision too, and the debug flag over everything.
pub fn receive(
    ctx_trace: Option<&[u8]>,
    l5d_sample: Option<&[u8]>,
    sampling: &impl Decide,
    rng: &mut impl RngCore,
) -> TraceContext {
    let span = SpanId::random(rng);
    let inbound = ctx_trace.and_then(TraceContext::decode);
    let mut context = inbound.map_or_else(|| TraceContext::root(span), |inbound| inbound.child(span));
    if context.effective() == Decision::Unknown {
        context.decision = sampling.decide(context.trace);
    }
    if let Some(rate) = l5d_sample.and_then(parse_sample) {
        context.decision = if sampling.picks(rate, context.trace) { Decision::Yes } else { Decision::No };
    }
    context
}

/// The client span's context of one attempt to send the request on.
pub fn send(server: &TraceContext, sampling: &impl Decide, rng: &mut impl RngCore) -> TraceContext {
    let mut context = server.child(SpanId::random(rng));
    if context.effective() == Decision::Unknown {
        context.decision = sampling.decide(context.trace);
    }
    context
}

/// Reads the value of an `l5d-sample` header: a decimal number, brought into 0 to 1. None, which counts as no
/// header, for anything else and for `NaN`. As in Java, a suffix `f` or `d` and `Infinity` are read.
#[must_use]
pub fn parse_sample(value: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    let rate = match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => {
            let number = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
            // Rust's own parser also reads words such as "inf"; those are not numbers here.
            let numeric = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E');
            if !number.bytes().all(numeric) {
                return None;
            }
            number.parse().ok()?
        }
    };
    Some(rate.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
