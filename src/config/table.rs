//! How the lowering reads a table of the tree: it asks for keys by name and learns their full name and place, and
//! every mistake is noted in [`Faults`] instead of ending the walk.

use super::error::Problem;
use super::keys::{self, Section};
use super::text::Text;
use super::tree::{Entry, Fault, Node, Value};

/// The mistakes found so far.
#[derive(Debug)]
pub(super) struct Faults<'t> {
    /// The text that is lowered, to find places inside strings.
    pub(super) text: &'t Text,
    /// Part of the text could not be read, so that what seems to be missing is no mistake.
    partial: bool,
    faults: Vec<Fault>,
}

impl<'t> Faults<'t> {
    /// Starts with what the parser found.
    pub(super) fn new(text: &'t Text, faults: Vec<Fault>, partial: bool) -> Self {
        Self { text, partial, faults }
    }

    /// Notes a mistake.
    pub(super) fn add(&mut self, at: usize, key: impl Into<String>, problem: Problem) {
        self.faults.push(Fault { at, key: key.into(), problem });
    }

    /// Notes that something is missing, if the whole text could be read.
    pub(super) fn add_missing(&mut self, at: usize, key: impl Into<String>, problem: Problem) {
        if !self.partial {
            self.add(at, key, problem);
        }
    }

    /// All mistakes in the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.at);
        self.faults
    }
}

/// A value with its full name.
#[derive(Clone, Debug)]
pub(super) struct Field<'t> {
    /// As the user would say it: `routers[1].dtab`.
    pub(super) key: String,
    /// The value.
    pub(super) node: &'t Node,
}

impl<'t> Field<'t> {
    /// Notes a mistake in this value.
    pub(super) fn fault(&self, problem: Problem, faults: &mut Faults<'_>) {
        faults.add(self.node.at, self.key.as_str(), problem);
    }

    /// Notes that this value is of another type than expected, unless that follows from a syntax error.
    pub(super) fn wrong_type(&self, expected: &'static str, faults: &mut Faults<'_>) {
        if self.node.value != Value::Broken {
            self.fault(Problem::WrongType { expected, found: self.node.value.describe() }, faults);
        }
    }

    /// The elements of a list.
    pub(super) fn items(&self, faults: &mut Faults<'_>) -> Vec<Field<'t>> {
        let Value::List(items) = &self.node.value else {
            self.wrong_type("a list", faults);
            return Vec::new();
        };
        let named = items.iter().enumerate();
        named.map(|(index, node)| Field { key: format!("{}[{index}]", self.key), node }).collect()
    }

    /// The table that this value is.
    pub(super) fn entries(&self, faults: &mut Faults<'_>) -> Option<Table<'t>> {
        match &self.node.value {
            Value::Map(entries) => Some(Table { key: self.key.clone(), at: self.node.at, entries }),
            _ => {
                self.wrong_type("a table", faults);
                None
            }
        }
    }

    /// The table that this value is, whose keys are those of `section`; others are noted as unknown.
    pub(super) fn table(&self, section: Section, faults: &mut Faults<'_>) -> Option<Table<'t>> {
        let table = self.entries(faults)?;
        table.refuse_unknown(section, faults);
        Some(table)
    }
}

/// A table with its full name.
#[derive(Clone, Debug)]
pub(super) struct Table<'t> {
    /// As the user would say it; empty at the top.
    pub(super) key: String,
    /// Where it begins.
    pub(super) at: usize,
    entries: &'t [Entry],
}

impl<'t> Table<'t> {
    /// The value of `key`. A null is the same as no such key.
    pub(super) fn field(&self, key: &str) -> Option<Field<'t>> {
        let entry = self.entries.iter().find(|entry| entry.key == key && entry.node.value != Value::Null)?;
        Some(Field { key: self.full_name(key), node: &entry.node })
    }

    /// The full name of a key of this table.
    pub(super) fn full_name(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    /// Notes every key that is not one of `section`'s.
    pub(super) fn refuse_unknown(&self, section: Section, faults: &mut Faults<'_>) {
        // A key that is there already is not what was meant.
        let absent = section.iter().copied().filter(|key| self.field(key).is_none()).collect::<Vec<_>>();
        for entry in self.entries.iter().filter(|entry| !section.contains(&entry.key.as_str())) {
            let meant = keys::meant(&entry.key, &absent);
            faults.add(entry.at, self.full_name(&entry.key), Problem::UnknownKey { meant, known: section });
        }
    }
}
