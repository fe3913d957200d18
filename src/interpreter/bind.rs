//! Binding: delegates a path through a dtab and the namers until only bound names are left. Runs on a cache
//! miss; `cache.rs` keeps what it finds.
//!
//! Whoever can choose a name (any `Host` header) or a dtab (an override) chooses how much work this is, so
//! besides the depth of Linkerd's recursion everything that can grow has a limit ([`BindLimits`]): work,
//! stack and result.

use crate::name::{Bound, Dtab, Match, NameTree, Path, Weighted};
use crate::namer::{Answer, Name, NamerError};

/// Delegates `path` with the default limits. The tree that comes back is reduced and holds no alts.
///
/// `namer` is asked about every path that no entry of `dtab` applies to.
///
/// # Errors
/// When there is no answer, which differs from the answers that there is nothing (neg, fail, empty).
pub fn bind(dtab: &Dtab, path: &Path, namer: impl Fn(&Path) -> Answer) -> Result<NameTree<Bound>, BindError> {
    bind_within(&BindLimits::default(), dtab, path, namer)
}

/// Delegates `path` like [`bind`], with limits of the caller's choice.
///
/// # Errors
/// As [`bind`].
pub fn bind_within(
    limits: &BindLimits,
    dtab: &Dtab,
    path: &Path,
    namer: impl Fn(&Path) -> Answer,
) -> Result<NameTree<Bound>, BindError> {
    let mut walk = Walk { limits, dtab, namer: &namer, steps: 0, tree_bytes: 0 };
    walk.path(Place::default(), path)
}

/// How far binding one name may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindLimits {
    /// Lookups in a row, the one that a namer answers included. Linkerd's is 100.
    pub depth: usize,
    /// Trees inside trees, over all lookups in a row; bounds the stack. A name that is delegated 100 times
    /// through five nested alts and unions each time stays within the default.
    pub nesting: usize,
    /// Work for one name: nodes visited, dtab entries compared and text copied. The default's million steps
    /// measured 10 to 16 ms, and are enough for a hundred lookups in a table of almost ten thousand entries.
    pub steps: usize,
    /// Memory that the bound tree may take: its branches and the text of its names.
    pub tree_bytes: usize,
}

impl Default for BindLimits {
    fn default() -> Self {
        Self { depth: 100, nesting: 500, steps: 1_000_000, tree_bytes: 256 * 1024 }
    }
}

/// Why a name could not be bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// More lookups in a row than allowed; most likely the dtab leads in a circle.
    #[error("Max recursion level: {limit} reached in Namer lookup")]
    TooDeep {
        /// [`BindLimits::depth`].
        limit: usize,
    },
    /// A namer has no answer.
    #[error(transparent)]
    Namer(#[from] NamerError),
    /// Trees nest too deep.
    #[error("Max nesting of name trees: {limit} reached in Namer lookup")]
    TooNested {
        /// [`BindLimits::nesting`].
        limit: usize,
    },
    /// Too much work; most likely unions that lead to unions.
    #[error("Max number of steps: {limit} reached in Namer lookup")]
    TooManySteps {
        /// [`BindLimits::steps`].
        limit: usize,
    },
    /// Too many destinations, or too long names of them.
    #[error("Max size of a bound name tree: {limit} bytes reached in Namer lookup")]
    TooLarge {
        /// [`BindLimits::tree_bytes`].
        limit: usize,
    },
}

impl BindError {
    /// Does this concern one branch of a union only? The limits on work and memory concern the whole name: to
    /// go on with the next branch would spend more.
    fn spares_other_branches(&self) -> bool {
        match self {
            Self::TooDeep { .. } | Self::Namer(_) => true,
            Self::TooNested { .. } | Self::TooManySteps { .. } | Self::TooLarge { .. } => false,
        }
    }
}

type Outcome = Result<NameTree<Bound>, BindError>;

/// Where in the recursion the walk is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Lookups so far.
    depth: usize,
    /// Trees that this one is inside of.
    nesting: usize,
}

struct Walk<'a> {
    limits: &'a BindLimits,
    dtab: &'a Dtab,
    namer: &'a dyn Fn(&Path) -> Answer,
    steps: usize,
    tree_bytes: usize,
}

impl Walk<'_> {
    /// Looks `path` up and goes on with what it stands for.
    fn path(&mut self, place: Place, path: &Path) -> Outcome {
        self.spend(self.dtab.len() + path.as_str().len() / BYTES_PER_STEP)?;
        let place = Place { depth: place.depth + 1, ..place };
        if place.depth > self.limits.depth {
            return Err(BindError::TooDeep { limit: self.limits.depth });
        }
        let dtab = self.dtab;
        let mut matches = dtab.matches(path);
        let Some(first) = matches.next() else {
            return self.namers(place, path);
        };
        let Some(second) = matches.next() else {
            // A single entry that says neg is as good as none: the namers are asked. Beside another entry it
            // is not.
            return if matches!(first.tree, NameTree::Neg) {
                self.namers(place, path)
            } else {
                self.entry(place, first)
            };
        };
        // Several entries are alternates. They are walked where they stand, since a table can hold far more
        // of them, and of their text, than will be visited.
        first_found([first, second].into_iter().chain(matches), |entry| self.entry(place, entry))
    }

    fn entry(&mut self, place: Place, entry: Match<'_>) -> Outcome {
        self.tree(place, entry.tree, &|walk, place, leaf: &Path| {
            walk.path(place, &leaf.with_suffix(entry.suffix))
        })
    }

    fn namers(&mut self, place: Place, path: &Path) -> Outcome {
        let answer = (self.namer)(path)?;
        self.tree(place, &answer, &|walk, place, leaf: &Name| match leaf {
            Name::Bound(bound) => walk.bound(bound),
            Name::Path(path) => walk.path(place, path),
        })
    }

    /// Binds the leaves of `tree` by `leaf`, and folds alts and unions away as far as that decides them.
    fn tree<T>(&mut self, place: Place, tree: &NameTree<T>, leaf: &BindLeaf<'_, T>) -> Outcome {
        let place = Place { nesting: place.nesting + 1, ..place };
        if place.nesting > self.limits.nesting {
            return Err(BindError::TooNested { limit: self.limits.nesting });
        }
        self.spend(1)?;
        match tree {
            NameTree::Leaf(value) => leaf(self, place, value),
            NameTree::Alt(trees) => first_found(trees, |tree| self.tree(place, tree, leaf)),
            NameTree::Union(branches) => match branches.as_slice() {
                [only] => self.tree(place, &only.tree, leaf),
                _ => self.union(place, branches, leaf),
            },
            NameTree::Neg => Ok(NameTree::Neg),
            NameTree::Fail => Ok(NameTree::Fail),
            NameTree::Empty => Ok(NameTree::Empty),
        }
    }

    /// The union of the branches that have an answer; without any, the first error.
    fn union<T>(&mut self, place: Place, branches: &[Weighted<T>], leaf: &BindLeaf<'_, T>) -> Outcome {
        let mut kept = Vec::new();
        let mut answered = false;
        let mut first_error = None;
        for branch in branches {
            let outcome = self.tree(place, &branch.tree, leaf);
            answered |= outcome.is_ok();
            match outcome {
                // They would be reduced away; here they do not even take memory while the other branches are
                // bound.
                Ok(NameTree::Neg | NameTree::Fail) => {}
                Ok(tree) => {
                    self.grow(size_of::<Weighted<Bound>>())?;
                    kept.push(Weighted { weight: branch.weight, tree });
                }
                Err(error) if error.spares_other_branches() => {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match first_error {
            Some(error) if !answered => Err(error),
            _ => Ok(NameTree::union_of_reduced(kept)),
        }
    }

    fn bound(&mut self, bound: &Bound) -> Outcome {
        self.grow(bound.id.as_str().len() + bound.residual.as_str().len())?;
        Ok(NameTree::Leaf(bound.clone()))
    }

    fn grow(&mut self, bytes: usize) -> Result<(), BindError> {
        self.tree_bytes = self.tree_bytes.saturating_add(bytes);
        if self.tree_bytes > self.limits.tree_bytes {
            return Err(BindError::TooLarge { limit: self.limits.tree_bytes });
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Result<(), BindError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            return Err(BindError::TooManySteps { limit: self.limits.steps });
        }
        Ok(())
    }
}

/// What to do with a leaf of one kind of tree.
type BindLeaf<'f, T> = dyn Fn(&mut Walk<'_>, Place, &T) -> Outcome + 'f;

/// Tries alternates in order. Only neg moves on to the next: fail, empty and errors decide like a destination
/// does.
fn first_found<A>(alternates: impl IntoIterator<Item = A>, mut bind: impl FnMut(A) -> Outcome) -> Outcome {
    for alternate in alternates {
        let outcome = bind(alternate);
        if !matches!(outcome, Ok(NameTree::Neg)) {
            return outcome;
        }
    }
    Ok(NameTree::Neg)
}

/// How much text of a path counts as one step; about what copying and comparing it costs.
const BYTES_PER_STEP: usize = 16;

#[cfg(test)]
mod tests;
