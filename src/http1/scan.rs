//! Spares a slow head from being parsed again at every byte. A parser that asks for more must see all bytes
//! again; fed one byte at a time it would look at a long head thousands of times over.

use super::Limits;

/// Bytes that may arrive without a line end before a head is looked at again, so that a limit is noticed soon.
const LOOK_EVERY: usize = 1024;

/// Remembers how much of an unfinished head has been parsed. One per head: start a new one for the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    parsed: usize,
}

impl HeadScan {
    /// A scan of a head of which nothing has been parsed.
    #[must_use]
    pub const fn new() -> Self {
        Self { parsed: 0 }
    }

    /// Whether `input`, the head so far, is worth another call of the parser: nothing was parsed yet, a line has
    /// ended since, much has arrived, or the head has grown as long as it may. Between two `true` answers the input may only grow.
    #[must_use]
    pub fn is_worth_parsing(&mut self, input: &[u8], limits: &Limits) -> bool {
        let new = input.get(self.parsed..).unwrap_or_default();
        let worth = !new.is_empty()
            && (self.parsed == 0
                || new.len() >= LOOK_EVERY
                || new.contains(&b'\n')
                || input.len() >= limits.longest_head());
        if worth {
            self.parsed = input.len();
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderSlots, Parsed, parse_request};
    use super::*;

    #[test]
    fn a_head_in_single_bytes_is_parsed_once_per_line() {
        let head = b"GET /a HTTP/1.1\r\nHost: t.example\r\nX-A: b\r\n\r\n";
        let limits = Limits::default();
        let mut scan = HeadScan::new();
        let parsed: Vec<usize> =
            (1..=head.len()).filter(|&end| scan.is_worth_parsing(&head[..end], &limits)).collect();
        assert_eq!(parsed, [1, 17, 34, 42, 44]);
    }

    #[test]
    fn a_line_without_end_is_refused_soon_after_its_limit() {
        let limits = Limits { initial_line: 100, headers: 50_000 };
        let input = vec![b'a'; 4 * LOOK_EVERY];
        let mut scan = HeadScan::new();
        let refused = (1..=input.len()).find(|&end| {
            scan.is_worth_parsing(&input[..end], &limits)
                && parse_request(&input[..end], &limits, &mut HeaderSlots::new()).is_err()
        });
        assert_eq!(refused, Some(1 + LOOK_EVERY));
    }

    #[test]
    fn a_full_buffer_never_waits_for_more() {
        let limits = Limits { initial_line: 40, headers: 30 };
        let mut input = b"\r\n\r\nGET / HTTP/1.1\r\nX: ".to_vec();
        input.resize(limits.longest_head(), b'x');
        let mut scan = HeadScan { parsed: input.len() - 1 };
        assert!(scan.is_worth_parsing(&input, &limits));
        let mut slots = HeaderSlots::new();
        assert!(!matches!(parse_request(&input, &limits, &mut slots), Ok(Parsed::NeedMore)));
    }

    #[test]
    fn nothing_new_is_not_worth_parsing() {
        let mut scan = HeadScan::new();
        assert!(!scan.is_worth_parsing(b"", &Limits::default()));
        assert!(scan.is_worth_parsing(b"GET", &Limits::default()));
        assert!(!scan.is_worth_parsing(b"GET", &Limits::default()));
    }
}
