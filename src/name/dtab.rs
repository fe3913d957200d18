//! `Dtab`, the delegation table: rules that rewrite the start of a path to a name tree, and one step of
//! looking a path up in it. Reading one from text is `parse.rs`.

use super::path::Suffix;
use super::{NameTree, ParseError, Path, parse};
use std::fmt;
use std::sync::Arc;

/// A list of [`Dentry`]s, later ones taking precedence. Immutable; a clone shares the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dtab {
    dentries: Arc<[Dentry]>,
}

impl Dtab {
    /// Reads a dtab, e.g. `/p => /$/inet/127.1/8080 ; /svc => /p`. Blank text is the empty dtab.
    ///
    /// # Errors
    /// When `text` is not exactly one dtab.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::dtab(text)
    }

    /// The entries in written order.
    pub fn dentries(&self) -> &[Dentry] {
        &self.dentries
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.dentries.len()
    }

    /// Has it no entry?
    pub fn is_empty(&self) -> bool {
        self.dentries.is_empty()
    }

    /// All entries of this dtab and then all of `later`, which so take precedence.
    pub fn concat(&self, later: &Self) -> Self {
        match (self.is_empty(), later.is_empty()) {
            (_, true) => self.clone(),
            (true, false) => later.clone(),
            (false, false) => self.dentries.iter().chain(&*later.dentries).cloned().collect(),
        }
    }

    /// The entries that apply to `path`, the one with the highest precedence first.
    pub fn matches<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = Match<'a>> {
        self.dentries.iter().rev().filter_map(move |dentry| {
            dentry.prefix.strip(path).map(|suffix| Match { tree: &dentry.tree, suffix })
        })
    }

    /// One step of delegation: what `path` is rewritten to by all entries that apply to it.
    pub fn lookup(&self, path: &Path) -> NameTree<Path> {
        let mut trees: Vec<_> = self.matches(path).map(Match::to_tree).collect();
        match trees.pop() {
            None => NameTree::Neg,
            Some(only) if trees.is_empty() => only,
            Some(last) => {
                trees.push(last);
                NameTree::Alt(trees)
            }
        }
    }

    /// The form for human readers: one line `  prefix => tree` per entry, without a line end after the last.
    pub fn listing(&self) -> Listing<'_> {
        Listing { dentries: &self.dentries }
    }
}

impl FromIterator<Dentry> for Dtab {
    fn from_iter<I: IntoIterator<Item = Dentry>>(dentries: I) -> Self {
        Self { dentries: dentries.into_iter().collect() }
    }
}

/// Prints the canonical text, e.g. `/p=>/$/inet/127.1/8080;/svc=>/p`.
impl fmt::Display for Dtab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, dentry) in self.dentries.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ";" })?;
            dentry.fmt(f)?;
        }
        Ok(())
    }
}

/// See [`Dtab::listing`].
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    dentries: &'a [Dentry],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, dentry) in self.dentries.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            write!(f, "  {} => {}", dentry.prefix, dentry.tree)?;
        }
        Ok(())
    }
}

/// An entry that applies to a path, before any text is copied.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The entry's tree.
    pub tree: &'a NameTree<Path>,
    /// What is to be appended to every leaf of it.
    pub suffix: Suffix<'a>,
}

impl Match<'_> {
    /// The entry's tree with the suffix on every leaf.
    fn to_tree(self) -> NameTree<Path> {
        self.tree.map(&|leaf| leaf.with_suffix(self.suffix))
    }
}

/// One rule of a dtab: paths that start with `prefix` become `tree`, keeping what follows the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dentry {
    /// Which paths the rule applies to.
    pub prefix: Prefix,
    /// What takes the place of the prefix.
    pub tree: NameTree<Path>,
}

impl fmt::Display for Dentry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=>{}", self.prefix, self.tree)
    }
}

/// The left side of a rule: labels, of which some may be wildcards that stand for exactly one label each.
///
/// Kept as text like a [`Path`]; a wildcard is the bare `*`, which no canonical label contains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefix {
    text: Box<str>,
}

impl Prefix {
    /// The rest of `path` when its labels start with this prefix.
    pub fn strip<'p>(&self, path: &'p Path) -> Option<Suffix<'p>> {
        let mut rest = path.canonical();
        for wanted in self.text.split('/').skip(1) {
            let labels = rest.strip_prefix('/')?;
            let (label, _) = labels.split_at(labels.find('/').unwrap_or(labels.len()));
            if wanted != WILDCARD && wanted != label {
                return None;
            }
            (_, rest) = labels.split_at(label.len());
        }
        Some(Suffix::from_canonical(rest))
    }

    /// Number of labels, wildcards included.
    pub fn len(&self) -> usize {
        self.text.bytes().filter(|byte| *byte == b'/').count()
    }

    /// Has it no label, so that every path starts with it?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Builds a prefix from canonical text; see [`Path::from_canonical`].
    pub(super) fn from_canonical(text: String) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "/" } else { &self.text })
    }
}

/// How a wildcard is written.
pub(super) const WILDCARD: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn dtab(text: &str) -> Dtab {
        Dtab::parse(text).unwrap()
    }

    fn lookup(table: &str, path: &str) -> String {
        dtab(table).lookup(&Path::parse(path).unwrap()).to_string()
    }

    #[test]
    fn all_matching_entries_take_part_the_last_first() {
        assert_eq!(lookup("/a => /b ; /x => /y ; /a/c => /d | ~", "/a/c/e"), "(/d/e | ~) | /b/c/e");
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        for (path, tree) in [("/x/b/c", "/k/c"), ("/x/b", "/k"), ("/b", "~"), ("/x/y/b", "~"), ("/", "~")] {
            assert_eq!(lookup("/*/b => /k", path), tree, "{path}");
        }
    }

    #[test]
    fn a_wildcard_is_not_the_label_that_looks_like_one() {
        let star = Path::from_labels(["*"]);
        assert_eq!(dtab(r"/\x2a => /k").lookup(&star).to_string(), "/k");
        assert_eq!(lookup(r"/\x2a => /k", "/x"), "~");
        assert_eq!(dtab("/* => /k").lookup(&star).to_string(), "/k");
    }

    #[test]
    fn prefixes_match_whole_labels() {
        for (prefix, path, matches) in [
            ("/a", "/ab", false),
            ("/ab", "/a", false),
            ("/a/b", "/a", false),
            ("/", "/a", true),
            ("/", "/", true),
        ] {
            assert_eq!(lookup(&format!("{prefix} => $"), path) == "$", matches, "{prefix} {path}");
        }
    }

    #[test]
    fn concat_keeps_order_and_duplicates() {
        let left = dtab("/a => /b");
        assert_eq!(left.concat(&left).to_string(), "/a=>/b;/a=>/b");
        assert_eq!(left.concat(&Dtab::default()), left);
        assert_eq!(Dtab::default().concat(&left), left);
    }

    #[test]
    fn listing_has_a_line_for_each_entry_and_none_for_no_entry() {
        assert_eq!(
            dtab("/svc/x=>0.5*/p&/q;/a=>/b").listing().to_string(),
            "  /svc/x => 0.50*/p & /q\n  /a => /b"
        );
        assert_eq!(Dtab::default().listing().to_string(), "");
    }
}
