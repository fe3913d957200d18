//! `Path`, the name of a service or destination: a sequence of labels. Reading one from text is `parse.rs`.

use super::{ParseError, parse};
use std::borrow::Cow;
use std::fmt;

/// A sequence of labels such as `/svc/web`; a label is a non-empty byte string.
///
/// A path is kept as its canonical text, because a path is printed (into headers, spans, logs) far more often
/// than it is taken apart. The text of a label is injective (see [`Label`]), so equality, order of equality
/// and hash of the text are those of the labels. The empty path is the empty string, so joining paths is
/// joining strings.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    text: Box<str>,
}

impl Path {
    /// Reads a path, e.g. `/svc/web` or `/a\x20b`; surrounding whitespace and comments are skipped.
    ///
    /// # Errors
    /// When `text` is not exactly one path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::path(text)
    }

    /// The path of these labels. An empty label names nothing and is left out.
    pub fn from_labels<L: AsRef<[u8]>>(labels: impl IntoIterator<Item = L>) -> Self {
        let mut text = String::new();
        for label in labels {
            push_label(&mut text, label.as_ref());
        }
        Self { text: text.into() }
    }

    /// This path with one more label at its end; an empty label is left out.
    pub fn child(&self, label: &[u8]) -> Self {
        let mut text = String::with_capacity(self.text.len() + 1 + label.len());
        text.push_str(&self.text);
        push_label(&mut text, label);
        Self { text: text.into() }
    }

    /// This path followed by all labels of `other`.
    pub fn join(&self, other: &Self) -> Self {
        self.with_suffix(Suffix { text: &other.text })
    }

    /// This path followed by a suffix of another one.
    pub fn with_suffix(&self, suffix: Suffix<'_>) -> Self {
        let mut text = String::with_capacity(self.text.len() + suffix.text.len());
        text.push_str(&self.text);
        text.push_str(suffix.text);
        Self { text: text.into() }
    }

    /// The first `count` labels, or all of them when there are fewer.
    pub fn take(&self, count: usize) -> Self {
        let (head, _) = self.text.split_at(self.end_of(count));
        Self { text: head.into() }
    }

    /// What follows the first `count` labels.
    pub fn skip(&self, count: usize) -> Self {
        let (_, tail) = self.text.split_at(self.end_of(count));
        Self { text: tail.into() }
    }

    /// The labels in order.
    pub fn labels(&self) -> impl Iterator<Item = Label<'_>> {
        // "/a/b" splits into "", "a", "b" and the empty path into "".
        self.text.split('/').skip(1).map(|text| Label { text })
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.text.bytes().filter(|byte| *byte == b'/').count()
    }

    /// Is this the path without labels, `/`?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Do the labels of `prefix` come first in this path?
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.text.strip_prefix(&*prefix.text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The canonical text: showable labels as they are, any other label with all its bytes as `\xNN`.
    pub fn as_str(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }

    /// Builds a path from text that is canonical already: what [`push_label`] produced.
    pub(super) fn from_canonical(text: String) -> Self {
        Self { text: text.into() }
    }

    /// The canonical text, in which the empty path is the empty string.
    pub(super) fn canonical(&self) -> &str {
        &self.text
    }

    /// Where the text of the first `count` labels ends.
    fn end_of(&self, count: usize) -> usize {
        self.text.match_indices('/').nth(count).map_or(self.text.len(), |(at, _)| at)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// What was left of a path after a dentry's prefix; borrowed from that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffix<'p> {
    text: &'p str,
}

impl<'p> Suffix<'p> {
    pub(super) fn from_canonical(text: &'p str) -> Self {
        Self { text }
    }
}

/// One label of a path.
///
/// Its text is the label itself when all its bytes are showable, and otherwise `\xNN` for every byte. A
/// backslash is not showable, so no two labels share a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'p> {
    text: &'p str,
}

impl<'p> Label<'p> {
    /// The label as it is printed.
    pub fn as_str(self) -> &'p str {
        self.text
    }

    /// The label's bytes.
    pub fn to_bytes(self) -> Cow<'p, [u8]> {
        let text = self.text.as_bytes();
        if text.first() != Some(&b'\\') {
            return Cow::Borrowed(text);
        }
        let (escapes, _) = text.as_chunks::<4>();
        Cow::Owned(escapes.iter().map(|&[_, _, high, low]| hex_value(high) << 4 | hex_value(low)).collect())
    }
}

/// Appends `/` and the canonical text of `label`; nothing for an empty label.
pub(super) fn push_label(text: &mut String, label: &[u8]) {
    if label.is_empty() {
        return;
    }
    text.push('/');
    if label.iter().copied().all(is_showable) {
        text.extend(label.iter().copied().map(char::from));
        return;
    }
    text.reserve(label.len() * 4);
    for byte in label {
        text.push_str("\\x");
        text.push(hex_digit(byte >> 4));
        text.push(hex_digit(byte & 0x0f));
    }
}

/// Can this byte stand for itself in a label?
pub(super) fn is_showable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'#' | b'$' | b'%' | b'-')
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// The value of a lower-case hex digit; canonical text holds no others.
fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit.wrapping_sub(b'a').wrapping_add(10) & 0x0f }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn one_byte_that_is_not_showable_escapes_its_whole_label_and_no_other() {
        let path = Path::from_labels(["a", "b c", "d"]);
        assert_eq!(path.as_str(), r"/a/\x62\x20\x63/d");
        assert_eq!(
            path.labels().map(|l| l.to_bytes().into_owned()).collect::<Vec<_>>(),
            [&b"a"[..], b"b c", b"d"]
        );
    }

    #[test]
    fn empty_path_has_no_labels_and_prints_as_a_slash() {
        let empty = Path::default();
        assert_eq!((empty.len(), empty.labels().count(), empty.as_str()), (0, 0, "/"));
        assert_eq!(empty, path("/"));
        assert_eq!(empty, Path::from_labels([""]));
    }

    #[test]
    fn take_and_skip_split_at_any_label() {
        let whole = path("/a/b/c");
        for (count, head, tail) in
            [(0, "/", "/a/b/c"), (1, "/a", "/b/c"), (3, "/a/b/c", "/"), (9, "/a/b/c", "/")]
        {
            assert_eq!((whole.take(count), whole.skip(count)), (path(head), path(tail)), "{count}");
        }
    }

    #[test]
    fn prefixes_end_at_label_boundaries() {
        assert!(path("/a/b").starts_with(&path("/a")));
        assert!(path("/a/b").starts_with(&path("/")));
        assert!(path("/a/b").starts_with(&path("/a/b")));
        assert!(!path("/ab").starts_with(&path("/a")));
        assert!(!path("/a").starts_with(&path("/a/b")));
    }

    #[test]
    fn child_keeps_case_port_and_slashes_of_its_label() {
        assert_eq!(path("/svc").child(b"Web:8080").as_str(), "/svc/Web:8080");
        assert_eq!(path("/svc").child(b"a/b").len(), 2);
        assert_eq!(path("/svc").child(b""), path("/svc"));
    }

    proptest! {
        #[test]
        fn any_labels_come_back_from_the_printed_path(
            labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..8), 0..6)
        ) {
            let made = Path::from_labels(&labels);
            let parsed = path(made.as_str());
            prop_assert_eq!(&parsed, &made);
            prop_assert_eq!(parsed.len(), labels.len());
            let back: Vec<Vec<u8>> = parsed.labels().map(|label| label.to_bytes().into_owned()).collect();
            prop_assert_eq!(back, labels);
        }

        #[test]
        fn join_is_the_concatenation_of_labels(
            left in prop::collection::vec("[a-z /]{1,3}", 0..4), right in prop::collection::vec("[a-z /]{1,3}", 0..4)
        ) {
            let joined = Path::from_labels(&left).join(&Path::from_labels(&right));
            prop_assert_eq!(joined, Path::from_labels(left.iter().chain(&right)));
        }
    }
}
