//! The naming language: paths, name trees and dtabs, their text grammar, and what a name is bound to. No IO
//! and no config; how a dtab is applied over and over until only bound names remain is `interpreter/bind.rs`.

mod bound;
mod dtab;
mod error;
mod host;
mod parse;
mod path;
mod tree;

pub use bound::{Bound, Destination};
pub use dtab::{Dentry, Dtab, Listing, Match, Prefix};
pub use error::ParseError;
pub use host::{Host, HostName};
pub use parse::MAX_PARENTHESES;
pub use path::{Label, Path, Suffix};
pub use tree::{NameTree, Weight, Weighted};
