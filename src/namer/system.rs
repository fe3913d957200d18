//! The system namer: names under `/$`.

use super::{Answer, NamerError, inet};
use crate::name::{NameTree, Path};

/// Looks `path` up among the system names. Names that do not start with `/$` are not ours, hence neg; a
/// system name of unknown kind is an error, so that a misspelt one does not silently fall through to the next
/// alternate.
///
/// # Errors
/// For a system name of unknown kind and for a port out of range.
pub fn lookup(path: &Path) -> Answer {
    let mut labels = path.labels();
    if labels.next().is_none_or(|label| label.as_str() != "$") {
        return Ok(NameTree::Neg);
    }
    let Some(kind) = labels.next() else {
        return Ok(NameTree::Neg);
    };
    let known = match kind.as_str() {
        "inet" => inet::lookup(path)?,
        "fail" => Some(NameTree::Fail),
        "nil" => Some(NameTree::Empty),
        _ => None,
    };
    known.ok_or_else(|| NamerError::Unknown { kind: kind.as_str().into(), path: path.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(path: &str) -> Answer {
        lookup(&Path::parse(path).unwrap())
    }

    #[test]
    fn nil_is_empty_and_fail_fails_whatever_follows() {
        for (path, tree) in [
            ("/$/nil", NameTree::Empty),
            ("/$/nil/a/b", NameTree::Empty),
            ("/$/fail", NameTree::Fail),
            ("/$/fail/a", NameTree::Fail),
        ] {
            assert_eq!(answer(path), Ok(tree), "{path}");
        }
    }

    #[test]
    fn names_of_others_are_neg() {
        for path in ["/", "/$", "/svc/web", "/#/io.l5d.fs/web", "/$$/inet/80"] {
            assert_eq!(answer(path), Ok(NameTree::Neg), "{path}");
        }
    }

    #[test]
    fn unknown_kinds_are_errors() {
        for (path, text) in [
            ("/$/nosuch/x", "Unknown namer: nosuch for path: /$/nosuch/x"),
            ("/$/inet", "Unknown namer: inet for path: /$/inet"),
            ("/$/inet/foo", "Unknown namer: inet for path: /$/inet/foo"),
            ("/$/Inet/80", "Unknown namer: Inet for path: /$/Inet/80"),
        ] {
            assert_eq!(answer(path).unwrap_err().to_string(), text);
        }
    }
}
