//! Runners for what the proxy answers itself: the faults of a router, and heads that no router sees. Each answer
//! is encoded by the code that serves requests, and parsed again.

use super::Runner;
use super::entry::{flag, number, only, same, text, texts};
use super::setup::{Lines, complete, owned, pick, router, values};
use ringspan::client::Addresses;
use ringspan::clock::Monotonic;
use ringspan::http::Version;
use ringspan::http1::{HeaderSlots, Limits, Parsed, encode, parse_request, parse_response};
use ringspan::identifier::host_token;
use ringspan::name::Path;
use ringspan::router::{Fault, Router, Service, Target, Waiting, encode_err};
use std::rc::Rc;
use std::time::Duration;
use toml::Table;

/// The runner of a category of `routing-vectors.toml`.
pub fn routing(category: &str) -> Option<Runner> {
    Some(match category {
        "err_encoding" => err_encoding,
        "error_response" => error_response,
        _ => return None,
    })
}

/// The runner of a category of `policy-vectors.toml`.
pub fn policy(category: &str) -> Option<Runner> {
    Some(match category {
        "l5d_err_encoding" => l5d_err_encoding,
        "error_response" => situation,
        _ => return None,
    })
}

fn err_encoding(entry: &Table) -> Result<(), String> {
    only(entry, &["message", "l5d_err"])?;
    same("l5d_err", encoded(text(entry, "message")?), text(entry, "l5d_err")?)
}

fn l5d_err_encoding(entry: &Table) -> Result<(), String> {
    only(entry, &["message", "header"])?;
    same("header", encoded(text(entry, "message")?), text(entry, "header")?)
}

fn encoded(message: &str) -> String {
    let mut out = String::new();
    encode_err(message, ERR_LIMIT, &mut out);
    out
}

fn error_response(entry: &Table) -> Result<(), String> {
    let request = ["name", "router_dtab", "override_dtab", "client", "addresses", "selected"];
    let answer = ["binding_timeout_ms", "status", "body", "l5d_err", "content_type"];
    only(entry, &[&["case"], &request[..], &answer].concat())?;
    let answer = match text(entry, "case")? {
        case @ ("no_binding" | "unknown_system_namer") => {
            let overrides = text(entry, "override_dtab").unwrap_or_default();
            same("override_dtab", overrides, "")?;
            let fault = unbound(text(entry, "router_dtab")?, text(entry, "name")?)?;
            same("no binding", matches!(fault, Fault::Unroutable { .. }), case == "no_binding")?;
            Answer::to(&fault)?
        }
        "connection_failed" => {
            let target = refused(text(entry, "name")?, text(entry, "client")?)?;
            same("addresses", target.addresses.clone(), texts(entry, "addresses")?)?;
            same("selected", target.selected.as_str(), text(entry, "selected")?)?;
            Answer::to(&Fault::Unconnected(Box::new(target)))?
        }
        "binding_timeout" => {
            let limit = number(entry, "binding_timeout_ms").and_then(|limit| u64::try_from(limit).ok());
            let limit = Duration::from_millis(limit.ok_or("no timeout")?);
            let service = text(entry, "name")?.to_owned();
            Answer::to(&Fault::BindingTimeout { limit, waiting: Waiting::Resolving, service })?
        }
        "malformed_upstream_response" => Answer::to(&conflicting_response()?)?,
        "conflicting_request_content_length" => Answer::to_head(
            b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n",
        )?,
        other => return Err(format!("the runner knows no case {other:?}")),
    };
    same("status", Some(usize::from(answer.status)), number(entry, "status"))?;
    if entry.contains_key("body") {
        same("body", answer.body.as_str(), text(entry, "body")?)?;
    }
    if entry.contains_key("l5d_err") {
        same("l5d_err", values(&answer.headers, "l5d-err"), [text(entry, "l5d_err")?])?;
    }
    if entry.contains_key("content_type") {
        same("content_type", values(&answer.headers, "content-type"), [text(entry, "content_type")?])?;
    }
    Ok(())
}

fn situation(entry: &Table) -> Result<(), String> {
    let keys = ["situation", "status", "l5d_err", "l5d_retryable", "body_starts", "http_version", "closes"];
    only(entry, &keys)?;
    let answer = match text(entry, "situation")? {
        "request that no identifier accepts" => Answer::to(&unidentified()?)?,
        "name resolves to neg" => Answer::to(&unbound("/svc => ~", "/svc/web")?)?,
        "endpoint refuses the connection" => {
            Answer::to(&Fault::Unconnected(Box::new(refused("/svc/web", "/$/inet/127.1/1")?)))?
        }
        "write failure known not to be transmitted" => Answer::to(&broken("broken pipe", true))?,
        "conflicting Content-Length in the response" => Answer::to(&conflicting_response()?)?,
        "backend closes mid-exchange" => Answer::to(&broken("connection closed", false))?,
        "headers over maxHeadersKB" => {
            let long = "x".repeat(Limits::default().headers);
            Answer::to_head(format!("GET / HTTP/1.1\r\nHost: web\r\nLong: {long}\r\n\r\n").as_bytes())?
        }
        other => return Err(format!("the runner knows no situation {other:?}")),
    };
    same("status", Some(usize::from(answer.status)), number(entry, "status"))?;
    let err = values(&answer.headers, "l5d-err");
    same("l5d_err", !err.is_empty(), flag(entry, "l5d_err")?)?;
    let retryable = values(&answer.headers, "l5d-retryable") == ["true"];
    same("l5d_retryable", retryable, flag(entry, "l5d_retryable")?)?;
    if entry.contains_key("http_version") {
        // Linkerd's codec answers as 1.0; a server's own version is the one to answer with (RFC 9110 6.2).
        same("http_version", text(entry, "http_version")?, "1.0")?;
        same("http_version", answer.version, Version::Http11)?;
    }
    if entry.contains_key("closes") {
        same("closes", answer.closes, flag(entry, "closes")?)?;
    }
    match text(entry, "body_starts") {
        Ok(start) if !answer.body.starts_with(start) => {
            Err(format!("body_starts: expected {start:?}, got {:?}", answer.body))
        }
        _ => Ok(()),
    }
}

/// The fault of a request without Host.
fn unidentified() -> Result<Fault, String> {
    let mut slots = HeaderSlots::new();
    let head = complete(parse_request(b"GET / HTTP/1.1\r\n\r\n", &Limits::default(), &mut slots))?;
    let reason = host_token(&head).err().ok_or("a request without Host is identified")?;
    let peer = Some(([127, 0, 0, 1], 54_321).into());
    Ok(Fault::Unidentified { request: "GET /".to_owned(), peer, reason: reason.to_owned() })
}

/// A router whose prefix is all but the last label of `name`, and the service of that name.
fn bind(dtab: &str, name: &str) -> Result<(Router, Rc<Service>), String> {
    let name = Path::parse(name).map_err(|error| error.to_string())?;
    let token = name.labels().last().ok_or("an empty name")?.to_bytes();
    let router = router(dtab, name.take(name.len() - 1).as_str())?;
    let service = router.service(&token, Monotonic::default());
    same("name", service.name(), name.as_str())?;
    Ok((router, service))
}

/// The fault of a name that leads nowhere.
fn unbound(dtab: &str, name: &str) -> Result<Fault, String> {
    let (router, service) = bind(dtab, name)?;
    match pick(&service, || router.explain_dtab()) {
        Ok(leaf) => Err(format!("{name} leads to {}", leaf.client().id())),
        Err(fault) => Ok(fault),
    }
}

/// What is said about the only address of a client.
fn refused(name: &str, client: &str) -> Result<Target, String> {
    let (_router, service) = bind(&format!("{name} => {client}"), name)?;
    let leaf = pick(&service, String::new).map_err(|fault| fault.to_string())?;
    let client = leaf.client();
    let Addresses::Known(destinations) = client.addresses() else {
        return Err(format!("{} has no addresses", client.id()));
    };
    let selected = destinations.first().map(|destination| client.print(destination.address()));
    Ok(Target {
        service: service.name().to_owned(),
        client: client.id().to_owned(),
        addresses: client.print_all(),
        selected: selected.ok_or("no address")?,
    })
}

fn conflicting_response() -> Result<Fault, String> {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n";
    let mut slots = HeaderSlots::new();
    match parse_response(raw, &Limits::default(), "GET", &mut slots) {
        Ok(_) => Err("two lengths are taken".to_owned()),
        Err(error) => Ok(broken(error.reason, false)),
    }
}

fn broken(problem: &str, unsent: bool) -> Fault {
    Fault::BrokenExchange { problem: problem.to_owned(), unsent }
}

/// An answer as the caller reads it.
struct Answer {
    version: Version,
    status: u16,
    headers: Lines,
    closes: bool,
    body: String,
}

impl Answer {
    fn to(fault: &Fault) -> Result<Self, String> {
        let mut out = Vec::new();
        fault.encode(&mut out, ERR_LIMIT, false, "");
        Self::parse(&out)
    }

    /// The answer to a head that is refused.
    fn to_head(head: &[u8]) -> Result<Self, String> {
        let mut slots = HeaderSlots::new();
        let Err(error) = parse_request(head, &Limits::default(), &mut slots) else {
            return Err("the head is taken".to_owned());
        };
        let mut out = Vec::new();
        encode::rejection(&mut out, &error);
        Self::parse(&out)
    }

    fn parse(raw: &[u8]) -> Result<Self, String> {
        let mut slots = HeaderSlots::new();
        match parse_response(raw, &Limits::default(), "GET", &mut slots) {
            Ok(Parsed::Complete { head, consumed }) => {
                let headers = owned(head.headers);
                let body = String::from_utf8_lossy(raw.get(consumed..).unwrap_or_default()).into_owned();
                same("content-length", values(&headers, "content-length"), [body.len().to_string()])?;
                let (version, status) = (head.version, head.status);
                Ok(Self { version, status, headers, closes: !head.keep_alive, body })
            }
            other => Err(format!("no answer: {other:?}")),
        }
    }
}

/// As the default of `maxHeadersKB`.
const ERR_LIMIT: usize = 8 * 1024;
