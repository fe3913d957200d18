//! From a file to parameters: the only room that knows TOML, YAML and JSON.
//!
//! A file goes through three forms: its text ([`Source`]), one located tree whatever the language, and the parameter
//! structs that the rooms below define. The lowering from the second to the third collects every mistake, each with its
//! place, so that one run shows them all.

mod error;
mod from_toml;
mod from_yaml;
mod keys;
mod listeners;
mod lower;
mod lower_router;
mod lower_telemetry;
mod place;
mod self_loop;
mod table;
mod text;
mod tree;
mod value;
mod written;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Excerpt, LoadError, Problem};
pub use text::Source;

use crate::admin::AdminParams;
use crate::collector::CollectorParams;
use crate::router::RouterParams;
use crate::shard::ShardsParams;
use crate::zipkin::ZipkinParams;
use std::path::PathBuf;
use table::Faults;
use text::Text;
use tree::{MAX_FAULTS, Tree};

/// Everything that a configuration file says, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The admin server.
    pub admin: AdminParams,
    /// Routers, in the order of the file; empty only beside a collector.
    pub routers: Vec<RouterParams>,
    /// Telemeters, in the order of the file.
    pub telemetry: Vec<ZipkinParams>,
    /// The embedded collector, if the file has that section.
    pub collector: Option<CollectorParams>,
    /// The shards to start.
    pub shards: ShardsParams,
}

/// A configuration without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The parameters.
    pub config: Config,
    /// The file as JSON, for `/config.json`: its keys, and no others.
    pub json: serde_json::Value,
}

/// Reads and checks a configuration. Touches no socket.
///
/// # Errors
/// When there is no such file, or with every mistake in it.
pub fn load(source: &Source) -> Result<Loaded, LoadError> {
    lower_text(&Text::read(source)?)
}

/// As [`load`], for a text that is at hand; `file` gives the messages their name and, by its extension, the format.
///
/// # Errors
/// With every mistake in the text.
pub fn load_bytes(file: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Loaded, LoadError> {
    lower_text(&Text::from_bytes(file.into(), bytes)?)
}

fn lower_text(text: &Text) -> Result<Loaded, LoadError> {
    let Tree { root, faults, partial } = Tree::parse(text);
    let mut faults = Faults::new(text, faults, partial);
    let config = lower::lower(&root, &mut faults);
    let faults = faults.into_sorted();
    if faults.is_empty() {
        let json = written::to_json(&root, &config);
        return Ok(Loaded { config, json });
    }
    let shown = faults.into_iter().take(MAX_FAULTS);
    Err(LoadError::Invalid(shown.map(|fault| text.error(fault.at, fault.key, fault.problem)).collect()))
}
