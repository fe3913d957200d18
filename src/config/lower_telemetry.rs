//! The configuration's `telemetry` to parameters.

use super::error::Problem;
use super::keys;
use super::table::{Faults, Field, Table};
use super::value;
use crate::zipkin::ZipkinParams;

/// The telemeters of a list, in its order.
pub(super) fn lower(field: &Field<'_>, faults: &mut Faults<'_>) -> Vec<ZipkinParams> {
    let items = field.items(faults);
    items.iter().filter_map(|item| lower_one(item, faults)).collect()
}

fn lower_one(item: &Field<'_>, faults: &mut Faults<'_>) -> Option<ZipkinParams> {
    // Which keys are known depends on the kind, so that comes first.
    let table = item.entries(faults)?;
    let Some(kind) = table.field("kind") else {
        let problem = Problem::Missing("a telemeter has a kind, such as \"io.l5d.zipkin\"");
        faults.add_missing(table.at, table.full_name("kind"), problem);
        return None;
    };
    match value::string(&kind, faults)? {
        "io.l5d.zipkin" => Some(l5d_zipkin(&table, &kind, faults)),
        "io.zipkin.http" => Some(zipkin_http(&table, faults)),
        other => {
            let known = keys::TELEMETER_KINDS;
            let meant = keys::meant(other, known);
            kind.fault(Problem::UnknownKind { found: other.to_owned(), meant, known }, faults);
            None
        }
    }
}

/// Linkerd's own kind. Its default port is that of Zipkin's Scribe transport, and stays so: a file that relies on it
/// must be told, not sent elsewhere.
fn l5d_zipkin(table: &Table<'_>, kind: &Field<'_>, faults: &mut Faults<'_>) -> ZipkinParams {
    table.refuse_unknown(keys::L5D_ZIPKIN, faults);
    let host = table.field("host").and_then(|field| value::host(&field, faults));
    let port_field = table.field("port");
    let port = port_field.as_ref().map(|field| value::remote_port(field, faults));
    let transport_field = table.field("transport");
    let transport = transport_field.as_ref().map(|field| transport(field, faults));
    match (transport, port) {
        (Some(Some(Transport::Scribe)), _) => {
            let field = transport_field.as_ref().unwrap_or(kind);
            field.fault(Problem::Scribe("transport = \"scribe\""), faults);
        }
        (None, Some(Some(SCRIBE_PORT))) => {
            port_field.as_ref().unwrap_or(kind).fault(Problem::Scribe("port 9410"), faults);
        }
        (None, None) => {
            let problem = Problem::Scribe("the default port 9410");
            faults.add_missing(kind.node.at, table.full_name("port"), problem);
        }
        // HTTP, or a value that is wrong and noted.
        _ => {}
    }
    let sample_rate = table.field("sampleRate").and_then(|field| value::share(&field, faults));
    ZipkinParams {
        host: host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
        port: port.flatten().unwrap_or(SCRIBE_PORT),
        host_header: None,
        compress: false,
        sample_rate: sample_rate.unwrap_or(DEFAULT_SAMPLE_RATE),
    }
}

/// The kind of the linkerd-zipkin plug-in.
fn zipkin_http(table: &Table<'_>, faults: &mut Faults<'_>) -> ZipkinParams {
    table.refuse_unknown(keys::ZIPKIN_HTTP, faults);
    let host = table.field("host").and_then(|field| value::host_and_port(&field, faults));
    let (host, port) = host.unwrap_or_else(|| (DEFAULT_HOST.to_owned(), HTTP_PORT));
    let host_header = table.field("hostHeader").and_then(|field| value::host_header(&field, faults));
    let compress = table.field("compressionEnabled").and_then(|field| value::boolean(&field, faults));
    let sample_rate = table.field("initialSampleRate").and_then(|field| value::share(&field, faults));
    ZipkinParams {
        host,
        port,
        host_header: Some(host_header.unwrap_or_else(|| DEFAULT_HOST_HEADER.to_owned())),
        compress: compress.unwrap_or(true),
        sample_rate: sample_rate.unwrap_or(DEFAULT_SAMPLE_RATE),
    }
}

/// How spans reach Zipkin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Http,
    Scribe,
}

fn transport(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<Transport> {
    match value::string(field, faults)? {
        "http" => Some(Transport::Http),
        "scribe" => Some(Transport::Scribe),
        other => {
            let problem = Problem::UnknownWord { found: other.to_owned(), known: &["http", "scribe"] };
            field.fault(problem, faults);
            None
        }
    }
}

/// The default of `host` in both kinds.
const DEFAULT_HOST: &str = "localhost";

/// The default of `sampleRate` and `initialSampleRate`.
const DEFAULT_SAMPLE_RATE: f64 = 0.001;

/// The default of `hostHeader`.
const DEFAULT_HOST_HEADER: &str = "zipkin";

/// Zipkin's port for the Scribe transport.
const SCRIBE_PORT: u16 = 9410;

/// Zipkin's port for HTTP.
const HTTP_PORT: u16 = 9411;
