//! `ParseError`: where and why a text is not a path, a name tree or a dtab.

use std::fmt;

/// Why a text could not be read. Its `Display` is one line that shows the place inside the whole text:
/// `label char expected but end of input found at '/foo/bar/[]'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    expected: Expected,
    found: Option<char>,
    offset: usize,
    input: Box<str>,
}

impl ParseError {
    pub(super) fn new(expected: Expected, found: Option<char>, offset: usize, input: &str) -> Self {
        Self { expected, found, offset, input: input.into() }
    }

    /// Byte offset into the text of the character where reading stopped; the text's length when it ended too
    /// early.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The error without its context, for a reader who is shown the place by other means:
    /// `label char expected but end of input found`.
    pub fn problem(&self) -> String {
        match self.found {
            Some(found) => format!("{} expected but '{found}' found", self.expected),
            None => format!("{} expected but end of input found", self.expected),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, rest) = self.input.split_at_checked(self.offset).unwrap_or((&self.input, ""));
        let mut after = rest.chars();
        write!(f, "{} at '{before}[", self.problem())?;
        if let Some(at) = after.next() {
            write!(f, "{at}")?;
        }
        write!(f, "]{}'", after.as_str())
    }
}

impl std::error::Error for ParseError {}

/// What the grammar allows at the place of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Char(char),
    LabelChar,
    HexChar,
    NumberChar,
    Weight,
    SmallerWeight,
    Simple,
    FewerParentheses,
    End,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(wanted) => write!(f, "'{wanted}'"),
            Self::LabelChar => f.write_str("label char"),
            Self::HexChar => f.write_str("hex char"),
            Self::NumberChar => f.write_str("number char"),
            Self::Weight => f.write_str("weight"),
            Self::SmallerWeight => write!(f, "weight of at most {}", super::Weight::MAX),
            Self::Simple => f.write_str("simple"),
            Self::FewerParentheses => write!(f, "at most {} nested parentheses", super::MAX_PARENTHESES),
            Self::End => f.write_str("end of input"),
        }
    }
}
