//! YAML and JSON to the located tree. The grammar is saphyr-parser's, event by event and without recursion; the
//! core schema of YAML 1.2 tells numbers and booleans from strings. JSON is YAML's flow style.
//!
//! Anchors, aliases and tags are refused: configurations do not need them, and an alias of an alias of an alias
//! makes a small file a huge tree.

use super::error::Problem;
use super::tree::{Entry, Fault, MAX_DEPTH, MAX_FAULTS, MAX_NODES, Node, Tree, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;

/// Reads YAML or JSON.
pub(super) fn parse(text: &str) -> Tree {
    let mut builder = Builder::new(text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let at = builder.offset(error.marker().index());
                builder.spoil_last();
                Err(Fault::syntax(at, error.info()))
            }
        };
        if let Err(fault) = taken {
            builder.faults.push(fault);
            builder.partial = true;
            break;
        }
    }
    builder.finish()
}

/// A list or map that is still open.
struct Open {
    at: usize,
    /// Its key in the tree, for messages.
    path: String,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Where each key was written first.
        places: BTreeMap<String, usize>,
        key: Option<Key>,
    },
}

/// A key whose value has not come yet.
struct Key {
    name: String,
    at: usize,
    /// It was there before; its value goes nowhere.
    duplicate: bool,
}

/// Turns events into the tree.
struct Builder<'a> {
    text: &'a str,
    /// Byte offset of every character; empty when the text is ASCII and they are the same.
    characters: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
    faults: Vec<Fault>,
    partial: bool,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let characters = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(offset, _)| offset).collect()
        };
        Self { text, characters, open: Vec::new(), root: None, faults: Vec::new(), partial: false, nodes: 0 }
    }

    /// The byte offset of the character that the parser calls `index`.
    fn offset(&self, index: usize) -> usize {
        if self.characters.is_empty() {
            index.min(self.text.len())
        } else {
            self.characters.get(index).copied().unwrap_or(self.text.len())
        }
    }

    /// Takes one event; an error ends the reading.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let at = self.offset(span.start.index());
        match event {
            Event::Scalar(scalar, style, anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.scalar(&scalar, style, at)
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.start(at, OpenKind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_only(at, anchor, tag.is_some())?;
                self.start(at, OpenKind::Map { entries: Vec::new(), places: BTreeMap::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end();
                Ok(())
            }
            Event::Alias(_) => Err(Fault::syntax(at, "aliases are not supported; write the value out")),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Fault::syntax(at, "a second document; a configuration is one document"))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn plain_only(&self, at: usize, anchor: usize, tagged: bool) -> Result<(), Fault> {
        if tagged {
            return Err(Fault::syntax(at, "tags are not supported; quote a value to make it a string"));
        }
        if anchor != 0 {
            return Err(Fault::syntax(at, "anchors are not supported; write the value out where it is used"));
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: &str, style: ScalarStyle, at: usize) -> Result<(), Fault> {
        if let Some(Open { path, kind: OpenKind::Map { places, key: key @ None, .. }, .. }) =
            self.open.last_mut()
        {
            let first = places.get(scalar).copied();
            match first {
                None => {
                    places.insert(scalar.to_owned(), at);
                }
                Some(first) if self.faults.len() < MAX_FAULTS => {
                    let line = self.text.get(..first).map(|before| before.matches('\n').count() + 1);
                    let first = line.and_then(|line| u32::try_from(line).ok());
                    let key = join(path, scalar);
                    self.faults.push(Fault { at, key, problem: Problem::DuplicateKey { first } });
                }
                Some(_) => {}
            }
            *key = Some(Key { name: scalar.to_owned(), at, duplicate: first.is_some() });
            return Ok(());
        }
        let quote = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let value = match style {
            ScalarStyle::Plain => resolve(scalar),
            _ => Value::String(scalar.to_owned()),
        };
        self.count(at)?;
        self.place(Node { at, content: at + quote, value });
        Ok(())
    }

    fn start(&mut self, at: usize, kind: OpenKind) -> Result<(), Fault> {
        self.count(at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::syntax(at, format!("lists and maps more than {MAX_DEPTH} deep")));
        }
        let path = match self.open.last() {
            None => String::new(),
            Some(Open { path, kind: OpenKind::List(items), .. }) => format!("{path}[{}]", items.len()),
            Some(Open { path, kind: OpenKind::Map { key: Some(key), .. }, .. }) => join(path, &key.name),
            Some(Open { kind: OpenKind::Map { key: None, .. }, .. }) => {
                return Err(Fault::syntax(at, "a key must be a word or a string"));
            }
        };
        self.open.push(Open { at, path, kind });
        Ok(())
    }

    /// Closes the innermost list or map.
    fn end(&mut self) {
        if let Some(Open { at, kind, .. }) = self.open.pop() {
            let value = match kind {
                OpenKind::List(items) => Value::List(items),
                OpenKind::Map { entries, .. } => Value::Map(entries),
            };
            self.place(Node { at, content: at, value });
        }
    }

    /// Puts a whole value where it belongs.
    fn place(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { entries, key, .. }) => {
                if let Some(Key { name, at, duplicate: false }) = key.take() {
                    entries.push(Entry { key: name, at, node });
                }
            }
        }
    }

    fn count(&mut self, at: usize) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Fault::syntax(at, format!("more than {MAX_NODES} values")));
        }
        Ok(())
    }

    /// After a syntax error: the value before it may have swallowed what follows, so nothing is said about it.
    fn spoil_last(&mut self) {
        match self.open.last_mut().map(|open| &mut open.kind) {
            Some(OpenKind::List(items)) => {
                if let Some(last) = items.last_mut() {
                    last.value = Value::Broken;
                }
            }
            Some(OpenKind::Map { entries, key: None, .. }) => {
                if let Some(last) = entries.last_mut() {
                    last.node.value = Value::Broken;
                }
            }
            Some(OpenKind::Map { key: Some(_), .. }) | None => {}
        }
    }

    /// The tree of everything read, with what is still open closed.
    fn finish(mut self) -> Tree {
        while let Some(open) = self.open.last_mut() {
            if let OpenKind::Map { entries, key, .. } = &mut open.kind
                && let Some(Key { name, at, duplicate: false }) = key.take()
            {
                entries.push(Entry { key: name, at, node: Node { at, content: at, value: Value::Broken } });
            }
            // Closing this one gives the enclosing map's key its value.
            self.end();
        }
        let empty = if self.partial { Value::Broken } else { Value::Null };
        let root = self.root.unwrap_or(Node { at: 0, content: 0, value: empty });
        Tree { root, faults: self.faults, partial: self.partial }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A plain scalar by the core schema (YAML 1.2, 10.3.2).
fn resolve(scalar: &str) -> Value {
    match scalar {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let unsigned = scalar.strip_prefix(['-', '+']).unwrap_or(scalar);
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if digits(unsigned, 10) {
        let limit = if scalar.starts_with('-') { i128::MIN } else { i128::MAX };
        return Value::Integer(scalar.parse().unwrap_or(limit));
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(number) = scalar.strip_prefix(prefix).filter(|number| digits(number, radix)) {
            return Value::Integer(i128::from_str_radix(number, radix).unwrap_or(i128::MAX));
        }
    }
    // Rust reads every number of the schema, and beyond it only words such as `inf` and `infinity`.
    let number = unsigned.starts_with(|c: char| c == '.' || c.is_ascii_digit());
    match scalar.parse() {
        Ok(float) if number => Value::Float(float),
        _ => Value::String(scalar.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults as `offset: key: problem`.
    fn faults(text: &str) -> Vec<String> {
        let faults = parse(text).faults;
        faults.iter().map(|fault| format!("{}: {}: {}", fault.at, fault.key, fault.problem)).collect()
    }

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Entry {
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        entries.iter().find(|entry| entry.key == key).unwrap()
    }

    #[test]
    fn plain_scalars_are_read_by_the_core_schema() {
        let cases = [
            ("9990", Value::Integer(9990)),
            ("-1", Value::Integer(-1)),
            ("+1", Value::Integer(1)),
            ("010", Value::Integer(10)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("0.5", Value::Float(0.5)),
            (".5", Value::Float(0.5)),
            ("-1e3", Value::Float(-1000.0)),
            (".inf", Value::Float(f64::INFINITY)),
            ("true", Value::Boolean(true)),
            ("~", Value::Null),
            ("", Value::Null),
            ("yes", Value::String("yes".into())),
            ("inf", Value::String("inf".into())),
            ("-", Value::String("-".into())),
            ("127.1", Value::Float(127.1)),
            ("127.0.0.1", Value::String("127.0.0.1".into())),
            ("0x", Value::String("0x".into())),
            ("1_000", Value::String("1_000".into())),
        ];
        for (scalar, value) in cases {
            assert_eq!(resolve(scalar), value, "{scalar:?}");
        }
        assert_eq!(resolve(&"9".repeat(60)), Value::Integer(i128::MAX));
    }

    #[test]
    fn quoted_scalars_are_always_strings() {
        let tree = parse("a: '1'\nb: \"true\"\nc: |\n  2\n");
        for (key, value) in [("a", "1"), ("b", "true"), ("c", "2\n")] {
            assert_eq!(entry(&tree.root, key).node.value, Value::String(value.into()));
        }
    }

    #[test]
    fn places_are_byte_offsets_even_after_other_letters_and_carriage_returns() {
        let text = "# é\r\na: 1\r\né: \"x\"\r\n";
        let tree = parse(text);
        assert_eq!(entry(&tree.root, "a").node.at, text.find('1').unwrap());
        assert_eq!(entry(&tree.root, "é").at, text.rfind('é').unwrap());
        assert_eq!(entry(&tree.root, "é").node.content, text.find('x').unwrap());
    }

    #[test]
    fn json_is_read_with_tabs_and_escapes() {
        let tree = parse("{\n\t\"a\": 1,\n\t\"b\": [\"\\u00e9\\/\", null]\n}\n");
        assert!(tree.faults.is_empty(), "{tree:?}");
        let Value::List(items) = &entry(&tree.root, "b").node.value else { panic!("{tree:?}") };
        assert_eq!(items[0].value, Value::String("é/".into()));
        assert_eq!(items[1].value, Value::Null);
    }

    #[test]
    fn duplicate_keys_are_reported_with_their_path_and_reading_goes_on() {
        let text = "routers:\n- port: 1\n  port: {x: 1, x: 2}\nadmin: 1\nadmin: 2\n";
        let expected = [
            "21: routers[0].port: duplicate key, first on line 2",
            "34: routers[0].port.x: duplicate key, first on line 3",
            "49: admin: duplicate key, first on line 4",
        ];
        assert_eq!(faults(text), expected);
    }

    #[test]
    fn what_yaml_has_and_configurations_do_not_need_is_refused() {
        let cases = [
            ("a: &x 1\n", "anchors"),
            ("a: &x 1\nb: *x\n", "anchors"),
            ("a: *x\n", "unknown anchor"),
            ("a: !!str 1\n", "tags"),
            ("a: 1\n---\nb: 2\n", "second document"),
            ("[a]: 1\n", "key"),
            ("a: [1\n", "flow sequence"),
            ("a:\n\tb: 1\n", "tab"),
        ];
        for (text, word) in cases {
            let tree = parse(text);
            assert!(tree.partial, "{text:?}");
            let found = faults(text);
            assert!(found.len() == 1 && found[0].contains(word), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn what_stands_before_a_syntax_error_is_kept() {
        let tree = parse("admin:\n  port: 1\n  ip: x\n   y: 2\n");
        assert_eq!(tree.faults.len(), 1);
        let admin = &entry(&tree.root, "admin").node;
        assert_eq!(entry(admin, "port").node.value, Value::Integer(1));
        assert_eq!(entry(admin, "ip").node.value, Value::Broken);
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(parse(text).root.value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn too_many_values_and_too_deep_lists_are_refused() {
        let laughs = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\n".to_owned();
        for text in ["- 1\n".repeat(MAX_NODES + 1), "[".repeat(100_000), "- ".repeat(5_000), laughs] {
            let tree = parse(&text);
            assert!(tree.partial && tree.faults.len() == 1, "{:.40}", text);
        }
    }
}
