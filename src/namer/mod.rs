//! Concrete names and what they are bound to, answered from memory at once. Looking up addresses and watching
//! outside sources is not done here but in `discovery/`, and the dtab is applied in `interpreter/`.

mod inet;
mod system;

use crate::name::{Bound, NameTree, Path};

pub use system::lookup;

/// What a namer says about a path: where to go on, or why that cannot be said.
pub type Answer = Result<NameTree<Name>, NamerError>;

/// A leaf of a namer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A destination.
    Bound(Bound),
    /// Another name, to be looked up in the dtab like any other.
    Path(Path),
}

/// Why a namer has no answer. Not the same as knowing nothing ([`NameTree::Neg`]): alternates are not tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamerError {
    /// A system name of a kind that does not exist, or whose arguments are not those of its kind.
    #[error("Unknown namer: {kind} for path: {path}")]
    Unknown {
        /// The label after `/$`.
        kind: Box<str>,
        /// The whole name.
        path: Path,
    },
    /// A port that no address can have.
    #[error("port out of range: {port} for path: {path}")]
    PortOutOfRange {
        /// The port as it was written.
        port: Box<str>,
        /// The whole name.
        path: Path,
    },
}
