use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::cell::Cell;

/// Decides as told, and counts how often it was asked.
struct Told {
    decision: Decision,
    asked: Cell<usize>,
}

impl Told {
    fn new(decision: Decision) -> Self {
        Self { decision, asked: Cell::new(0) }
    }
}

impl Decide for Told {
    fn decide(&self, _trace: TraceId) -> Decision {
        self.asked.set(self.asked.get() + 1);
        self.decision
    }

    fn picks(&self, rate: f64, _trace: TraceId) -> bool {
        rate >= 0.5
    }
}

fn id(value: u64) -> SpanId {
    SpanId::new(value).unwrap()
}

fn text(context: &TraceContext) -> Vec<u8> {
    let mut out = Vec::new();
    context.encode(&mut out);
    out
}

/// The header of a child context of trace 0xc with these flags.
fn header(flags: u64) -> Vec<u8> {
    text(&TraceContext::new(id(0xa), Some(id(0xb)), id(0xc).into(), wire_decision(flags), flags))
}

fn wire_decision(flags: u64) -> Decision {
    match flags & 6 {
        6 => Decision::Yes,
        2 => Decision::No,
        _ => Decision::Unknown,
    }
}

fn rng() -> SmallRng {
    SmallRng::seed_from_u64(5)
}

#[test]
fn a_header_with_a_zero_id_counts_as_absent() {
    for (span, parent, trace) in [(0_u64, 1, 1), (1, 1, 0), (0, 0, 0)] {
        let mut bytes = Vec::new();
        for word in [span, parent, trace, 6] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        assert!(TraceContext::decode(BASE64.encode(&bytes).as_bytes()).is_none());
    }
}

#[test]
fn a_header_cut_or_grown_anywhere_counts_as_absent() {
    let whole = header(6);
    for length in 0..whole.len() - 1 {
        assert!(TraceContext::decode(&whole[..length]).is_none(), "{length}");
    }
    assert!(TraceContext::decode(&whole[..43]).is_some_and(|context| context.is_sampled()));
    assert!(TraceContext::decode(&[whole.as_slice(), b"A"].concat()).is_none());
    assert!(TraceContext::decode(&[b'A'; 10_000]).is_none());
}

#[test]
fn a_decision_against_an_inherited_yes_goes_out_as_no() {
    let told = Told::new(Decision::Yes);
    let server = receive(Some(&header(6)), Some(b"0.0"), &told, &mut rng());
    assert_eq!(server.effective(), Decision::No);
    assert_eq!(send(&server, &told, &mut rng()).flags(), 2);
    assert_eq!(told.asked.get(), 0);
}

#[test]
fn the_debug_flag_wins_over_the_sample_header() {
    let server = receive(Some(&header(1)), Some(b"0"), &Told::new(Decision::No), &mut rng());
    assert!(server.is_sampled() && server.debug());
    assert_eq!(server.child(id(1)).flags(), 7);
}

#[test]
fn an_undecided_request_asks_again_for_each_attempt() {
    let told = Told::new(Decision::Unknown);
    let server = receive(None, None, &told, &mut rng());
    assert_eq!(send(&server, &told, &mut rng()).effective(), Decision::Unknown);
    assert_eq!(told.asked.get(), 2);
}

#[test]
fn a_root_is_its_own_trace_and_names_no_parent() {
    let root = receive(Some(b"AAAA"), Some(b"yes"), &Told::new(Decision::No), &mut rng());
    assert_eq!(root.trace, root.span.into());
    assert_eq!(root.parent, None);
    assert_eq!(TraceContext::decode(&text(&root)).unwrap().parent, None);
}

#[test]
fn sample_values_are_numbers_only() {
    let cases: &[(&str, Option<f64>)] = &[
        ("1", Some(1.0)),
        (" 0.25\t", Some(0.25)),
        ("1e-9", Some(1e-9)),
        ("0.5F", Some(0.5)),
        ("1d", Some(1.0)),
        ("-Infinity", Some(0.0)),
        ("+.5", Some(0.5)),
        ("1e999", Some(1.0)),
        ("NaN", None),
        ("inf", None),
        ("infinity", None),
        ("0x1p3", None),
        ("1ff", None),
        ("f", None),
        (".", None),
        ("--1", None),
        ("50%", None),
        ("1 1", None),
    ];
    for (value, expected) in cases {
        assert_eq!(parse_sample(value.as_bytes()), *expected, "{value:?}");
    }
    assert_eq!(parse_sample(b"\xff"), None);
}

#[test]
fn the_request_id_is_the_low_half_of_the_trace() {
    let trace = TraceId::parse(b"463ac35c9f6413ad48485a3953bb6124").unwrap();
    let context = TraceContext::new(id(1), None, trace, Decision::No, 0);
    let mut out = b"l5d-reqid: ".to_vec();
    context.encode_reqid(&mut out);
    assert_eq!(out, b"l5d-reqid: 48485a3953bb6124");
}

proptest! {
    #[test]
    fn a_context_survives_its_header(
        ids in (1_u64.., 1_u64.., 1_u64..),
        high in any::<Option<u64>>(),
        flags in any::<u64>(),
    ) {
        let trace = TraceId { high, low: NonZeroU64::new(ids.2).unwrap() };
        // A "sampled" bit without "known" is not written, so it is not part of what survives.
        let flags = if flags & 2 == 0 { flags & !4 } else { flags };
        let context = TraceContext::new(id(ids.0), Some(id(ids.1)), trace, wire_decision(flags), flags);
        let encoded = text(&context);
        prop_assert_eq!(encoded.len(), if high.is_some() { 56 } else { 44 });
        let back = TraceContext::decode(&encoded).unwrap();
        prop_assert_eq!((back.span, back.parent, back.trace), (context.span, context.parent.filter(|p| *p != context.span), trace));
        prop_assert_eq!(back.effective(), context.effective());
        prop_assert_eq!(back.flags(), context.flags());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
        let _ = (TraceContext::decode(&bytes), parse_sample(&bytes));
    }
}
