//! Reading the keys of an entry, and comparing.

use std::fmt::Debug;
use toml::{Table, Value};

/// Refuses an entry with keys that its runner does not look at: they would be claims that nothing checks.
pub fn only(entry: &Table, keys: &[&str]) -> Result<(), String> {
    match entry
        .keys()
        .find(|key| !keys.contains(&key.as_str()) && !["origin", "note"].contains(&key.as_str()))
    {
        Some(key) => Err(format!("the runner knows no key {key:?}")),
        None => Ok(()),
    }
}

/// The text under `key`.
pub fn text<'e>(entry: &'e Table, key: &str) -> Result<&'e str, String> {
    entry.get(key).and_then(Value::as_str).ok_or_else(|| format!("no text under {key:?}"))
}

/// The flag under `key`.
pub fn flag(entry: &Table, key: &str) -> Result<bool, String> {
    entry.get(key).and_then(Value::as_bool).ok_or_else(|| format!("no flag under {key:?}"))
}

/// The number under `key`, when there is one.
pub fn number(entry: &Table, key: &str) -> Option<usize> {
    entry.get(key).and_then(Value::as_integer).and_then(|number| usize::try_from(number).ok())
}

/// The list of texts under `key`; empty when there is none.
pub fn texts<'e>(entry: &'e Table, key: &str) -> Result<Vec<&'e str>, String> {
    entry
        .get(key)
        .map_or(Ok(Vec::new()), |value| list(value).ok_or_else(|| format!("no list of texts under {key:?}")))
}

/// A list of texts.
pub fn list(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// Compares what came with what the vector says.
pub fn same<A: PartialEq<B> + Debug, B: Debug>(what: &str, came: A, expected: B) -> Result<(), String> {
    if came == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {came:?}")) }
}
