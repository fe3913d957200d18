//! `NameTree`: alternatives and weighted splits over names of any kind; its reduction, evaluation and
//! printing. Reading one from text is `parse.rs`.

use super::{ParseError, Path, parse};
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

/// What a name stands for. `T` is a [`Path`] still to be looked up, or what was found for it.
///
/// The recursive functions of this type need stack in proportion to its nesting. That is bounded where trees
/// are made: by [`super::MAX_PARENTHESES`] in text and by the interpreter's limits in what it binds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameTree<T> {
    /// A destination.
    Leaf(T),
    /// The first that is not [`NameTree::Neg`].
    Alt(Vec<NameTree<T>>),
    /// Traffic split by weight.
    Union(Vec<Weighted<T>>),
    /// Nothing here: try the next alternate.
    Neg,
    /// Stop: no destination and no further alternate.
    Fail,
    /// A destination without replicas; found, so it also stops fallback.
    Empty,
}

/// A branch of a union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Weighted<T> {
    /// Its share of the traffic, relative to the other branches.
    pub weight: Weight,
    /// Where that share goes.
    pub tree: NameTree<T>,
}

impl NameTree<Path> {
    /// Reads a name tree, e.g. `0.9*/a & 0.1*/b | /c`.
    ///
    /// # Errors
    /// When `text` is not exactly one name tree.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::tree(text)
    }
}

impl<T> NameTree<T> {
    /// The same tree over other leaves.
    pub fn map<U>(&self, leaf: &impl Fn(&T) -> U) -> NameTree<U> {
        match self {
            Self::Leaf(value) => NameTree::Leaf(leaf(value)),
            Self::Alt(trees) => NameTree::Alt(trees.iter().map(|tree| tree.map(leaf)).collect()),
            Self::Union(branches) => NameTree::Union(
                branches.iter().map(|b| Weighted { weight: b.weight, tree: b.tree.map(leaf) }).collect(),
            ),
            Self::Neg => NameTree::Neg,
            Self::Fail => NameTree::Fail,
            Self::Empty => NameTree::Empty,
        }
    }

    /// Every leaf in written order, whether or not it can be reached.
    pub fn leaves(&self) -> Vec<&T> {
        let mut found = Vec::new();
        let mut waiting = vec![self];
        while let Some(tree) = waiting.pop() {
            match tree {
                Self::Leaf(value) => found.push(value),
                Self::Alt(trees) => waiting.extend(trees.iter().rev()),
                Self::Union(branches) => waiting.extend(branches.iter().rev().map(|branch| &branch.tree)),
                Self::Neg | Self::Fail | Self::Empty => {}
            }
        }
        found
    }

    /// An equivalent tree without branches that cannot matter.
    pub fn reduce(self) -> Self {
        match self {
            Self::Alt(trees) => {
                let mut kept = Vec::with_capacity(trees.len());
                for tree in trees {
                    match tree.reduce() {
                        Self::Neg => {}
                        Self::Fail => {
                            kept.push(Self::Fail);
                            break;
                        }
                        other => kept.push(other),
                    }
                }
                match kept.pop() {
                    None => Self::Neg,
                    Some(only) if kept.is_empty() => only,
                    Some(last) => {
                        kept.push(last);
                        Self::Alt(kept)
                    }
                }
            }
            Self::Union(branches) => Self::union_of_reduced(
                branches.into_iter().map(|b| Weighted { weight: b.weight, tree: b.tree.reduce() }).collect(),
            ),
            Self::Leaf(_) | Self::Neg | Self::Fail | Self::Empty => self,
        }
    }

    /// The reduced union of branches that are reduced themselves: those that cannot serve are left out, so
    /// that the others share their traffic, and a single branch stands for the union.
    pub fn union_of_reduced(mut branches: Vec<Weighted<T>>) -> Self {
        branches.retain(|branch| !matches!(branch.tree, Self::Neg | Self::Fail));
        match branches.pop() {
            None => Self::Neg,
            Some(only) if branches.is_empty() => only.tree,
            Some(last) => {
                branches.push(last);
                Self::Union(branches)
            }
        }
    }

    /// The leaves that can be reached when every leaf is a destination; `None` when there is none and nothing
    /// says that this is meant ([`NameTree::Empty`]).
    pub fn evaluate(&self) -> Option<BTreeSet<&T>>
    where
        T: Ord,
    {
        match self.outcome() {
            Outcome::Found(leaves) => Some(leaves),
            Outcome::Neg | Outcome::Fail => None,
        }
    }

    fn outcome(&self) -> Outcome<'_, T>
    where
        T: Ord,
    {
        match self {
            Self::Leaf(value) => Outcome::Found(BTreeSet::from([value])),
            Self::Empty => Outcome::Found(BTreeSet::new()),
            Self::Neg => Outcome::Neg,
            Self::Fail => Outcome::Fail,
            Self::Alt(trees) => trees
                .iter()
                .map(Self::outcome)
                .find(|outcome| !matches!(outcome, Outcome::Neg))
                .unwrap_or(Outcome::Neg),
            Self::Union(branches) => branches
                .iter()
                .filter_map(|branch| match branch.tree.outcome() {
                    Outcome::Found(leaves) => Some(leaves),
                    Outcome::Neg | Outcome::Fail => None,
                })
                .reduce(|mut all, leaves| {
                    all.extend(leaves);
                    all
                })
                .map_or(Outcome::Neg, Outcome::Found),
        }
    }
}

enum Outcome<'t, T> {
    Found(BTreeSet<&'t T>),
    Neg,
    Fail,
}

/// Prints the canonical text, which parses to the same tree but for weights with more than two decimals.
impl<T: fmt::Display> fmt::Display for NameTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unwrapped() {
            Self::Leaf(value) => value.fmt(f),
            Self::Alt(trees) => {
                for (index, tree) in trees.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " | " })?;
                    match tree.unwrapped() {
                        inner @ Self::Alt(_) => write!(f, "({inner})")?,
                        inner => inner.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::Union(branches) => {
                for (index, branch) in branches.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " & " })?;
                    if branch.weight != Weight::ONE {
                        write!(f, "{}*", branch.weight)?;
                    }
                    match branch.tree.unwrapped() {
                        inner @ (Self::Alt(_) | Self::Union(_)) => write!(f, "({inner})")?,
                        inner => inner.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::Neg => f.write_str("~"),
            Self::Fail => f.write_str("!"),
            Self::Empty => f.write_str("$"),
        }
    }
}

impl<T> NameTree<T> {
    /// The tree that is printed for this one: alts and unions of one branch print as that branch, of none as
    /// neg.
    fn unwrapped(&self) -> &Self {
        let mut tree = self;
        loop {
            tree = match tree {
                Self::Alt(trees) => match trees.as_slice() {
                    [] => &Self::Neg,
                    [only] => only,
                    _ => return tree,
                },
                Self::Union(branches) => match branches.as_slice() {
                    [] => &Self::Neg,
                    [only] => &only.tree,
                    _ => return tree,
                },
                _ => return tree,
            }
        }
    }
}

/// The weight of a union's branch: finite, not negative, at most [`Weight::MAX`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight(f64);

impl Weight {
    /// The weight of a branch that states none.
    pub const ONE: Self = Self(1.0);

    /// The largest weight. Far beyond what a split needs, and small enough that sums of weights stay exact
    /// enough and that hundredths fit an integer when a weight is printed.
    pub const MAX: u64 = 1_000_000_000_000;

    /// The weight of this value; `None` when it is not a number, negative or above [`Weight::MAX`].
    pub fn new(value: f64) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "the constant is below 2^53")]
        let fits = (0.0..=Self::MAX as f64).contains(&value);
        // `-0.0` passes the test above; `abs` makes it 0.0, so that equal weights have equal bits.
        fits.then(|| Self(value.abs()))
    }

    /// The plain number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Eq for Weight {}

impl Hash for Weight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Prints two decimals, rounding half up on the shortest decimal form of the weight (0.125 prints as 0.13):
/// what `l5d-ctx-dtab` carries has to be the same whoever printed it.
impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = self.0.to_string();
        let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
        let mut decimals =
            fraction.bytes().chain(std::iter::repeat(b'0')).map(|digit| u64::from(digit - b'0'));
        let mut decimal = || decimals.next().unwrap_or(0);
        let whole: u64 = whole.parse().unwrap_or(Self::MAX);
        let hundredths = whole * 100 + decimal() * 10 + decimal() + u64::from(decimal() >= 5);
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> NameTree<Path> {
        NameTree::parse(text).unwrap()
    }

    #[test]
    fn weights_print_two_decimals_rounded_half_up_on_their_shortest_form() {
        for (weight, printed) in [
            (0.0, "0.00"),
            (0.125, "0.13"),
            (0.333, "0.33"),
            (0.005, "0.01"),
            (0.004_999, "0.00"),
            (0.999, "1.00"),
            (1.005, "1.01"),
            (19.995, "20.00"),
            (2.0, "2.00"),
            (1e12, "1000000000000.00"),
        ] {
            assert_eq!(Weight::new(weight).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn weights_are_numbers_between_zero_and_the_limit() {
        for refused in [-1.0, f64::NAN, f64::INFINITY, 1e12 + 1.0] {
            assert_eq!(Weight::new(refused), None, "{refused}");
        }
        let bits = |weight: Weight| weight.value().to_bits();
        assert_eq!(bits(Weight::new(-0.0).unwrap()), bits(Weight::new(0.0).unwrap()));
    }

    #[test]
    fn parentheses_are_printed_only_where_they_are_needed() {
        for text in [
            "/a & /b | /c",
            "(/a | /b) & /c",
            "/a | (/b | /c)",
            "(/a & /b) & /c",
            "2.00*(/a & /b) & (/c | (~ | !))",
        ] {
            assert_eq!(tree(text).to_string(), text);
        }
        assert_eq!(tree("((/a)) | (/b & (/c))").to_string(), "/a | /b & /c");
    }

    #[test]
    fn alts_and_unions_of_fewer_than_two_branches_print_as_what_they_mean() {
        let alt = NameTree::<Path>::Alt;
        let union = |tree| NameTree::Union(vec![Weighted { weight: Weight::new(0.5).unwrap(), tree }]);
        assert_eq!(alt(vec![]).to_string(), "~");
        assert_eq!(NameTree::<Path>::Union(vec![]).to_string(), "~");
        assert_eq!(alt(vec![tree("/a"), union(tree("/b | /c"))]).to_string(), "/a | (/b | /c)");
        assert_eq!(union(union(tree("/a"))).to_string(), "/a");
    }

    #[test]
    fn evaluation_falls_through_neg_only() {
        for (text, found) in [
            ("~ | /a", Some(vec!["/a"])),
            ("$ | /a", Some(vec![])),
            ("! | /a", None),
            ("(! & !) | /a", Some(vec!["/a"])),
            ("/b & /a & ~ & /b", Some(vec!["/a", "/b"])),
        ] {
            let tree = tree(text);
            let leaves =
                tree.evaluate().map(|leaves| leaves.into_iter().map(Path::as_str).collect::<Vec<_>>());
            assert_eq!(leaves, found, "{text}");
        }
    }

    #[test]
    fn leaves_come_in_written_order() {
        let tree = tree("/a & (/b | ~ | /a) | ! | /c");
        assert_eq!(tree.leaves().into_iter().map(Path::as_str).collect::<Vec<_>>(), ["/a", "/b", "/a", "/c"]);
    }
}
