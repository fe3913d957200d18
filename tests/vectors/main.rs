//! Runs the compatibility vectors: facts about Linkerd and Zipkin, one table each, in files `*-vectors.toml`.
//!
//! Every entry of every such file in the folder `RINGSPAN_VECTORS_DIR` (by default `tests/data`) is run,
//! unless it is listed in `not_built.rs`; an entry that is neither run nor listed is a failure, and so is a
//! line of that list that no longer says the truth. `cargo test --test vectors -- --nocapture` shows what
//! ran.

#![expect(unreachable_pub, reason = "nobody can import a test crate; `pub` marks what its other files use")]

mod answers;
mod entry;
mod heads;
mod not_built;
mod routing;
mod setup;
mod tracing;
mod zipkin;

use not_built::{NOT_BUILT, NotBuilt};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Checks one entry; the error says what was expected and what came.
pub type Runner = fn(&Table) -> Result<(), String>;

/// Finds the runner of a category of a file.
type Runners = fn(&str, &str) -> Option<Runner>;

/// The files that are known, each with at least one runner or line in the list.
const FILES: [&str; 3] = ["routing-vectors.toml", "tracing-vectors.toml", "policy-vectors.toml"];

fn runner(file: &str, category: &str) -> Option<Runner> {
    match file {
        "routing-vectors.toml" => routing::runner(category)
            .or_else(|| heads::routing(category))
            .or_else(|| answers::routing(category)),
        "tracing-vectors.toml" => tracing::runner(category).or_else(|| zipkin::runner(category)),
        "policy-vectors.toml" if category == "sample_header" => Some(tracing::sample_header),
        "policy-vectors.toml" => heads::policy(category).or_else(|| answers::policy(category)),
        _ => None,
    }
}

#[test]
fn every_vector_holds_or_is_listed_as_not_built() {
    let given = std::env::var_os("RINGSPAN_VECTORS_DIR");
    let folder = given
        .clone()
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data"), PathBuf::from);
    let files = read_files(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!files.is_empty(), "no *-vectors.toml in {}", folder.display());

    // Printed at once and on lines of its own, because the test harness writes to the same place.
    let mut shown = String::from("\n");
    let mut missing = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, text) in files {
        let report = run_file(&name, &text, runner, NOT_BUILT);
        for (category, ran, not_built) in report.categories {
            writeln!(shown, "{name} {category} ran {ran} not-built {not_built}").unwrap();
        }
        for (reason, entries) in report.missing {
            *missing.entry(reason).or_insert(0) += entries;
        }
        problems.extend(report.problems);
        // Another folder may hold other vectors of the same categories; the list is written for ours.
        if given.is_none() {
            problems.extend(report.stale);
        }
    }
    for (reason, entries) in missing {
        writeln!(shown, "{entries} entries: {reason}").unwrap();
    }
    print!("{shown}");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Name and text of every vector file in `folder`, sorted by name.
fn read_files(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && name.ends_with("-vectors.toml")
        {
            files.push((name, std::fs::read_to_string(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

/// What came of one file.
#[derive(Debug, Default)]
struct Report {
    /// Category, entries run, entries listed as not built; in the order of the file.
    categories: Vec<(String, usize, usize)>,
    /// How many entries are not run, by reason.
    missing: BTreeMap<&'static str, usize>,
    /// Entries that do not hold, or that nothing accounts for.
    problems: Vec<String>,
    /// Lines of the list that match nothing, or whose category runs by now.
    stale: Vec<String>,
}

fn run_file(file: &str, text: &str, runners: Runners, not_built: &[NotBuilt]) -> Report {
    let mut report = Report::default();
    if !FILES.contains(&file) {
        report.problems.push(format!("{file}: nothing is known about this file"));
        return report;
    }
    let categories: Table = match text.parse() {
        Ok(categories) => categories,
        Err(error) => {
            report.problems.push(format!("{file}: {error}"));
            return report;
        }
    };
    let lines: Vec<_> = not_built.iter().filter(|line| line.file == file).collect();
    for (category, entries) in &categories {
        let lines: Vec<_> = lines.iter().filter(|line| line.category == category).collect();
        let Some(entries) = entries.as_array() else {
            report.problems.push(format!("{file} {category}: not an array of tables"));
            continue;
        };
        let runner = runners(file, category);
        let (mut ran, mut skipped) = (0, 0);
        for (index, entry) in entries.iter().enumerate() {
            if let Some(line) = lines.iter().find(|line| line.covers(entry)) {
                skipped += 1;
                *report.missing.entry(line.reason).or_insert(0) += 1;
                continue;
            }
            ran += 1;
            let outcome = match (runner, entry) {
                (Some(run), Value::Table(entry)) => run(entry),
                (Some(_), _) => Err("not a table".to_owned()),
                (None, _) => Err("neither run nor listed as not built".to_owned()),
            };
            if let Err(problem) = outcome {
                report.problems.push(format!("{file} {category}[{index}]: {problem}"));
            }
        }
        if runner.is_some() && lines.iter().any(|line| line.part.is_none()) {
            report
                .stale
                .push(format!("{file} {category} is listed as not built, but there is a runner for it"));
        }
        report.categories.push((category.clone(), ran, skipped));
    }
    for line in lines {
        let entries =
            categories.get(line.category).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !entries.iter().any(|entry| line.covers(entry)) {
            report
                .stale
                .push(format!("{file}: a line of the list of what is not built matches no entry: {line:?}"));
        }
    }
    report
}

mod harness {
    use super::*;
    use not_built::{part, whole};

    const FILE: &str = "routing-vectors.toml";

    fn run(text: &str, not_built: &[NotBuilt]) -> Report {
        fn runners(_: &str, category: &str) -> Option<Runner> {
            (category == "even").then_some(|entry| match entry.get("n").and_then(Value::as_integer) {
                Some(n) if n % 2 == 0 => Ok(()),
                other => Err(format!("expected an even number, got {other:?}")),
            })
        }
        run_file(FILE, text, runners, not_built)
    }

    #[test]
    fn all_entries_run_and_every_failure_is_told_with_its_index() {
        let report = run("[[even]]\nn = 1\n[[even]]\nn = 2\n[[even]]\nn = 3\n", &[]);
        assert_eq!(report.categories, [("even".to_owned(), 3, 0)]);
        assert_eq!(report.problems.len(), 2);
        assert!(report.problems[1].starts_with("routing-vectors.toml even[2]: expected an even number"));
    }

    #[test]
    fn an_entry_without_runner_or_line_is_a_problem() {
        let text = "[[odd]]\nn = 1\nkind = 'a'\n[[odd]]\nn = 3\nkind = 'b'\n";
        assert_eq!(run(text, &[]).problems.len(), 2);
        let some = run(text, &[part(FILE, "odd", "kind", "a", "")]);
        assert_eq!(some.problems, ["routing-vectors.toml odd[1]: neither run nor listed as not built"]);
        let all = run(text, &[whole(FILE, "odd", "")]);
        assert_eq!((all.categories, all.problems), (vec![("odd".to_owned(), 0, 2)], vec![]));
    }

    #[test]
    fn a_line_that_says_no_longer_the_truth_is_stale() {
        let text = "[[even]]\nn = 2\n";
        for line in [whole(FILE, "even", ""), whole(FILE, "odd", ""), part(FILE, "even", "n", "4", "")] {
            assert_eq!(run(text, std::slice::from_ref(&line)).stale.len(), 1, "{line:?}");
        }
        assert_eq!(run(text, &[part(FILE, "even", "n", "2", "")]).stale, [""; 0]);
    }

    #[test]
    fn a_file_that_is_not_known_or_not_toml_is_a_problem() {
        assert_eq!(run_file("other-vectors.toml", "", runner, &[]).problems.len(), 1);
        assert_eq!(run("[[even", &[]).problems.len(), 1);
        assert_eq!(run("even = 2", &[]).problems.len(), 1);
    }
}
