//! The tags and annotations of a span that is being recorded: two growing byte strings, reused from request to request.
//!
//! They are apart because spans of one place mostly repeat each other's tags, while the times of annotations never come
//! again: whoever reads spans can then tell by one comparison that the tags are those of the span before.
//!
//! Entries stand one after the other in the order of recording:
//!
//! ```text
//! tag          key (1 byte)    length (2)   value
//! annotation   note (1 byte)   time (8)
//! free text    0xff            time (8)     length (2)   text
//! ```

use super::tag::{Note, Tag};

/// Bytes of a tag's value or an annotation's text that are kept; what is longer is cut.
pub const MAX_VALUE_BYTES: usize = 4 * 1024;

/// Bytes of all entries of one span; what would not fit is left out.
pub const MAX_NOTES_BYTES: usize = 16 * 1024;

const FREE_TEXT: u8 = 0xff;

/// The tags and annotations of a span that is being recorded.
///
/// Recording never fails: values are cut at [`MAX_VALUE_BYTES`], entries beyond [`MAX_NOTES_BYTES`] are left out.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    tags: Vec<u8>,
    annotations: Vec<u8>,
}

impl Notes {
    /// Nothing recorded, nothing allocated.
    #[must_use]
    pub const fn new() -> Self {
        Self { tags: Vec::new(), annotations: Vec::new() }
    }

    /// Sets a tag. The last value of a key counts.
    // Inlined, a value of known length is stored instead of copied by a call.
    #[inline]
    pub fn tag(&mut self, key: Tag, value: &[u8]) {
        let value = cut(value);
        if self.has_room(3 + value.len()) {
            let [low, high] = length(value);
            push(&mut self.tags, [key.index(), low, high], value);
        }
    }

    /// Sets a tag to a number.
    pub fn tag_number(&mut self, key: Tag, value: u64) {
        let mut digits = [0; 20];
        self.tag(key, decimal(value, &mut digits));
    }

    /// Adds an annotation at `at_us` microseconds since the epoch.
    #[inline]
    pub fn annotate(&mut self, note: Note, at_us: u64) {
        if self.has_room(9) {
            push(&mut self.annotations, [note.index()], &at_us.to_le_bytes());
        }
    }

    /// Adds an annotation with a text of its own.
    pub fn annotate_text(&mut self, text: &[u8], at_us: u64) {
        let text = cut(text);
        if self.has_room(11 + text.len()) {
            push(&mut self.annotations, [FREE_TEXT], &at_us.to_le_bytes());
            push(&mut self.annotations, length(text), text);
        }
    }

    /// Forgets all entries and keeps the memory for the next span.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.annotations.clear();
    }

    /// Begins anew with the entries of `other`.
    pub fn begin_like(&mut self, other: &Self) {
        self.clear();
        self.tags.extend_from_slice(&other.tags);
        self.annotations.extend_from_slice(&other.annotations);
    }

    /// How much is tagged, to come back to with [`Notes::rewind`].
    #[must_use]
    pub fn tags_len(&self) -> usize {
        self.tags.len()
    }

    /// Forgets the tags that were set since [`Notes::tags_len`] was `length`, and all annotations.
    pub fn rewind(&mut self, length: usize) {
        self.tags.truncate(length);
        self.annotations.clear();
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all entries.
    pub(crate) fn len(&self) -> usize {
        self.tags.len() + self.annotations.len()
    }

    /// The tags as they go into a record.
    pub(crate) fn tag_bytes(&self) -> &[u8] {
        &self.tags
    }

    /// The annotations as they go into a record.
    pub(crate) fn annotation_bytes(&self) -> &[u8] {
        &self.annotations
    }

    fn has_room(&self, length: usize) -> bool {
        self.len() + length <= MAX_NOTES_BYTES
    }
}

// The lengths of values, and in a record that of all tags, are kept in two bytes.
const _: () = assert!(MAX_VALUE_BYTES <= MAX_NOTES_BYTES && MAX_NOTES_BYTES <= u16::MAX as usize);

/// The length of a text that was cut before, so that it fits.
fn length(text: &[u8]) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes()
}

/// Room is made once for both parts: the first is then a store and the second one copy.
#[inline]
fn push<const N: usize>(bytes: &mut Vec<u8>, fixed: [u8; N], text: &[u8]) {
    bytes.reserve(N + text.len());
    bytes.extend_from_slice(&fixed);
    bytes.extend_from_slice(text);
}

/// The tags in `bytes`, up to the first that is not whole.
pub(crate) fn tags(bytes: &[u8]) -> impl Iterator<Item = (Tag, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (key, after) = rest.split_first()?;
        let (value, after) = split_text(after)?;
        rest = after;
        Some((Tag::from_index(*key)?, value))
    })
}

/// The annotations in `bytes`, up to the first that is not whole: when (microseconds since the epoch) and what.
pub(crate) fn annotations(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (note, after) = rest.split_first()?;
        let (time, after) = after.split_first_chunk()?;
        let (text, after) = match *note {
            FREE_TEXT => split_text(after)?,
            note => (Note::from_index(note)?.text().as_bytes(), after),
        };
        rest = after;
        Some((u64::from_le_bytes(*time), text))
    })
}

fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// At most [`MAX_VALUE_BYTES`] of `text`, not ending inside a UTF-8 character.
#[inline]
fn cut(text: &[u8]) -> &[u8] {
    if text.len() <= MAX_VALUE_BYTES { text } else { cut_long(text) }
}

#[cold]
fn cut_long(text: &[u8]) -> &[u8] {
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

    fn tags_of(notes: &Notes) -> Vec<(Tag, &[u8])> {
        tags(notes.tag_bytes()).collect()
    }

    fn annotations_of(notes: &Notes) -> Vec<(u64, &[u8])> {
        annotations(notes.annotation_bytes()).collect()
    }

    #[test]
    fn entries_come_back_in_the_order_of_recording() {
        let mut notes = Notes::new();
        notes.tag(Tag::HttpUri, b"/a?b");
        notes.annotate(Note::WireSend, 17);
        notes.annotate_text(b"Client Receive Error: reset", 18);
        notes.tag_number(Tag::HttpRspStatus, 200);
        notes.annotate(Note::FinagleRetry, 16);
        assert_eq!(
            tags_of(&notes),
            [(Tag::HttpUri, b"/a?b".as_slice()), (Tag::HttpRspStatus, b"200".as_slice())]
        );
        let expected: [(u64, &[u8]); 3] =
            [(17, b"ws"), (18, b"Client Receive Error: reset"), (16, b"finagle.retry")];
        assert_eq!(annotations_of(&notes), expected);
    }

    #[test]
    fn a_long_value_is_cut_before_the_character_that_does_not_fit() {
        let mut notes = Notes::new();
        let text = format!("{}é", "a".repeat(MAX_VALUE_BYTES - 1));
        notes.tag(Tag::Error, text.as_bytes());
        notes.annotate_text(text.as_bytes(), 1);
        let expected = "a".repeat(MAX_VALUE_BYTES - 1);
        assert_eq!(tags_of(&notes), [(Tag::Error, expected.as_bytes())]);
        assert_eq!(annotations_of(&notes), [(1, expected.as_bytes())]);
    }

    #[test]
    fn entries_beyond_the_limit_are_left_out_and_smaller_ones_still_fit() {
        let mut notes = Notes::new();
        for at_us in 0..10 {
            notes.tag(Tag::Error, &[b'x'; MAX_VALUE_BYTES]);
            notes.annotate_text(&[b'x'; MAX_VALUE_BYTES / 2], at_us);
        }
        notes.annotate(Note::WireSend, 1);
        assert!(notes.len() <= MAX_NOTES_BYTES && notes.len() > MAX_NOTES_BYTES - MAX_VALUE_BYTES);
        assert_eq!(annotations_of(&notes).last(), Some(&(1, b"ws".as_slice())));
    }

    #[test]
    fn clearing_keeps_the_memory() {
        let mut notes = Notes::new();
        notes.tag(Tag::Error, b"reset");
        notes.annotate(Note::WireSend, 1);
        let capacities = (notes.tags.capacity(), notes.annotations.capacity());
        notes.clear();
        assert!(notes.is_empty());
        assert_eq!((notes.tags.capacity(), notes.annotations.capacity()), capacities);
    }

    #[test]
    fn rewinding_forgets_later_tags_and_every_annotation() {
        let mut notes = Notes::new();
        notes.tag(Tag::HttpUri, b"/");
        let length = notes.tags_len();
        notes.annotate(Note::WireSend, 1);
        notes.tag(Tag::Error, b"reset");
        notes.rewind(length);
        assert_eq!(tags_of(&notes), [(Tag::HttpUri, b"/".as_slice())]);
        assert_eq!(annotations_of(&notes), []);
    }

    #[test]
    fn notes_that_begin_like_others_forget_their_own() {
        let (mut notes, mut other) = (Notes::new(), Notes::new());
        notes.tag(Tag::Error, b"reset");
        notes.annotate(Note::WireSend, 1);
        other.tag(Tag::HttpUri, b"/");
        other.annotate(Note::WireReceive, 2);
        notes.begin_like(&other);
        assert_eq!(tags_of(&notes), [(Tag::HttpUri, b"/".as_slice())]);
        assert_eq!(annotations_of(&notes), [(2, b"wr".as_slice())]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(tags(&bytes).count() <= 100);
            prop_assert!(annotations(&bytes).count() <= 100);
        }

        #[test]
        fn decimal_digits_are_those_of_the_formatter(value in any::<u64>()) {
            let expected = value.to_string();
            let mut digits = [0; 20];
            prop_assert_eq!(decimal(value, &mut digits), expected.as_bytes());
        }
    }
}
