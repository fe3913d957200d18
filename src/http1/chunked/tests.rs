//! Bodies in, payload and trailers out; every body also cut at every byte.

use super::super::trailers;
use super::*;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

/// What a relay gets out of a body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    payload: Vec<u8>,
    trailers: Vec<u8>,
    /// Bytes of the input that belong to the body.
    consumed: usize,
}

/// Decodes `input`, which arrives in pieces that end at `cuts`; `None` when the body does not end in it.
fn decode(input: &[u8], cuts: &[usize]) -> Result<Option<Decoded>, BodyError> {
    let mut decoder = ChunkedDecoder::new();
    let mut decoded = Decoded::default();
    for &end in cuts.iter().chain(&[input.len()]) {
        loop {
            let at = decoded.consumed;
            match decoder.step(&input[at..end])? {
                Step::Data { skip, len } => {
                    assert!(len > 0 && at + skip + len <= end);
                    decoded.payload.extend_from_slice(&input[at + skip..at + skip + len]);
                    decoded.consumed += skip + len;
                }
                Step::NeedMore { consumed } => {
                    assert!(at + consumed <= end);
                    decoded.consumed += consumed;
                    break;
                }
                Step::End { consumed, trailers } => {
                    assert!(trailers.end <= consumed && at + consumed <= end);
                    decoded.trailers.extend_from_slice(&input[at..][trailers]);
                    decoded.consumed += consumed;
                    assert!(decoder.is_done());
                    return Ok(Some(decoded));
                }
            }
        }
        assert!(!decoder.is_done());
    }
    Ok(None)
}

/// Decodes `input` whole, cut in two at every byte, and byte by byte; all must agree.
fn decode_every_way(input: &[u8]) -> Result<Option<Decoded>, BodyError> {
    let whole = decode(input, &[]);
    for cut in 0..=input.len() {
        assert_eq!(decode(input, &[cut]), whole, "{:?} cut at {cut}", String::from_utf8_lossy(input));
    }
    let every: Vec<usize> = (0..=input.len()).collect();
    assert_eq!(decode(input, &every), whole, "{:?} byte by byte", String::from_utf8_lossy(input));
    whole
}

#[test]
fn valid_bodies_give_their_payload_and_trailers() {
    for (input, payload, trailers) in [
        ("0\r\n\r\n", "", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
        ("000A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", ""),
        ("5\r\nhello\r\n00000\r\n\r\n", "hello", ""),
        ("0000000000000001\r\nx\r\n0\r\n\r\n", "x", ""),
        ("5;name=value;q=\"x y\"\r\nhello\r\n0;end\r\n\r\n", "hello", ""),
        ("5 \t; a\r\nhello\r\n0\r\n\r\n", "hello", ""),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", ""),
        ("1\r\nx\r\n0\r\nX-Sum: 1\r\nX-T:\r\n\r\n", "x", "X-Sum: 1\r\nX-T:\r\n"),
    ] {
        let rest = "GET /next";
        let decoded = decode_every_way(format!("{input}{rest}").as_bytes()).unwrap().unwrap();
        assert_eq!(decoded.payload, payload.as_bytes(), "{input:?}");
        assert_eq!(decoded.trailers, trailers.as_bytes(), "{input:?}");
        assert_eq!(decoded.consumed, input.len(), "{input:?}");
    }
}

#[test]
fn a_body_that_is_cut_short_never_ends() {
    let input = b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: v\r\n\r\n";
    for end in 0..input.len() {
        assert_eq!(decode_every_way(&input[..end]), Ok(None), "{end}");
    }
}

#[test]
fn malformed_bodies_are_refused() {
    for (input, error, why) in [
        ("\r\n\r\n", BodyError::ChunkSize, "an empty line is not a zero"),
        ("0x5\r\nhello\r\n", BodyError::ChunkSize, "0x"),
        ("+5\r\nhello\r\n", BodyError::ChunkSize, "plus sign"),
        ("-1\r\n", BodyError::ChunkSize, "minus sign"),
        (" 5\r\nhello\r\n", BodyError::ChunkSize, "leading blank"),
        (";a\r\n", BodyError::ChunkSize, "extension without size"),
        ("5_0\r\n", BodyError::ChunkSize, "separator"),
        ("g\r\n", BodyError::ChunkSize, "not hexadecimal"),
        ("5\nhello\r\n", BodyError::ChunkSize, "bare LF after the size"),
        ("5\rhello\r\n", BodyError::LineEnd, "bare CR after the size"),
        ("5\r\r\nhello", BodyError::LineEnd, "two CRs after the size"),
        ("FFFFFFFFFFFFFFFFF\r\nhello", BodyError::ChunkSizeTooLarge, "68 bits"),
        ("10000000000000000\r\n", BodyError::ChunkSizeTooLarge, "2^64"),
        ("00000000000000005\r\nhello", BodyError::ChunkSizeTooLarge, "more digits than needed"),
        ("5 \r\nhello\r\n", BodyError::Extension, "blank and no extension"),
        ("5 5\r\nhello\r\n", BodyError::Extension, "two sizes"),
        ("5;a\nhello\r\n0\r\n\r\n", BodyError::Extension, "bare LF in an extension"),
        ("5;a\rb\r\nhello\r\n", BodyError::LineEnd, "bare CR in an extension"),
        ("5;\u{0}\r\nhello\r\n", BodyError::Extension, "NUL in an extension"),
        ("3\r\nhello\r\n0\r\n\r\n", BodyError::LineEnd, "more payload than announced"),
        ("7\r\nhello\r\n0\r\n\r\n", BodyError::LineEnd, "less payload than announced"),
        ("5\r\nhello\n0\r\n\r\n", BodyError::LineEnd, "bare LF after payload"),
        ("5\r\nhello\r0\r\n\r\n", BodyError::LineEnd, "bare CR after payload"),
        ("5\r\nhello0\r\n\r\n", BodyError::LineEnd, "no line end after payload"),
        ("0\r\n\n", BodyError::Trailer, "bare LF at the end"),
        ("0\r\nX: y\n\r\n", BodyError::Trailer, "bare LF after a trailer"),
        ("0\r\nX: y\r\n\n", BodyError::Trailer, "bare LF after trailers"),
        ("0\r\nX: a\rb\r\n\r\n", BodyError::Trailer, "bare CR in a trailer"),
        ("0\r\nX : y\r\n\r\n", BodyError::Trailer, "blank before the colon"),
        ("0\r\nX: y\r\n z\r\n\r\n", BodyError::Trailer, "folded trailer"),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", BodyError::Trailer, "a request where trailers belong"),
        ("0\r\nX: \u{0}\r\n\r\n", BodyError::Trailer, "NUL in a trailer"),
        ("0\r\n\r\r\n", BodyError::Trailer, "two CRs at the end"),
    ] {
        assert_eq!(decode_every_way(input.as_bytes()), Err(error), "{why}");
    }
}

#[test]
fn a_huge_chunk_is_streamed() {
    let mut decoder = ChunkedDecoder::new();
    let step = decoder.step(b"ffffffffffffffff\r\nabc");
    assert_eq!(step, Ok(Step::Data { skip: 18, len: 3 }));
    assert_eq!(decoder.step(b"\r\n0\r\n\r\n"), Ok(Step::Data { skip: 0, len: 7 }));
    assert_eq!(decoder.step(b""), Ok(Step::NeedMore { consumed: 0 }));
}

#[test]
fn extensions_of_all_chunks_count_together() {
    let allowed = usize::from(MAX_EXTENSION_BYTES);
    let one = format!("1;{}\r\nx\r\n", "e".repeat(allowed / 4 - 1));
    assert!(decode(format!("{}0\r\n\r\n", one.repeat(4)).as_bytes(), &[]).unwrap().is_some());
    let error = decode(format!("{}0;\r\n\r\n", one.repeat(4)).as_bytes(), &[]).unwrap_err();
    assert_eq!(error, BodyError::ExtensionsTooLong);
    let blanks = format!("1{}", " ".repeat(allowed + 1));
    assert_eq!(decode(blanks.as_bytes(), &[]), Err(BodyError::ExtensionsTooLong));
}

#[test]
fn trailers_are_limited_whether_or_not_their_line_ends() {
    let allowed = usize::from(MAX_TRAILER_BYTES);
    let fits = format!("X: {}\r\n", "y".repeat(allowed - 5));
    assert_eq!(decode(format!("0\r\n{fits}\r\n").as_bytes(), &[]).unwrap().unwrap().trailers.len(), allowed);
    let long = format!("X: {}\r\n", "y".repeat(allowed - 4));
    assert_eq!(decode(format!("0\r\n{long}\r\n").as_bytes(), &[]), Err(BodyError::TrailersTooLong));
    let endless = format!("0\r\nX: {}", "y".repeat(allowed));
    assert_eq!(decode(endless.as_bytes(), &[]), Err(BodyError::TrailersTooLong));
    let lines = "X: y\r\n".repeat(allowed / 6 + 1);
    assert_eq!(decode(format!("0\r\n{lines}\r\n").as_bytes(), &[]), Err(BodyError::TrailersTooLong));
}

#[test]
fn an_unfinished_trailer_section_fits_the_buffer_that_is_asked_for() {
    let section = format!("X: {}\r\n\r", "y".repeat(usize::from(MAX_TRAILER_BYTES) - 5));
    let mut decoder = ChunkedDecoder::new();
    let step = decoder.step(format!("0\r\n{section}").as_bytes());
    assert_eq!(step, Ok(Step::NeedMore { consumed: 3 }));
    assert!(section.len() < usize::from(MAX_TRAILER_BYTES) + 4);
    let whole = format!("{section}\n");
    assert!(matches!(decoder.step(whole.as_bytes()), Ok(Step::End { .. })));
}

#[test]
fn nothing_is_consumed_behind_the_end() {
    let mut decoder = ChunkedDecoder::new();
    assert_eq!(decoder.step(b"0\r\n\r\n0\r\n"), Ok(Step::End { consumed: 5, trailers: 3..3 }));
    assert_eq!(decoder.step(b"0\r\n\r\n"), Ok(Step::End { consumed: 0, trailers: 0..0 }));
}

#[test]
fn a_decoder_is_small() {
    assert!(size_of::<ChunkedDecoder>() <= 16);
}

proptest! {
    #[test]
    fn encoded_chunks_decode_to_the_same_bytes_however_they_are_cut(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        extension in "(;[a-z]{0,3})?",
        fields in prop::collection::vec("X-[a-z]{1,5}: [a-z ]{0,5}z", 0..3),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut input = Vec::new();
        for chunk in &chunks {
            input.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
            input.extend_from_slice(chunk);
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b"0\r\n");
        for field in &fields {
            input.extend_from_slice(format!("{field}\r\n").as_bytes());
        }
        input.extend_from_slice(b"\r\n");
        let mut at: Vec<usize> = cuts.drain(..).map(|cut| cut.index(input.len() + 1)).collect();
        at.sort_unstable();
        let decoded = decode(&input, &at).unwrap().unwrap();
        prop_assert_eq!(decoded.payload, chunks.concat());
        prop_assert_eq!(decoded.consumed, input.len());
        prop_assert_eq!(trailers(&decoded.trailers).count(), fields.len());
    }

    #[test]
    fn no_input_panics_and_no_verdict_depends_on_segmentation(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "0", "1", "5", "a", "\r\n", "\r", "\n", ";", " ", "x", "hello", "X: y", ":", "\0",
        ]), 0..16),
        noise in any::<Vec<u8>>(),
    ) {
        let _ = decode_every_way(&noise);
        if let Ok(Some(decoded)) = decode_every_way(pieces.concat().as_bytes()) {
            prop_assert!(decoded.consumed <= pieces.concat().len());
        }
    }
}
