//! Minimal harness: the real one is written elsewhere and replaces this file.
mod zipkin;

/// Runs one entry.
pub type Runner = fn(&toml::Table) -> Result<(), String>;

#[test]
fn vectors() {
    let dir = std::env::var("RINGSPAN_VECTORS_DIR").unwrap_or_else(|_| "tests/data".to_owned());
    let text = std::fs::read_to_string(format!("{dir}/tracing-vectors.toml")).unwrap();
    let mut failures = Vec::new();
    for (category, entries) in text.parse::<toml::Table>().unwrap() {
        let Some(run) = zipkin::runner(&category) else { continue };
        let entries = entries.as_array().unwrap();
        for entry in entries {
            if let Err(why) = run(entry.as_table().unwrap()) {
                failures.push(format!("{category} {:?}: {why}", entry.get("name")));
            }
        }
        println!("{category} ran {}", entries.len());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
