//! The located tree: what TOML, YAML and JSON have in common, with the place of every key and value. The
//! parsers (`from_toml`, `from_yaml`) build it, the lowering walks it, and nothing else knows the languages.

use super::error::Problem;
use super::text::{Format, Text};
use super::{from_toml, from_yaml};

/// A parsed configuration.
#[derive(Debug)]
pub(super) struct Tree {
    /// The top level; a map unless the text says otherwise.
    pub(super) root: Node,
    /// Syntax errors and duplicate keys.
    pub(super) faults: Vec<Fault>,
    /// Some of the text could not be read: what is missing from the tree may well be in the text.
    pub(super) partial: bool,
}

/// A mistake at one place of the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// Byte offset in the text.
    pub(super) at: usize,
    /// The key as the user would say it; empty for a syntax error.
    pub(super) key: String,
    /// What is wrong.
    pub(super) problem: Problem,
}

impl Fault {
    /// A syntax error.
    pub(super) fn syntax(at: usize, message: impl Into<String>) -> Self {
        Self { at, key: String::new(), problem: Problem::Syntax(message.into()) }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Byte offset in the text; of a table in TOML, its header.
    pub(super) at: usize,
    /// Byte offset of a string's first character, after the quote. Of other values the same as `at`.
    pub(super) content: usize,
    /// The value.
    pub(super) value: Value,
}

/// One key of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The key, without quotes.
    pub(super) key: String,
    /// Where the key begins, a byte offset in the text.
    pub(super) at: usize,
    /// Its value.
    pub(super) node: Node,
}

/// The values that configuration languages know.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// YAML's and JSON's null: the same as not writing the key.
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    String(String),
    /// A date or time, which TOML has and no key wants.
    Date,
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// The text here has a syntax error, reported already: say nothing more about it.
    Broken,
}

impl Value {
    /// What a user calls such a value, for `expected an integer, found a string`.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a fraction",
            Self::String(_) => "a string",
            Self::Date => "a date or time",
            Self::List(_) => "a list",
            Self::Map(_) => "a table",
            Self::Broken => "a syntax error",
        }
    }
}

impl Tree {
    /// Reads `text` in the format it is written in. Never fails: what cannot be read is in `faults`.
    pub(super) fn parse(text: &Text) -> Self {
        match text.format() {
            Format::Toml => from_toml::parse(text.as_str()),
            Format::Yaml => from_yaml::parse(text.as_str()),
        }
    }

    /// A tree of which nothing could be read.
    pub(super) fn unreadable(fault: Fault) -> Self {
        Self { root: Node { at: 0, content: 0, value: Value::Broken }, faults: vec![fault], partial: true }
    }
}

/// Values in one file, far beyond any real one; bounds what building and walking the tree can cost.
pub(super) const MAX_NODES: usize = 20_000;

/// Lists and tables inside each other.
pub(super) const MAX_DEPTH: usize = 32;

/// The most mistakes that are reported in one run: more than anyone reads.
pub(super) const MAX_FAULTS: usize = 1_000;
