//! The configuration as JSON for `/config.json`: the keys that the file has, as it has them.

use super::Config;
use super::tree::{Entry, Node, Value};
use serde_json::{Map, Value as Json};

/// The JSON of `root`, whose parameters are `config`. Dtabs are printed in their canonical form; keys that are not set
/// are left out.
pub(super) fn to_json(root: &Node, config: &Config) -> Json {
    let mut json = convert(root);
    if json.is_null() {
        json = Json::Object(Map::new());
    }
    let routers = json.get_mut("routers").and_then(Json::as_array_mut);
    for (router, params) in routers.into_iter().flatten().zip(&config.routers) {
        if let Some(dtab) = router.get_mut("dtab") {
            *dtab = Json::String(params.dtab.to_string());
        }
    }
    json
}

fn convert(node: &Node) -> Json {
    match &node.value {
        // No key wants a date, so none is left in a file without errors.
        Value::Null | Value::Date | Value::Broken => Json::Null,
        Value::Boolean(boolean) => Json::Bool(*boolean),
        Value::Integer(integer) => i64::try_from(*integer).map_or(Json::Null, Json::from),
        Value::Float(float) => Json::from(*float),
        Value::String(string) => Json::String(string.clone()),
        Value::List(items) => Json::Array(items.iter().map(convert).collect()),
        Value::Map(entries) => {
            let written = entries.iter().filter(|entry| entry.node.value != Value::Null);
            Json::Object(written.map(|Entry { key, node, .. }| (key.clone(), convert(node))).collect())
        }
    }
}
