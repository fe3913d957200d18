//! Properties of the parsers on arbitrary input, and on input cut at every byte.

use super::{SMALL, Verdict, request_verdict, response_verdict};
use crate::http1::Limits;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof, proptest};

/// Heads that are nearly right: valid pieces mixed with what attackers put between them.
fn nearly_a_head(first_line: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"Host: a\r\n"[..]),
        4 => Just(&b"X-A: b\r\n"[..]),
        2 => Just(&b"Content-Length: 3\r\n"[..]),
        2 => Just(&b"Transfer-Encoding: chunked\r\n"[..]),
        2 => Just(&b"Connection: x-a, close\r\n"[..]),
        2 => Just(&b"\r\n"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b" "[..]),
        1 => Just(&b":"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\xE9"[..]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(move |pieces| {
        let mut input = first_line.as_bytes().to_vec();
        pieces.iter().for_each(|piece| input.extend_from_slice(piece));
        input.extend_from_slice(b"\r\n\r\n");
        input
    })
}

/// Whatever the whole input says must not depend on how it was cut: every beginning either waits or agrees.
fn agrees_with_its_beginnings(input: &[u8], parse: fn(&[u8], &Limits) -> Verdict) -> bool {
    let whole = parse(input, &SMALL);
    (0..input.len()).all(|end| match (parse(&input[..end], &SMALL), whole) {
        (Verdict::NeedMore, Verdict::Complete(consumed)) => end < consumed,
        (Verdict::NeedMore, _) => true,
        (Verdict::Complete(early), Verdict::Complete(consumed)) => early == consumed && end >= consumed,
        (Verdict::Refused(_), Verdict::Refused(_)) => true,
        _ => false,
    })
}

proptest! {
    #[test]
    fn no_input_panics_or_consumes_more_than_there_is(input in any::<Vec<u8>>()) {
        for parse in [request_verdict, response_verdict] {
            if let Verdict::Complete(consumed) = parse(&input, &Limits::default()) {
                prop_assert!(consumed <= input.len());
            }
        }
    }

    #[test]
    fn the_verdict_on_a_request_does_not_depend_on_segmentation(input in nearly_a_head("GET /a HTTP/1.1\r\n")) {
        prop_assert!(agrees_with_its_beginnings(&input, request_verdict));
    }

    #[test]
    fn the_verdict_on_a_response_does_not_depend_on_segmentation(input in nearly_a_head("HTTP/1.1 200 OK\r\n")) {
        prop_assert!(agrees_with_its_beginnings(&input, response_verdict));
    }

    #[test]
    fn an_accepted_head_contains_no_lone_line_ends(input in nearly_a_head("GET /a HTTP/1.1\r\n")) {
        if let Verdict::Complete(consumed) = request_verdict(&input, &Limits::default()) {
            let text = String::from_utf8_lossy(&input[..consumed]).replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
        }
    }
}
