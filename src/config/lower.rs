//! From the tree to parameters: the top level, the admin server, the collector and the shards. Routers and
//! telemeters have files of their own. Every mistake is noted and every section is looked at, whatever is wrong before.

use super::Config;
use super::error::Problem;
use super::keys;
use super::listeners::Listeners;
use super::lower_router;
use super::lower_telemetry;
use super::table::{Faults, Field, Table};
use super::tree::{Node, Value};
use super::value;
use crate::admin::AdminParams;
use crate::collector::CollectorParams;
use crate::shard::ShardsParams;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The parameters that `root` stands for. They mean nothing when `faults` has any mistake afterwards.
pub(super) fn lower(root: &Node, faults: &mut Faults<'_>) -> Config {
    let mut listeners = Listeners::default();
    let null = Node { at: root.at, content: root.at, value: Value::Map(Vec::new()) };
    // An empty YAML file is a null; it is a file without keys.
    let root = if root.value == Value::Null { &null } else { root };
    let top = Field { key: String::new(), node: root }.table(keys::FILE, faults);
    let field = |key: &str| top.as_ref().and_then(|top| top.field(key));

    let admin = lower_admin(field("admin").as_ref(), &mut listeners, faults);
    let routers = match field("routers") {
        Some(routers) => lower_router::lower(&routers, &mut listeners, faults),
        None => Vec::new(),
    };
    let telemetry = match field("telemetry") {
        Some(telemetry) => lower_telemetry::lower(&telemetry, faults),
        None => Vec::new(),
    };
    let collector = field("collector").map(|collector| lower_collector(&collector, &mut listeners, faults));
    let shards = match field("runtime") {
        Some(runtime) => lower_runtime(&runtime, faults),
        None => ShardsParams::default(),
    };

    let listed = match field("routers") {
        Some(Field { node: Node { value: Value::List(routers), .. }, .. }) => !routers.is_empty(),
        // Of a wrong type, which is noted already.
        Some(_) => true,
        None => false,
    };
    if top.is_some() && !listed && collector.is_none() {
        let at = field("routers").map_or(root.at, |routers| routers.node.at);
        faults.add_missing(at, "routers", Problem::NoRouters);
    }
    listeners.refuse_conflicts(faults);
    Config { admin, routers, telemetry, collector, shards }
}

fn lower_admin(field: Option<&Field<'_>>, listeners: &mut Listeners, faults: &mut Faults<'_>) -> AdminParams {
    let defaults = AdminParams::default();
    let Some(field) = field else {
        // It listens even when the file does not mention it.
        listeners.add_unwritten("admin", defaults.address);
        return defaults;
    };
    let Some(table) = field.table(keys::ADMIN, faults) else { return defaults };
    let address = address(&table, defaults.address, listeners, faults);
    let shutdown_grace = table
        .field("shutdownGraceMs")
        .and_then(|field| value::milliseconds(&field, SHUTDOWN_GRACE_MS, faults));
    AdminParams {
        address: address.unwrap_or(defaults.address),
        shutdown_grace: shutdown_grace.unwrap_or(defaults.shutdown_grace).max(LEAST_SHUTDOWN_GRACE),
    }
}

fn lower_collector(field: &Field<'_>, listeners: &mut Listeners, faults: &mut Faults<'_>) -> CollectorParams {
    let defaults = CollectorParams::default();
    let Some(table) = field.table(keys::COLLECTOR, faults) else { return defaults };
    let address = address(&table, defaults.address, listeners, faults);
    let max_spans = table.field("maxSpans").and_then(|field| value::count(&field, MAX_SPANS, faults));
    CollectorParams {
        address: address.unwrap_or(defaults.address),
        max_spans: max_spans.unwrap_or(defaults.max_spans),
    }
}

/// The `ip` and `port` of a table that describes a listener. None when one is wrong: then it is not the address of
/// anything, and clashes with nothing.
pub(super) fn address(
    table: &Table<'_>,
    default: SocketAddr,
    listeners: &mut Listeners,
    faults: &mut Faults<'_>,
) -> Option<SocketAddr> {
    let ip = table.field("ip").map_or(Some(default.ip()), |field| value::ip(&field, faults));
    let port_field = table.field("port");
    let port = port_field.as_ref().map_or(Some(default.port()), |field| value::port(field, faults));
    let address = SocketAddr::new(ip?, port?);
    listeners.add(table, port_field.as_ref(), address);
    Some(address)
}

fn lower_runtime(field: &Field<'_>, faults: &mut Faults<'_>) -> ShardsParams {
    let shards = field.table(keys::RUNTIME, faults).and_then(|table| table.field("shards"));
    let Some(field) = shards else { return ShardsParams::default() };
    match &field.node.value {
        Value::Integer(_) => {
            value::count(&field, SHARD_COUNT, faults).map_or(ShardsParams::default(), ShardsParams::Count)
        }
        Value::List(items) if items.is_empty() => {
            field.fault(Problem::Missing("a list of cores names at least one"), faults);
            ShardsParams::default()
        }
        Value::List(_) => ShardsParams::Cores(cores(&field, faults)),
        _ => {
            field.wrong_type("a number of shards or a list of cores", faults);
            ShardsParams::default()
        }
    }
}

fn cores(field: &Field<'_>, faults: &mut Faults<'_>) -> Vec<usize> {
    let mut cores = Vec::new();
    for item in field.items(faults) {
        let Some(core) = value::count(&item, CORES, faults) else { continue };
        if cores.contains(&core) {
            item.fault(Problem::DuplicateCore(core), faults);
        } else {
            cores.push(core);
        }
    }
    cores
}

/// Up to a day.
const SHUTDOWN_GRACE_MS: RangeInclusive<u32> = 0..=86_400_000;

/// A shorter grace is raised to it, as in Linkerd: a request that is nearly done ends within it.
const LEAST_SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Each takes about 1 KiB, so the largest is beyond the memory of most machines.
const MAX_SPANS: RangeInclusive<u32> = 1..=100_000_000;

/// As many as the kernel's CPU_SETSIZE knows cores.
const SHARD_COUNT: RangeInclusive<u32> = 1..=1_024;

/// Core numbers within the kernel's CPU_SETSIZE.
const CORES: RangeInclusive<u32> = 0..=1_023;
