//! Runners for `routing-vectors.toml`.

use super::Runner;
use super::entry::{flag, list, number, only, same, text, texts};
use ringspan::interpreter::{BindLimits, bind_within};
use ringspan::name::{Bound, Destination, Dtab, Host, NameTree, ParseError, Path};
use ringspan::namer::{self, Answer, Name};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use toml::{Table, Value};

/// The runner of a category.
pub fn runner(category: &str) -> Option<Runner> {
    Some(match category {
        "path_parse" => path_parse,
        "path_show" => path_show,
        "nametree_parse" => nametree_parse,
        "nametree_eval" => nametree_eval,
        "dtab_parse" => dtab_parse,
        "dtab_concat" => dtab_concat,
        "dtab_lookup" => dtab_lookup,
        "delegation" => delegation,
        "delegation_depth" => delegation_depth,
        "system_namer" => system_namer,
        "inet_host" => inet_host,
        "sample_header" => super::tracing::sample_header,
        _ => return None,
    })
}

fn path_parse(entry: &Table) -> Result<(), String> {
    only(entry, &["input", "ok", "elements", "elements_hex", "show", "error"])?;
    let Some(path) = parsed(entry, Path::parse)? else {
        return Ok(());
    };
    same("show", path.to_string(), text(entry, "show")?)?;
    let labels: Vec<Vec<u8>> = path.labels().map(|label| label.to_bytes().into_owned()).collect();
    if entry.contains_key("elements_hex") {
        let hex = |label: &Vec<u8>| label.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        return same(
            "elements_hex",
            labels.iter().map(hex).collect::<Vec<_>>(),
            texts(entry, "elements_hex")?,
        );
    }
    let expected: Vec<_> = texts(entry, "elements")?.into_iter().map(str::as_bytes).collect();
    same("elements", labels, expected)
}

fn path_show(entry: &Table) -> Result<(), String> {
    only(entry, &["elements", "show"])?;
    same("show", Path::from_labels(texts(entry, "elements")?).to_string(), text(entry, "show")?)
}

fn nametree_parse(entry: &Table) -> Result<(), String> {
    only(entry, &["input", "ok", "tree", "show", "error"])?;
    let Some(tree) = parsed(entry, NameTree::parse)? else {
        return Ok(());
    };
    same("tree", notation(&tree, &Path::to_string), text(entry, "tree")?)?;
    same("show", tree.to_string(), text(entry, "show")?)
}

fn nametree_eval(entry: &Table) -> Result<(), String> {
    only(entry, &["input", "found", "simplified", "leaves"])?;
    let tree = NameTree::parse(text(entry, "input")?).map_err(describe)?;
    let found = tree.evaluate().map(|leaves| leaves.into_iter().map(Path::as_str).collect::<BTreeSet<_>>());
    same("found", found.is_some(), flag(entry, "found")?)?;
    if let Some(leaves) = found {
        same("leaves", leaves, set(entry, "leaves")?)?;
    }
    same("simplified", notation(&tree.reduce(), &Path::to_string), text(entry, "simplified")?)
}

fn dtab_parse(entry: &Table) -> Result<(), String> {
    only(entry, &["input", "ok", "entries", "show", "error"])?;
    let Some(dtab) = parsed(entry, Dtab::parse)? else {
        return Ok(());
    };
    let entries: Vec<Vec<String>> = dtab
        .dentries()
        .iter()
        .map(|dentry| vec![dentry.prefix.to_string(), notation(&dentry.tree, &Path::to_string)])
        .collect();
    let expected = entry.get("entries").and_then(Value::as_array).ok_or("no entries")?;
    let expected: Vec<_> = expected.iter().map(|pair| list(pair).unwrap_or_default()).collect();
    same("entries", entries, expected)?;
    same("show", dtab.to_string(), text(entry, "show")?)
}

fn dtab_concat(entry: &Table) -> Result<(), String> {
    only(entry, &["left", "right", "show"])?;
    let concat = dtab(entry, "left")?.concat(&dtab(entry, "right")?);
    same("show", concat.to_string(), text(entry, "show")?)
}

fn dtab_lookup(entry: &Table) -> Result<(), String> {
    only(entry, &["dtab", "path", "tree"])?;
    let tree = dtab(entry, "dtab")?.lookup(&path(entry, "path")?);
    same("tree", notation(&tree, &Path::to_string), text(entry, "tree")?)
}

fn delegation(entry: &Table) -> Result<(), String> {
    only(entry, &["dtab", "path", "known", "max_depth", "outcome", "tree", "leaves", "routable", "error"])?;
    let known = texts(entry, "known")?
        .into_iter()
        .map(Path::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(describe)?;
    let mut limits = BindLimits::default();
    limits.depth = number(entry, "max_depth").unwrap_or(limits.depth);
    let namer = |path: &Path| configured_namer(&known, path);
    let outcome = bind_within(&limits, &dtab(entry, "dtab")?, &path(entry, "path")?, namer);
    let leaves: BTreeSet<String> = match &outcome {
        Ok(tree) => {
            same("outcome", "bound", text(entry, "outcome")?)?;
            same("tree", notation(tree, &id_and_residual), text(entry, "tree")?)?;
            tree.leaves().into_iter().map(id_and_residual).collect()
        }
        Err(error) => {
            same("outcome", "error", text(entry, "outcome")?)?;
            same("error", error.to_string(), text(entry, "error")?)?;
            BTreeSet::new()
        }
    };
    same("routable", !leaves.is_empty(), flag(entry, "routable")?)?;
    same("leaves", leaves, set(entry, "leaves")?.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
}

/// A namer for `/#` that knows just these names, in front of the system namer.
fn configured_namer(known: &[Path], path: &Path) -> Answer {
    let Some(id) = known.iter().find(|id| path.starts_with(id)) else {
        return namer::lookup(path);
    };
    let destination = Destination::Inet { host: Host::LOOPBACK, port: 1 };
    Ok(NameTree::Leaf(Name::Bound(Bound { id: id.clone(), residual: path.skip(id.len()), destination })))
}

fn delegation_depth(entry: &Table) -> Result<(), String> {
    only(entry, &["entries", "ok", "error"])?;
    let entries = number(entry, "entries").filter(|entries| *entries > 0).ok_or("no entries")?;
    let mut chain = String::new();
    for hop in 1..entries {
        write!(chain, "/h{} => /h{hop};", hop - 1).map_err(|error| error.to_string())?;
    }
    write!(chain, "/h{} => /$/inet/127.1/1", entries - 1).map_err(|error| error.to_string())?;
    let dtab = Dtab::parse(&chain).map_err(describe)?;
    let outcome = ringspan::interpreter::bind(&dtab, &Path::from_labels(["h0"]), namer::lookup);
    same("ok", outcome.is_ok(), flag(entry, "ok")?)?;
    match outcome {
        Ok(tree) => same("tree", notation(&tree, &id_and_residual), "[/$/inet/127.1/1 /]"),
        Err(error) => same("error", error.to_string(), text(entry, "error")?),
    }
}

fn system_namer(entry: &Table) -> Result<(), String> {
    only(entry, &["path", "result", "id", "residual", "error"])?;
    let result = text(entry, "result")?;
    match namer::lookup(&path(entry, "path")?) {
        Ok(NameTree::Leaf(Name::Bound(bound))) => {
            same("result", "bound", result)?;
            same("id", bound.id.to_string(), text(entry, "id")?)?;
            same("residual", bound.residual.to_string(), text(entry, "residual")?)
        }
        Ok(NameTree::Neg) => same("result", "neg", result),
        Ok(NameTree::Fail) => same("result", "fail", result),
        Ok(NameTree::Empty) => same("result", "empty", result),
        Ok(other) => Err(format!("expected {result:?}, got {other:?}")),
        Err(error) => {
            same("result", "error", result)?;
            same("error", error.to_string(), text(entry, "error")?)
        }
    }
}

fn inet_host(entry: &Table) -> Result<(), String> {
    only(entry, &["host", "ipv4"])?;
    let expected: Ipv4Addr = text(entry, "ipv4")?.parse().map_err(|_| "ipv4 is no address")?;
    same("host", Host::parse(text(entry, "host")?), Some(Host::Ip(IpAddr::V4(expected))))
}

/// Parses `input`. An error is compared with the expected one, and gives `None`.
fn parsed<T: std::fmt::Debug>(
    entry: &Table,
    parse: fn(&str) -> Result<T, ParseError>,
) -> Result<Option<T>, String> {
    match (parse(text(entry, "input")?), flag(entry, "ok")?) {
        (Ok(value), true) => Ok(Some(value)),
        (Err(error), false) => same("error", error.to_string(), text(entry, "error")?).map(|()| None),
        (other, _) => Err(format!("expected {:?}, got {other:?}", entry.get("error"))),
    }
}

/// The notation of trees that the vectors use.
fn notation<T>(tree: &NameTree<T>, leaf: &impl Fn(&T) -> String) -> String {
    match tree {
        NameTree::Leaf(value) => leaf(value),
        NameTree::Neg => "neg".to_owned(),
        NameTree::Fail => "fail".to_owned(),
        NameTree::Empty => "empty".to_owned(),
        NameTree::Alt(trees) => {
            let trees: Vec<_> = trees.iter().map(|tree| notation(tree, leaf)).collect();
            format!("(alt {})", trees.join(" "))
        }
        NameTree::Union(branches) => {
            let branches: Vec<_> = branches
                .iter()
                .map(|b| format!("{} {}", b.weight.value(), notation(&b.tree, leaf)))
                .collect();
            format!("(union {})", branches.join(" "))
        }
    }
}

fn id_and_residual(bound: &Bound) -> String {
    format!("[{} {}]", bound.id, bound.residual)
}

fn dtab(entry: &Table, key: &str) -> Result<Dtab, String> {
    Dtab::parse(text(entry, key)?).map_err(describe)
}

fn path(entry: &Table, key: &str) -> Result<Path, String> {
    Path::parse(text(entry, key)?).map_err(describe)
}

fn set<'e>(entry: &'e Table, key: &str) -> Result<BTreeSet<&'e str>, String> {
    texts(entry, key).map(|texts| texts.into_iter().collect())
}

fn describe(error: ParseError) -> String {
    error.to_string()
}
