//! The configuration's `routers` to parameters.

use super::error::Problem;
use super::keys;
use super::listeners::Listeners;
use super::lower;
use super::self_loop;
use super::table::{Faults, Field, Table};
use super::tree::Value;
use super::value;
use crate::http1::Limits;
use crate::name::Path;
use crate::router::RouterParams;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The routers of a list, in its order.
pub(super) fn lower(
    field: &Field<'_>,
    listeners: &mut Listeners,
    faults: &mut Faults<'_>,
) -> Vec<RouterParams> {
    let mut routers = Vec::<RouterParams>::new();
    for item in field.items(faults) {
        let Some(table) = item.table(keys::ROUTER, faults) else { continue };
        let router = lower_one(&table, listeners, faults);
        // An empty label is one that is wrong and noted.
        if !router.label.is_empty() && routers.iter().any(|earlier| earlier.label == router.label) {
            let at = table.field("label").map_or(table.at, |label| label.node.at);
            faults.add(at, table.full_name("label"), Problem::DuplicateLabel(router.label.clone()));
        }
        routers.push(router);
    }
    routers
}

fn lower_one(table: &Table<'_>, listeners: &mut Listeners, faults: &mut Faults<'_>) -> RouterParams {
    let protocol = protocol(table, faults);
    let label = match table.field("label") {
        Some(field) => value::label(&field, faults),
        None => protocol,
    };
    let label = label.unwrap_or_default();
    let servers = servers(table, &label, listeners, faults);
    let dtab_field = table.field("dtab");
    let dtab = dtab_field.as_ref().and_then(|field| value::dtab(field, faults)).unwrap_or_default();
    let prefix = match table.field("dstPrefix") {
        Some(field) => value::path(&field, faults),
        None => Some(default_prefix()),
    };
    if let (Some(field), Some(prefix)) = (dtab_field, &prefix)
        && let Some(found) = self_loop::find(&dtab, prefix, &servers)
    {
        field.fault(Problem::SelfLoop { names: found.names, server: found.server }, faults);
    }
    let binding_timeout = table
        .field("bindingTimeoutMs")
        .and_then(|field| value::milliseconds(&field, BINDING_TIMEOUT_MS, faults))
        .unwrap_or(DEFAULT_BINDING_TIMEOUT);
    let defaults = Limits::default();
    let mut limit = |key, default| {
        let limit = table.field(key).and_then(|field| value::kibibytes(&field, LIMIT_KB, faults));
        limit.unwrap_or(default)
    };
    let limits = Limits {
        initial_line: limit("maxInitialLineKB", defaults.initial_line),
        headers: limit("maxHeadersKB", defaults.headers),
    };
    RouterParams { label, dtab, dst_prefix: prefix.unwrap_or_default(), servers, binding_timeout, limits }
}

/// The protocol's name, which is also the label of a router without one. None when that is wrong.
fn protocol(table: &Table<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let Some(field) = table.field("protocol") else {
        let key = table.full_name("protocol");
        faults.add_missing(table.at, key, Problem::Missing("every router has a protocol, which is \"http\""));
        return None;
    };
    let protocol = value::string(&field, faults)?;
    if protocol != HTTP {
        field.fault(Problem::UnknownWord { found: protocol.to_owned(), known: &[HTTP] }, faults);
    }
    Some(protocol.to_owned())
}

fn servers(
    table: &Table<'_>,
    label: &str,
    listeners: &mut Listeners,
    faults: &mut Faults<'_>,
) -> Vec<SocketAddr> {
    let field = table.field("servers");
    let items = field.as_ref().map(|field| (field.node.at, field.items(faults)));
    let listed = items.as_ref().is_some_and(|(_, items)| !items.is_empty());
    // A value of another type is noted already.
    let wrong = field.is_some_and(|field| !matches!(field.node.value, Value::List(_)));
    if !listed && !wrong {
        let at = items.as_ref().map_or(table.at, |(at, _)| *at);
        faults.add_missing(at, table.full_name("servers"), Problem::NoServers(label.to_owned()));
    }
    let mut servers = Vec::new();
    for item in items.map(|(_, items)| items).unwrap_or_default() {
        if let Some(server) = item.table(keys::SERVER, faults) {
            servers.extend(lower::address(&server, DEFAULT_SERVER, listeners, faults));
        }
    }
    servers
}

/// Linkerd's.
fn default_prefix() -> Path {
    Path::from_labels(["svc"])
}

/// The one protocol of this version.
const HTTP: &str = "http";

/// Linkerd's.
const DEFAULT_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4140);

/// Linkerd's.
const DEFAULT_BINDING_TIMEOUT: Duration = Duration::from_millis(10_000);

/// Up to an hour: beyond it no caller waits.
const BINDING_TIMEOUT_MS: RangeInclusive<u32> = 1..=3_600_000;

/// Every connection may buffer that much, hence no more than 1 MiB.
const LIMIT_KB: RangeInclusive<u32> = 1..=1_024;
