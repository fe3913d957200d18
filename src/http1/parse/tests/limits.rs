//! Limits on the length of heads, exact to the byte.

use super::{SMALL, TOO_MANY_HEADERS, Verdict, request_verdict, response_verdict};
use crate::http1::{Limits, MAX_EMPTY_LINES, MAX_HEADERS};

#[test]
fn a_head_at_its_limits_is_accepted_and_one_byte_more_is_not() {
    // "GET " and " HTTP/1.1" are 13 bytes of the line, "X: " and CRLF five of the section.
    for (target, value, status) in
        [(19, 35, None), (20, 35, Some(414)), (19, 36, Some(431)), (20, 36, Some(414))]
    {
        let input = format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(target - 1), "b".repeat(value));
        let verdict = request_verdict(input.as_bytes(), &SMALL);
        let refused = match verdict {
            Verdict::Refused(error) => Some(error.status),
            _ => None,
        };
        assert_eq!(refused, status, "{target} {value} {verdict:?}");
        // Before it is complete, it is either waited for or refused for the same reason.
        for end in 0..input.len() {
            match request_verdict(&input.as_bytes()[..end], &SMALL) {
                Verdict::NeedMore => {}
                Verdict::Refused(error) => assert_eq!(Some(error.status), status, "{end}"),
                Verdict::Complete(_) => panic!("complete after {end} bytes"),
            }
        }
    }
}

#[test]
fn an_unfinished_head_is_refused_once_it_cannot_fit() {
    for (input, end, status) in [
        (format!("GET /{}", "a".repeat(100)), SMALL.initial_line + 1, 414),
        (format!("\r\nGET /{}", "a".repeat(100)), 2 + SMALL.initial_line + 1, 414),
        (format!("GET / HTTP/1.1\r\nX: {}", "b".repeat(100)), 16 + SMALL.headers + 1, 431),
        (format!("GET / HTTP/1.1\r\n{}", "X:y\r\n".repeat(20)), 16 + SMALL.headers + 1, 431),
    ] {
        assert_eq!(request_verdict(&input.as_bytes()[..end], &SMALL), Verdict::NeedMore, "{input}");
        let verdict = request_verdict(&input.as_bytes()[..=end], &SMALL);
        assert!(matches!(verdict, Verdict::Refused(error) if error.status == status), "{input}: {verdict:?}");
    }
}

#[test]
fn a_buffer_of_the_longest_head_is_never_full_of_an_unfinished_one() {
    for (line, headers) in [(SMALL.initial_line, SMALL.headers), (SMALL.initial_line, 0), (16, SMALL.headers)]
    {
        let mut input = b"\r\n".repeat(MAX_EMPTY_LINES);
        input.extend_from_slice(format!("GET /{} HTTP/1.1\r\n", "a".repeat(line - 14)).as_bytes());
        if headers > 0 {
            input.extend_from_slice(format!("X: {}\r\n", "b".repeat(headers - 5)).as_bytes());
        }
        input.extend_from_slice(b"\r\n");
        assert_eq!(request_verdict(&input, &SMALL), Verdict::Complete(input.len()));
        assert!(input.len() <= SMALL.longest_head());
    }
}

#[test]
fn header_lines_are_counted() {
    let limits = Limits::default();
    for (count, status) in [(MAX_HEADERS, None), (MAX_HEADERS + 1, Some(431))] {
        let lines = "X: y\r\n".repeat(count);
        for (verdict, len) in [
            (request_verdict(format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes(), &limits), 18 + lines.len()),
            (
                response_verdict(format!("HTTP/1.1 200 O\r\n{lines}\r\n").as_bytes(), &limits),
                18 + lines.len(),
            ),
        ] {
            match status {
                None => assert_eq!(verdict, Verdict::Complete(len)),
                Some(_) => assert_eq!(verdict, Verdict::Refused(TOO_MANY_HEADERS)),
            }
        }
    }
}
