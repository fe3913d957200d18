//! Texts that many spans repeat (tag keys, service names, span names), each kept once and named by a number.
//!
//! The table only grows, up to a limit, and is read through snapshots: a query never holds its lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The table, shared by everything that writes records.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    table: Mutex<Table>,
}

/// The texts by number at one moment; every record written before it can be read with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(Arc<Vec<Arc<str>>>);

/// The table while it is locked for writing a record.
#[derive(Debug, Default)]
pub(super) struct Table {
    numbers: HashMap<Arc<str>, u64>,
    texts: Texts,
}

/// How much a text deserves a place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// From a small set by nature: tag keys and service names. They may fill the table.
    Key,
    /// Often repeated, but a sender may make up a new one per request: span names, annotations. They may fill
    /// only half of the table, so that they never crowd out the keys.
    Name,
}

impl Symbols {
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn snapshot(&self) -> Texts {
        self.lock().texts.clone()
    }
}

impl Texts {
    /// The text with this number.
    pub(super) fn get(&self, number: u64) -> Option<&str> {
        self.0.get(usize::try_from(number).ok()?).map(|text| &**text)
    }
}

impl Table {
    /// The number of `text`, which gets one now if it has none and there is room. A text that finds no room never
    /// gets in later either, so equal spans always have equal records.
    pub(super) fn number(&mut self, text: &str, rank: Rank) -> Option<u64> {
        if text.len() > TEXT_LIMIT_BYTES {
            return None;
        }
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let limit = match rank {
            Rank::Key => TABLE_LIMIT,
            Rank::Name => TABLE_LIMIT / 2,
        };
        if self.numbers.len() >= limit {
            return None;
        }
        let text: Arc<str> = text.into();
        let number = u64::try_from(self.numbers.len()).ok()?;
        // Copies the list if a snapshot is in use: rare, for new texts become rare.
        Arc::make_mut(&mut self.texts.0).push(Arc::clone(&text));
        self.numbers.insert(text, number);
        Some(number)
    }
}

/// Texts in the table; with [`TEXT_LIMIT_BYTES`] at most 1 MiB of text.
const TABLE_LIMIT: usize = 8_192;

/// A longer text is written in full where it is used.
const TEXT_LIMIT_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_leave_half_of_the_table_to_keys() {
        let symbols = Symbols::default();
        let mut table = symbols.lock();
        for n in 0..TABLE_LIMIT {
            table.number(&format!("name {n}"), Rank::Name);
        }
        assert_eq!(table.number("one more", Rank::Name), None);
        assert!(table.number("one more", Rank::Key).is_some());
        for n in 0..TABLE_LIMIT {
            table.number(&format!("key {n}"), Rank::Key);
        }
        assert_eq!(table.numbers.len(), TABLE_LIMIT);
        assert_eq!(table.number("a last one", Rank::Key), None);
        assert_eq!(table.number(&"x".repeat(TEXT_LIMIT_BYTES + 1), Rank::Key), None);
    }

    #[test]
    fn a_snapshot_reads_what_was_there_when_it_was_taken() {
        let symbols = Symbols::default();
        let first = symbols.lock().number("first", Rank::Key).unwrap();
        let before = symbols.snapshot();
        let second = symbols.lock().number("second", Rank::Key).unwrap();
        assert_eq!(symbols.lock().number("first", Rank::Name), Some(first));
        assert_eq!((before.get(first), before.get(second)), (Some("first"), None));
        assert_eq!(symbols.snapshot().get(second), Some("second"));
    }
}
