//! The forms of `/admin/metrics.json`: flat names or a tree, whole or below a prefix, tight or indented.

use crate::metrics::{Entry, Snapshot, Summary, Value};
use serde_json::{Map, Value as Json, json};

/// What the query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pretty: bool,
    tree: bool,
    /// Only what is below this path, with names relative to it.
    below: Option<String>,
}

impl Form {
    /// Reads the decoded pairs of a query; others than `pretty`, `tree` and `q` mean nothing.
    pub(super) fn of<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut form = Self::default();
        for (key, value) in query {
            let set = matches!(value, "1" | "true");
            match key {
                "pretty" => form.pretty = set,
                "tree" => form.tree = set,
                "q" => form.below = Some(value.to_owned()),
                _ => {}
            }
        }
        form
    }
}

/// The body for `form`.
///
/// # Errors
///
/// The body of the 404 when nothing is below the path that was asked for.
pub(super) fn render(snapshot: Snapshot, form: &Form) -> Result<String, String> {
    let entries = match form.below.as_deref().map(|path| path.trim_matches('/')) {
        None | Some("") => snapshot.entries,
        Some(prefix) => {
            let below: Vec<_> =
                snapshot.entries.into_iter().filter_map(|entry| relative_to(prefix, entry)).collect();
            if below.is_empty() {
                let asked = form.below.as_deref().unwrap_or_default();
                return Err(json!({ "error": format!("No such subtree: {asked}") }).to_string());
            }
            below
        }
    };
    let json = Json::Object(if form.tree { tree(entries) } else { flat(entries) });
    let indented = form.pretty.then(|| serde_json::to_string_pretty(&json).ok()).flatten();
    Ok(indented.unwrap_or_else(|| json.to_string()))
}

/// The entry with `prefix` taken from its path. A prefix may end inside an element at one of its slashes,
/// because a client id is one element and its reader sees slashes only.
fn relative_to(prefix: &str, entry: Entry) -> Option<Entry> {
    let mut left = prefix;
    let mut path = entry.path.into_iter();
    while !left.is_empty() {
        let element = path.next()?;
        if let Some(rest) = strip_path(left, &element) {
            left = rest;
        } else {
            let rest = strip_path(&element, left)?.to_owned();
            let path = std::iter::once(rest).chain(path).collect();
            return Some(Entry { path, value: entry.value });
        }
    }
    Some(Entry { path: path.collect(), value: entry.value })
}

/// `path` without `prefix` and the slash after it.
fn strip_path<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn flat(entries: Vec<Entry>) -> Map<String, Json> {
    let mut map = Map::new();
    for Entry { path, value } in entries {
        let name = path.join("/");
        match value {
            Value::Counter(count) => drop(map.insert(name, count.into())),
            Value::Gauge(value) => drop(map.insert(name, value.into())),
            Value::Stat(summary) => {
                map.extend(fields(&summary).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
        }
    }
    map
}

fn tree(entries: Vec<Entry>) -> Map<String, Json> {
    let mut root = Map::new();
    for Entry { path, value } in entries {
        let leaf = path.into_iter().try_fold(&mut root, |node, element| {
            node.entry(element).or_insert_with(|| Json::Object(Map::new())).as_object_mut()
        });
        // None would be an element that is called like a leaf key, and no metric is.
        let Some(leaf) = leaf else { continue };
        match value {
            Value::Counter(count) => drop(leaf.insert("counter".to_owned(), count.into())),
            Value::Gauge(value) => drop(leaf.insert("gauge".to_owned(), value.into())),
            Value::Stat(summary) => {
                leaf.extend(fields(&summary).into_iter().map(|(key, value)| (format!("stat.{key}"), value)));
            }
        }
    }
    root
}

/// A stat without values has only its count.
fn fields(summary: &Summary) -> Vec<(&'static str, Json)> {
    let mut fields = vec![("count", Json::from(summary.count))];
    if summary.count > 0 {
        fields.extend([
            ("max", summary.max.into()),
            ("min", summary.min.into()),
            ("p50", summary.p50.into()),
            ("p90", summary.p90.into()),
            ("p95", summary.p95.into()),
            ("p99", summary.p99.into()),
            ("p9990", summary.p9990.into()),
            ("p9999", summary.p9999.into()),
            ("sum", summary.sum.into()),
            ("avg", summary.avg.into()),
        ]);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &[&str], value: Value) -> Entry {
        Entry { path: path.iter().map(|&part| part.to_owned()).collect(), value }
    }

    fn snapshot() -> Snapshot {
        let stat = Summary { count: 2, sum: 6, min: 2, max: 4, p50: 3, avg: 3.0, ..Summary::default() };
        Snapshot {
            entries: vec![
                entry(&["rt", "in", "client", "$/inet/127.1/80", "requests"], Value::Counter(1)),
                entry(&["rt", "in", "client", "$/inet/127.1/80", "pending"], Value::Gauge(2.0)),
                entry(&["foo", "bar", "ms"], Value::Stat(stat)),
                entry(&["foo", "bar", "idle_ms"], Value::Stat(Summary::default())),
                entry(&["foo", "bars"], Value::Counter(7)),
                entry(&["foo", "bars", "reason"], Value::Counter(3)),
            ],
        }
    }

    fn parsed(query: &[(&str, &str)]) -> Json {
        let body = render(snapshot(), &Form::of(query.iter().copied())).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn flat_names_are_joined_with_slashes() {
        let expected = json!({
            "rt/in/client/$/inet/127.1/80/requests": 1,
            "rt/in/client/$/inet/127.1/80/pending": 2.0,
            "foo/bar/ms.count": 2, "foo/bar/ms.max": 4, "foo/bar/ms.min": 2, "foo/bar/ms.p50": 3,
            "foo/bar/ms.p90": 0, "foo/bar/ms.p95": 0, "foo/bar/ms.p99": 0, "foo/bar/ms.p9990": 0,
            "foo/bar/ms.p9999": 0, "foo/bar/ms.sum": 6, "foo/bar/ms.avg": 3.0,
            "foo/bar/idle_ms.count": 0,
            "foo/bars": 7, "foo/bars/reason": 3,
        });
        assert_eq!(parsed(&[]), expected);
    }

    #[test]
    fn gauges_print_as_floats_and_counters_as_integers() {
        let body = render(snapshot(), &Form::default()).unwrap();
        assert!(body.contains("80/pending\":2.0") && body.contains("80/requests\":1}"), "{body}");
    }

    #[test]
    fn a_tree_keeps_an_id_in_one_element() {
        let tree = parsed(&[("tree", "1")]);
        assert_eq!(tree["rt"]["in"]["client"]["$/inet/127.1/80"]["requests"], json!({ "counter": 1 }));
        assert_eq!(tree["rt"]["in"]["client"]["$/inet/127.1/80"]["pending"], json!({ "gauge": 2.0 }));
        assert_eq!(tree["foo"]["bar"]["idle_ms"], json!({ "stat.count": 0 }));
        assert_eq!(tree["foo"]["bars"], json!({ "counter": 7, "reason": { "counter": 3 } }));
    }

    #[test]
    fn names_below_a_prefix_are_relative_to_it() {
        for (prefix, expected) in [
            ("foo/bar", json!({ "ms.count": 2, "idle_ms.count": 0 })),
            ("foo/bars", json!({ "": 7, "reason": 3 })),
            ("/rt/in/client/", json!({ "$/inet/127.1/80/requests": 1, "$/inet/127.1/80/pending": 2.0 })),
            ("rt/in/client/$/inet", json!({ "127.1/80/requests": 1, "127.1/80/pending": 2.0 })),
            ("rt/in/client/$/inet/127.1/80", json!({ "requests": 1, "pending": 2.0 })),
        ] {
            let mut found = parsed(&[("q", prefix)]);
            if let Some(map) = found.as_object_mut() {
                map.retain(|name, _| !name.starts_with("ms.") || name == "ms.count");
            }
            assert_eq!(found, expected, "{prefix}");
        }
    }

    #[test]
    fn nothing_below_a_prefix_is_an_error() {
        for prefix in ["foo/ba", "fo", "rt/in/client/$/ine", "foo/bar/ms/deeper"] {
            let error = render(snapshot(), &Form::of([("q", prefix)])).unwrap_err();
            assert_eq!(error, format!("{{\"error\":\"No such subtree: {prefix}\"}}"));
        }
    }

    #[test]
    fn pretty_is_indented() {
        let body = render(snapshot(), &Form::of([("pretty", "true")])).unwrap();
        assert!(body.starts_with("{\n  \"foo/bar/idle_ms.count\": 0,\n"), "{body}");
    }
}
