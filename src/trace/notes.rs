//! The tags and annotations of a span that is being recorded: one growing byte string, reused from request to request.
//!
//! Entries stand one after the other in the order of recording:
//!
//! ```text
//! tag          key (below 0x80)      length (2 bytes)   value
//! annotation   0x80 + note           time (8 bytes)
//! free text    0xff                  time (8 bytes)     length (2 bytes)   text
//! ```

use super::tag::{Note, Tag};

/// Bytes of a tag's value or an annotation's text that are kept; what is longer is cut.
pub const MAX_VALUE_BYTES: usize = 4 * 1024;

/// Bytes of all entries of one span; what would not fit is left out.
pub const MAX_NOTES_BYTES: usize = 16 * 1024;

const ANNOTATION: u8 = 0x80;
const FREE_TEXT: u8 = 0xff;

/// The tags and annotations of a span that is being recorded.
///
/// Recording never fails: values are cut at [`MAX_VALUE_BYTES`], entries beyond [`MAX_NOTES_BYTES`] are left out.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    bytes: Vec<u8>,
}

/// One recorded entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A tag and its value.
    Tag(Tag, &'a [u8]),
    /// An annotation: when (microseconds since the epoch) and what.
    Annotation(u64, &'a [u8]),
}

impl Notes {
    /// Nothing recorded, nothing allocated.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Sets a tag. The last value of a key counts.
    pub fn tag(&mut self, key: Tag, value: &[u8]) {
        let value = cut(value);
        if self.has_room(3 + value.len()) {
            self.bytes.push(key.index());
            self.push_text(value);
        }
    }

    /// Sets a tag to a number.
    pub fn tag_number(&mut self, key: Tag, value: u64) {
        let mut digits = [0; 20];
        self.tag(key, decimal(value, &mut digits));
    }

    /// Adds an annotation at `at_us` microseconds since the epoch.
    pub fn annotate(&mut self, note: Note, at_us: u64) {
        if self.has_room(9) {
            self.bytes.push(ANNOTATION | note.index());
            self.bytes.extend_from_slice(&at_us.to_le_bytes());
        }
    }

    /// Adds an annotation with a text of its own.
    pub fn annotate_text(&mut self, text: &[u8], at_us: u64) {
        let text = cut(text);
        if self.has_room(11 + text.len()) {
            self.bytes.push(FREE_TEXT);
            self.bytes.extend_from_slice(&at_us.to_le_bytes());
            self.push_text(text);
        }
    }

    /// Forgets all entries and keeps the memory for the next span.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// How much is recorded, to come back to with [`Notes::truncate`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets what was recorded since [`Notes::len`] was `length`.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The entries as they go into a record.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn has_room(&self, length: usize) -> bool {
        self.bytes.len() + length <= MAX_NOTES_BYTES
    }

    /// Appends a text that was cut before, so that its length fits.
    fn push_text(&mut self, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text);
    }
}

const _: () = assert!(MAX_VALUE_BYTES <= u16::MAX as usize);

/// The entries in `bytes`, up to the first that is not whole.
pub(crate) fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first()?;
        let (entry, after) = if *kind < ANNOTATION {
            let (value, after) = split_text(after)?;
            (Entry::Tag(Tag::from_index(*kind)?, value), after)
        } else {
            let (time, after) = after.split_first_chunk()?;
            let (text, after) = match *kind {
                FREE_TEXT => split_text(after)?,
                note => (Note::from_index(note & !ANNOTATION)?.text().as_bytes(), after),
            };
            (Entry::Annotation(u64::from_le_bytes(*time), text), after)
        };
        rest = after;
        Some(entry)
    })
}

fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// At most [`MAX_VALUE_BYTES`] of `text`, not ending inside a UTF-8 character.
fn cut(text: &[u8]) -> &[u8] {
    let Some((kept, rest)) = text.split_at_checked(MAX_VALUE_BYTES) else { return text };
    let continues = |byte: &u8| byte & 0xc0 == 0x80;
    if !rest.first().is_some_and(continues) {
        return kept;
    }
    // The last character is split: its lead byte is the last byte that is not a continuation.
    let lead = kept.iter().rposition(|byte| !continues(byte)).unwrap_or(kept.len());
    kept.get(..lead).unwrap_or(kept)
}

/// The decimal digits of `value`, at the end of `digits`.
pub(crate) fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        let remainder = (value % 10) as u8;
        *digit = b'0' + remainder;
        start = at;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_come_back_in_the_order_of_recording() {
        let mut notes = Notes::new();
        notes.tag(Tag::HttpUri, b"/a?b");
        notes.annotate(Note::WireSend, 17);
        notes.annotate_text(b"Client Receive Error: reset", 18);
        notes.tag_number(Tag::HttpRspStatus, 200);
        let found: Vec<_> = entries(notes.bytes()).collect();
        let expected = [
            Entry::Tag(Tag::HttpUri, b"/a?b"),
            Entry::Annotation(17, b"ws"),
            Entry::Annotation(18, b"Client Receive Error: reset"),
            Entry::Tag(Tag::HttpRspStatus, b"200"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_value_is_cut_before_the_character_that_does_not_fit() {
        let mut notes = Notes::new();
        let text = format!("{}é", "a".repeat(MAX_VALUE_BYTES - 1));
        notes.tag(Tag::Error, text.as_bytes());
        let expected = "a".repeat(MAX_VALUE_BYTES - 1);
        assert_eq!(entries(notes.bytes()).collect::<Vec<_>>(), [Entry::Tag(Tag::Error, expected.as_bytes())]);
    }

    #[test]
    fn entries_beyond_the_limit_are_left_out_and_smaller_ones_still_fit() {
        let mut notes = Notes::new();
        for _ in 0..10 {
            notes.tag(Tag::Error, &[b'x'; MAX_VALUE_BYTES]);
        }
        notes.annotate(Note::WireSend, 1);
        assert!(notes.bytes().len() <= MAX_NOTES_BYTES);
        assert_eq!(entries(notes.bytes()).last(), Some(Entry::Annotation(1, b"ws")));
    }

    #[test]
    fn clearing_keeps_the_memory() {
        let mut notes = Notes::new();
        notes.tag(Tag::Error, b"reset");
        let capacity = notes.bytes.capacity();
        notes.clear();
        assert!(notes.is_empty());
        assert_eq!(notes.bytes.capacity(), capacity);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            assert!(entries(&bytes).count() <= 100);
        }

        #[test]
        fn decimal_digits_are_those_of_the_formatter(value in any::<u64>()) {
            let expected = value.to_string();
            let mut digits = [0; 20];
            prop_assert_eq!(decimal(value, &mut digits), expected.as_bytes());
        }
    }
}
