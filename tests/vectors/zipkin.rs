//! Categories about Zipkin as a server: its ids, its JSON, its store, its queries and its HTTP answers.
//!
//! The last three run against a collector over a socket.

use crate::Runner;
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
pub(crate) fn runner(category: &str) -> Option<Runner> {
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
    let text = string(entry, "text")?;
    let read = match string(entry, "field")? {
        "traceId" => TraceId::parse(text).map(|id| Some(id.to_string())),
        "id" => SpanId::parse("id", text).map(|id| Some(id.to_string())),
        "parentId" => match SpanId::parse("parentId", text) {
            Err(IdError::Zero(_)) => Ok(None),
            read => read.map(|id| Some(id.to_string())),
        },
        field => return Err(format!("unknown field {field}")),
    };
    let expected = if boolean(entry, "ok")? {
        Ok(if entry.contains_key("stored_absent") { None } else { Some(string(entry, "stored")?.to_owned()) })
    } else {
        Err(string(entry, "error")?.to_owned())
    };
    equal(&read.map_err(|error| error.to_string()), &expected)
}

fn v2_json_encode(entry: &Table) -> Result<(), String> {
    let json = reencode(string(entry, "input")?)?;
    equal(&json.as_str(), &string(entry, "json")?)?;
    equal(&i64::try_from(json.len()).ok(), &entry.get("json_bytes").and_then(toml::Value::as_integer))
}

fn v2_json_decode(entry: &Table) -> Result<(), String> {
    match (reencode(string(entry, "input")?), boolean(entry, "ok")?) {
        (Ok(json), true) => equal(&parse(&json)?, &parse(string(entry, "json")?)?),
        (Err(error), false) => contains(&error, string(entry, "error_contains")?),
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
    let query = AnnotationQuery::parse(string(entry, "query")?)?;
    let read: BTreeSet<_> =
        query.conditions().map(|part| (part.key.to_owned(), part.value.unwrap_or("").to_owned())).collect();
    let expected: BTreeSet<_> = strings(entry, "keys")?.into_iter().zip(strings(entry, "values")?).collect();
    equal(&read, &expected)
}

fn query_match(entry: &Table) -> Result<(), String> {
    let server = Server::start(1_000)?;
    let spans = strings(entry, "spans")?;
    equal(&server.post(&format!("[{}]", spans.join(",")))?, &202)?;
    let mut target = "/api/v2/traces?".to_owned();
    for (key, value) in entry {
        if !["name", "origin", "spans", "match", "note"].contains(&key.as_str()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            target.push_str(&format!("{key}={}&", percent_encode(&value)));
        }
    }
    let found = parse(&server.get(&target)?.body)?;
    let traces = found.as_array().ok_or_else(|| format!("{target} answered {found}"))?.len();
    equal(&(traces == 1), &boolean(entry, "match")?).map_err(|why| format!("{target}: {why}"))
}

fn store_eviction(entry: &Table) -> Result<(), String> {
    let max_spans = entry.get("max_spans").and_then(toml::Value::as_integer).ok_or("max_spans")?;
    let server = Server::start(usize::try_from(max_spans).map_err(|error| error.to_string())?)?;
    let mut sent = BTreeSet::new();
    for batch in strings(entry, "batches")? {
        let spans = parse(&batch)?;
        sent.extend(spans.as_array().into_iter().flatten().map(|span| text(span, "traceId")));
        equal(&server.post(&batch)?, &202)?;
    }
    let mut remaining = BTreeSet::new();
    let mut spans = 0;
    for id in sent {
        let answer = server.get(&format!("/api/v2/trace/{id}"))?;
        if answer.status == 200 {
            spans += parse(&answer.body)?.as_array().map_or(0, Vec::len);
            remaining.insert(id);
        }
    }
    equal(&remaining, &strings(entry, "remaining_trace_ids")?.into_iter().collect())?;
    equal(&i64::try_from(spans).ok(), &entry.get("remaining_spans").and_then(toml::Value::as_integer))?;
    equal(&parse(&server.get("/api/v2/services")?.body)?, &Json::from(strings(entry, "services")?))
}

fn zipkin_http(entry: &Table) -> Result<(), String> {
    let server = Server::start(1_000)?;
    let body = match entry.get("request_body_hex").and_then(toml::Value::as_str) {
        Some(hex) => bytes_of(hex)?,
        None => string(entry, "request_body").unwrap_or_default().as_bytes().to_vec(),
    };
    let headers = strings(entry, "request_headers").unwrap_or_default();
    let answer = server.send(string(entry, "method")?, string(entry, "path")?, &headers, &body)?;
    equal(&Some(i64::from(answer.status)), &entry.get("status").and_then(toml::Value::as_integer))?;
    if let Ok(body) = string(entry, "body") {
        equal(&answer.body.as_str(), &body)?;
    }
    if let Ok(part) = string(entry, "body_contains") {
        contains(&answer.body, part)?;
    }
    match string(entry, "note").ok().and_then(|note| note.strip_prefix("location: ")) {
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

    fn send(&self, method: &str, target: &str, headers: &[String], body: &[u8]) -> Result<Answer, String> {
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

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("got {found:?}, expected {expected:?}")) }
}

fn contains(found: &str, part: &str) -> Result<(), String> {
    if found.contains(part) { Ok(()) } else { Err(format!("{part:?} is not in {found:?}")) }
}

fn string<'e>(entry: &'e Table, key: &str) -> Result<&'e str, String> {
    entry.get(key).and_then(toml::Value::as_str).ok_or_else(|| format!("no text {key}"))
}

fn boolean(entry: &Table, key: &str) -> Result<bool, String> {
    entry.get(key).and_then(toml::Value::as_bool).ok_or_else(|| format!("no truth value {key}"))
}

fn strings(entry: &Table, key: &str) -> Result<Vec<String>, String> {
    let list = entry.get(key).and_then(toml::Value::as_array).ok_or_else(|| format!("no list {key}"))?;
    Ok(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
}

fn text(json: &Json, key: &str) -> String {
    json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
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
