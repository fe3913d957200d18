//! Categories about Zipkin as a server: its ids, its JSON, its store, its queries and its HTTP answers.
//!
//! The last three run against a collector over a socket.

use crate::Runner;
use crate::entry::{flag, number, only, same, text, texts};
use ringspan::clock::Clock;
use ringspan::collector::annotation_query::AnnotationQuery;
use ringspan::collector::{Collector, CollectorParams};
use ringspan::zipkin::v2::{IdError, SpanId, TraceId, decode_list, encode_span};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use toml::Table;

/// The runner of a category of `tracing-vectors.toml`.
pub fn runner(category: &str) -> Option<Runner> {
    Some(match category {
        "zipkin_id" => zipkin_id,
        "v2_json_encode" => v2_json_encode,
        "v2_json_decode" => v2_json_decode,
        "annotation_query" => annotation_query,
        "query_match" => query_match,
        "store_eviction" => store_eviction,
        "zipkin_http" => zipkin_http,
        _ => return None,
    })
}

fn zipkin_id(entry: &Table) -> Result<(), String> {
    only(entry, &["field", "text", "ok", "stored", "stored_absent", "error"])?;
    let given = text(entry, "text")?;
    let read = match text(entry, "field")? {
        "traceId" => TraceId::parse(given).map(|id| Some(id.to_string())),
        "id" => SpanId::parse("id", given).map(|id| Some(id.to_string())),
        "parentId" => match SpanId::parse("parentId", given) {
            Err(IdError::Zero(_)) => Ok(None),
            read => read.map(|id| Some(id.to_string())),
        },
        field => return Err(format!("unknown field {field}")),
    };
    let expected = if flag(entry, "ok")? {
        Ok(if entry.contains_key("stored_absent") { None } else { Some(text(entry, "stored")?.to_owned()) })
    } else {
        Err(text(entry, "error")?.to_owned())
    };
    same("id", read.map_err(|error| error.to_string()), expected)
}

fn v2_json_encode(entry: &Table) -> Result<(), String> {
    only(entry, &["name", "input", "json", "json_bytes"])?;
    let json = reencode(text(entry, "input")?)?;
    same("json", json.as_str(), text(entry, "json")?)?;
    same("json_bytes", Some(json.len()), number(entry, "json_bytes"))
}

fn v2_json_decode(entry: &Table) -> Result<(), String> {
    only(entry, &["name", "input", "ok", "json", "error_contains"])?;
    match (reencode(text(entry, "input")?), flag(entry, "ok")?) {
        (Ok(json), true) => same("json", parse(&json)?, parse(text(entry, "json")?)?),
        (Err(error), false) => contains(&error, text(entry, "error_contains")?),
        (read, _) => Err(format!("got {read:?}")),
    }
}

/// One span, read and written again.
fn reencode(span: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let list = format!("[{span}]");
    decode_list(list.as_bytes(), |span| encode_span(&span, &mut out)).map_err(|error| error.to_string())?;
    String::from_utf8(out).map_err(|error| error.to_string())
}

fn annotation_query(entry: &Table) -> Result<(), String> {
    only(entry, &["query", "keys", "values"])?;
    let query = AnnotationQuery::parse(text(entry, "query")?)?;
    let read: BTreeSet<_> = query.conditions().map(|part| (part.key, part.value.unwrap_or(""))).collect();
    let expected: BTreeSet<_> = texts(entry, "keys")?.into_iter().zip(texts(entry, "values")?).collect();
    same("conditions", read, expected)
}

fn query_match(entry: &Table) -> Result<(), String> {
    let parameters = [
        "serviceName",
        "remoteServiceName",
        "spanName",
        "annotationQuery",
        "minDuration",
        "maxDuration",
        "endTs",
        "lookback",
    ];
    only(entry, &[["name", "spans", "match"].as_slice(), &parameters].concat())?;
    let server = Server::start(1_000)?;
    same("status", server.post(&format!("[{}]", texts(entry, "spans")?.join(",")))?, 202)?;
    let mut target = "/api/v2/traces?".to_owned();
    for key in parameters {
        if let Some(value) = entry.get(key) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            target.push_str(&format!("{key}={}&", percent_encode(&value)));
        }
    }
    let found = parse(&server.get(&target)?.body)?;
    let traces = found.as_array().ok_or_else(|| format!("{target} answered {found}"))?.len();
    same(&target, traces == 1, flag(entry, "match")?)
}

fn store_eviction(entry: &Table) -> Result<(), String> {
    only(entry, &["name", "max_spans", "batches", "remaining_trace_ids", "remaining_spans", "services"])?;
    let server = Server::start(number(entry, "max_spans").ok_or("no max_spans")?)?;
    let mut sent = BTreeSet::new();
    for batch in texts(entry, "batches")? {
        for span in parse(batch)?.as_array().into_iter().flatten() {
            sent.extend(span["traceId"].as_str().map(str::to_owned));
        }
        same("status", server.post(batch)?, 202)?;
    }
    let mut remaining = Vec::new();
    let mut spans = 0;
    for id in &sent {
        let answer = server.get(&format!("/api/v2/trace/{id}"))?;
        if answer.status == 200 {
            spans += parse(&answer.body)?.as_array().map_or(0, Vec::len);
            remaining.push(id.as_str());
        }
    }
    same("remaining_trace_ids", remaining, texts(entry, "remaining_trace_ids")?)?;
    same("remaining_spans", Some(spans), number(entry, "remaining_spans"))?;
    let services = parse(&server.get("/api/v2/services")?.body)?;
    same("services", services, Json::from(texts(entry, "services")?))
}

fn zipkin_http(entry: &Table) -> Result<(), String> {
    let sent = ["method", "path", "request_headers", "request_body", "request_body_hex"];
    only(entry, &[["name", "status", "body", "body_contains"].as_slice(), &sent].concat())?;
    let server = Server::start(1_000)?;
    let body = match text(entry, "request_body_hex") {
        Ok(hex) => bytes_of(hex)?,
        Err(_) => text(entry, "request_body").unwrap_or_default().as_bytes().to_vec(),
    };
    let headers = texts(entry, "request_headers")?;
    let answer = server.send(text(entry, "method")?, text(entry, "path")?, &headers, &body)?;
    same("status", Some(usize::from(answer.status)), number(entry, "status"))?;
    if let Ok(body) = text(entry, "body") {
        same("body", answer.body.as_str(), body)?;
    }
    if let Ok(part) = text(entry, "body_contains") {
        contains(&answer.body, part)?;
    }
    match text(entry, "note").ok().and_then(|note| note.strip_prefix("location: ")) {
        Some(location) => contains(&answer.head, &format!("\r\nlocation: {location}\r\n")),
        None => Ok(()),
    }
}

/// A collector on a port of its own, stopped when dropped.
struct Server {
    address: SocketAddr,
    collector: Option<Collector>,
}

struct Answer {
    status: u16,
    /// Status line and headers, lower-case.
    head: String,
    body: String,
}

impl Server {
    fn start(max_spans: usize) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let params = CollectorParams { max_spans, ..CollectorParams::default() };
        let collector =
            Collector::start(&params, listener, Clock::start()).map_err(|error| error.to_string())?;
        Ok(Self { address: collector.local_addr(), collector: Some(collector) })
    }

    fn post(&self, spans: &str) -> Result<u16, String> {
        Ok(self.send("POST", "/api/v2/spans", &[], spans.as_bytes())?.status)
    }

    fn get(&self, target: &str) -> Result<Answer, String> {
        self.send("GET", target, &[], b"")
    }

    fn send(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Result<Answer, String> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: collector\r\nconnection: close\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let exchange = || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(&[request.as_bytes(), body].concat())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().map_err(|error: std::io::Error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer:?}"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("no status: {head:?}"))?;
        Ok(Answer { status, head: format!("{}\r\n", head.to_ascii_lowercase()), body: body.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(collector) = self.collector.take() {
            collector.shutdown();
        }
    }
}

fn contains(found: &str, part: &str) -> Result<(), String> {
    if found.contains(part) { Ok(()) } else { Err(format!("{part:?} is not in {found:?}")) }
}

fn parse(json: &str) -> Result<Json, String> {
    serde_json::from_str(json).map_err(|error| format!("{error} in {json:?}"))
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Result<Vec<u8>, String> {
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap_or(""), 16);
    hex.as_bytes().chunks(2).map(byte).collect::<Result<_, _>>().map_err(|error| error.to_string())
}
