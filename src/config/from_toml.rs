//! TOML to the located tree. The grammar is the `toml` crate's, which goes on after an error, so that one run
//! reports several; here its spans become places and everything touched by an error is marked broken.

use super::error::Problem;
use super::tree::{Entry, Fault, MAX_DEPTH, MAX_FAULTS, MAX_NODES, Node, Tree, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Reads TOML.
pub(super) fn parse(text: &str) -> Tree {
    let (document, errors) = DeTable::parse_recoverable(text);
    let (duplicates, errors) =
        errors.into_iter().partition::<Vec<_>, _>(|error| error.message() == DUPLICATE_KEY);
    let mut mistakes = errors.iter().map(|error| place(text, error)).collect::<Vec<_>>();
    mistakes.sort_by_key(|mistake| mistake.at);
    let mut conversion = Conversion { text, mistakes: &mistakes, broken: Vec::new(), nodes: 0 };
    let Some(root) = conversion.table(document.get_ref(), 0) else {
        let message = format!("more than {MAX_NODES} values, or tables more than {MAX_DEPTH} deep");
        return Tree::unreadable(Fault::syntax(0, message));
    };
    let broken = conversion.broken;

    let mut partial = !mistakes.is_empty();
    let mut faults = first_of_each(text, &mistakes, &broken);
    for duplicate in duplicates.into_iter().take(MAX_FAULTS) {
        let at = place(text, &duplicate).at;
        // A table that is opened twice takes the place of the first, whose content is then not in the tree.
        partial |= line_before(text, at).trim_start().starts_with('[');
        faults.push(duplicate_key(text, &root, at, duplicate.span()));
    }
    Tree { root: Node { at: 0, content: 0, value: Value::Map(root) }, faults, partial }
}

/// A syntax error: its message and where it is.
struct Mistake {
    at: usize,
    message: String,
}

fn place(text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map_or(text.len(), |span| span.start);
    Mistake { at, message: error.message().to_owned() }
}

/// One mistake often makes the parser stumble several times; the first of each line and of each value is the one
/// that helps.
fn first_of_each(text: &str, mistakes: &[Mistake], broken: &[Range<usize>]) -> Vec<Fault> {
    let mut faults = Vec::<Fault>::new();
    // Where the line or the value of the last fault ends.
    let mut covered = None;
    for mistake in mistakes {
        if covered.is_some_and(|end| mistake.at <= end) {
            continue;
        }
        let rest = text.get(mistake.at..).unwrap_or_default();
        let line_end = mistake.at + rest.find('\n').unwrap_or(rest.len());
        let around = broken.iter().filter(|range| range.start <= mistake.at && mistake.at <= range.end);
        covered = around.map(|range| range.end).max().max(Some(line_end));
        faults.push(Fault::syntax(mistake.at, mistake.message.clone()));
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    faults
}

/// Builds the tree, within the limits on depth and nodes.
struct Conversion<'a> {
    text: &'a str,
    /// Sorted by place.
    mistakes: &'a [Mistake],
    /// Where values with a syntax error in them are.
    broken: Vec<Range<usize>>,
    nodes: usize,
}

impl Conversion<'_> {
    /// None beyond the limits.
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Option<Vec<Entry>> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let node = self.node(value, depth + 1)?;
            entries.push(Entry { key: key.get_ref().to_string(), at: key.span().start, node });
        }
        // The parser's table is ordered by key; people read errors and lists in the order of the file.
        entries.sort_by_key(|entry| entry.at);
        Some(entries)
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return None;
        }
        let span = value.span();
        if self.is_header(value) {
            // After a header that is broken, the parser lets the next one begin there.
            let header = line_before(self.text, span.end).trim_start();
            let at = if header.starts_with('[') { span.end - header.len() } else { span.start };
            return Some(Node { at, content: at, value: self.value(value.get_ref(), depth)? });
        }
        if self.is_broken(&span) {
            self.broken.push(span.clone());
            return Some(Node { at: span.start, content: span.start, value: Value::Broken });
        }
        let content = span.start + self.opening(&span);
        Some(Node { at: span.start, content, value: self.value(value.get_ref(), depth)? })
    }

    fn value(&mut self, value: &DeValue<'_>, depth: usize) -> Option<Value> {
        Some(match value {
            DeValue::String(string) => Value::String(string.to_string()),
            DeValue::Integer(integer) => number(integer),
            DeValue::Float(float) => float.as_str().parse().map_or(Value::Broken, Value::Float),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(array) => {
                Value::List(array.iter().map(|item| self.node(item, depth + 1)).collect::<Option<_>>()?)
            }
            DeValue::Table(table) => Value::Map(self.table(table, depth)?),
        })
    }

    /// Whether `value` is opened by headers, `[table]` or `[[list]]`, or by a dotted key, so that its span is only that.
    fn is_header(&self, value: &Spanned<DeValue<'_>>) -> bool {
        let start = value.span().start;
        match value.get_ref() {
            // The elements of a list of headers begin with the list; those of an array begin after its bracket.
            DeValue::Array(array) => array.iter().next().is_some_and(|first| first.span().start == start),
            DeValue::Table(_) => self.text.as_bytes().get(start) != Some(&b'{'),
            _ => false,
        }
    }

    /// Whether a syntax error lies in `span`. A value that is missing altogether has an empty span at 0.
    fn is_broken(&self, span: &Range<usize>) -> bool {
        let next = self.mistakes.partition_point(|mistake| mistake.at < span.start);
        span.end == 0 || self.mistakes.get(next).is_some_and(|mistake| mistake.at <= span.end)
    }

    /// The length of a string's opening quote, and of the newline that follows a triple one.
    fn opening(&self, span: &Range<usize>) -> usize {
        let written = self.text.get(span.clone()).unwrap_or_default();
        match written.strip_prefix("'''").or_else(|| written.strip_prefix("\"\"\"")) {
            Some(content) if content.starts_with("\r\n") => 5,
            Some(content) if content.starts_with('\n') => 4,
            Some(_) => 3,
            None => usize::from(written.starts_with(['\'', '"'])),
        }
    }
}

/// An integer; one with more digits than fit is the largest, so that it is refused for its size and not for its type.
fn number(integer: &DeInteger<'_>) -> Value {
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(integer) => Value::Integer(integer),
        Err(_) if integer.as_str().starts_with('-') => Value::Integer(i128::MIN),
        Err(_) => Value::Integer(i128::MAX),
    }
}

/// The parser tells where the second key is, but not in which table: the nearest key of that name above it is in the
/// same one.
fn duplicate_key(text: &str, root: &[Entry], at: usize, span: Option<Range<usize>>) -> Fault {
    let written = span.and_then(|span| text.get(span)).unwrap_or_default();
    let name = written.trim_matches(['"', '\'']);
    let mut nearest: Option<(usize, String)> = None;
    walk(root, "", &mut |entry, path| {
        let better = nearest.as_ref().is_none_or(|(place, _)| *place <= entry.at);
        if entry.key == name && entry.at <= at && better {
            nearest = Some((entry.at, path.to_owned()));
        }
    });
    let (first, key) = nearest.unwrap_or((at, name.to_owned()));
    let line = |offset| text.get(..offset).map(|before| before.matches('\n').count() + 1);
    let first = if first < at { line(first).and_then(|line| u32::try_from(line).ok()) } else { None };
    Fault { at, key, problem: Problem::DuplicateKey { first } }
}

/// Calls `visit` for every entry with its full key.
fn walk(entries: &[Entry], path: &str, visit: &mut impl FnMut(&Entry, &str)) {
    for entry in entries {
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        visit(entry, &path);
        match &entry.node.value {
            Value::Map(entries) => walk(entries, &path, visit),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Map(entries) = &item.value {
                        walk(entries, &format!("{path}[{index}]"), visit);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The part of the line before byte `at`.
fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}

/// How the parser calls a key or a table that is already there.
const DUPLICATE_KEY: &str = "duplicate key";

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<(usize, String)> {
        let faults = parse(text).faults;
        faults.iter().map(|fault| (fault.at, format!("{}: {}", fault.key, fault.problem))).collect()
    }

    fn entry<'a>(tree: &'a Tree, key: &str) -> &'a Entry {
        let Value::Map(entries) = &tree.root.value else { panic!("{tree:?}") };
        entries.iter().find(|entry| entry.key == key).unwrap()
    }

    #[test]
    fn values_keep_their_place_and_strings_that_of_their_content() {
        let tree = parse("i = 0x1F\nf = 1e3\nb = true\ns = 'x'\nl = [1]\nm = '''\ny'''\nd = 1979-05-27\n");
        let cases = [
            ("i", 4, 4, Value::Integer(31)),
            ("f", 13, 13, Value::Float(1000.0)),
            ("b", 21, 21, Value::Boolean(true)),
            ("s", 30, 31, Value::String("x".into())),
            ("l", 38, 38, Value::List(vec![Node { at: 39, content: 39, value: Value::Integer(1) }])),
            ("m", 46, 50, Value::String("y".into())),
            ("d", 59, 59, Value::Date),
        ];
        assert!(tree.faults.is_empty());
        for (key, at, content, value) in cases {
            assert_eq!(entry(&tree, key).node, Node { at, content, value }, "{key}");
        }
    }

    #[test]
    fn several_syntax_errors_are_reported_in_one_run() {
        let found = messages("a = 90a0\nb = \"abc\nc = 1\n[[d]\n");
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [4, 17, 28], "{found:?}");
    }

    #[test]
    fn a_broken_header_or_value_spares_the_tables_around_it() {
        let tree = parse("[[r]]\na = 1\n[[r]\nb = 2\n\n  [[r]]\nc = [90x]\nd = { e = 3 }\n");
        assert_eq!(tree.faults.iter().map(|fault| fault.at).collect::<Vec<_>>(), [16, 37]);
        let Value::List(items) = &entry(&tree, "r").node.value else { panic!("{tree:?}") };
        let [first, second] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((first.at, second.at), (0, 26));
        let Value::Map(entries) = &second.value else { panic!("{second:?}") };
        let [c, d] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!(c.node.value, Value::Broken);
        assert!(matches!(&d.node.value, Value::Map(entries) if entries.len() == 1));
    }

    #[test]
    fn a_table_made_by_a_dotted_key_begins_at_that_key() {
        let tree = parse("a.b = 1\nc = [{ d.e = 1 }]\n");
        assert_eq!(entry(&tree, "a").node.at, 0);
        let Value::List(items) = &entry(&tree, "c").node.value else { panic!("{tree:?}") };
        let Value::Map(entries) = &items[0].value else { panic!("{tree:?}") };
        assert_eq!((items[0].at, entries[0].node.at), (13, 15));
    }

    #[test]
    fn an_array_that_is_not_closed_is_one_error() {
        let tree = parse("a = [1, 2\nb = 3\n");
        assert_eq!(tree.faults.len(), 1);
        assert!(tree.partial);
        assert_eq!(entry(&tree, "a").node.value, Value::Broken);
    }

    #[test]
    fn a_duplicate_key_names_its_table_and_the_first_line() {
        let text = "[admin]\nport = 1\n[[routers]]\nport = 2\nport = 3\n";
        assert_eq!(messages(text), [(38, "routers[0].port: duplicate key, first on line 4".to_owned())]);
        assert!(!parse(text).partial);
    }

    #[test]
    fn a_table_opened_twice_is_a_duplicate_key() {
        let tree = parse("[admin]\nport = 1\n[admin]\nip = 'x'\n");
        assert_eq!(tree.faults.len(), 1);
        assert_eq!((tree.faults[0].at, tree.faults[0].key.as_str(), tree.partial), (18, "admin", true));
    }

    #[test]
    fn an_integer_of_any_length_is_an_integer() {
        let tree = parse(&format!("a = 1{}\nb = -1{}\n", "0".repeat(50), "0".repeat(50)));
        assert_eq!(entry(&tree, "a").node.value, Value::Integer(i128::MAX));
        assert_eq!(entry(&tree, "b").node.value, Value::Integer(i128::MIN));
    }

    #[test]
    fn too_many_values_and_too_deep_tables_are_refused() {
        let wide = "[[a]]\n".repeat(MAX_NODES + 1);
        let deep = format!("a = {}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        let dotted = format!("{} = 1", vec!["a"; MAX_DEPTH + 2].join("."));
        let bottomless = "a = ".to_owned() + &"[".repeat(100_000);
        for text in [wide, deep, dotted, bottomless] {
            let tree = parse(&text);
            assert!(tree.partial && !tree.faults.is_empty(), "{:.40}", text);
        }
        assert!(parse(&"[[a]]\n".repeat(1_000)).faults.is_empty());
    }
}
