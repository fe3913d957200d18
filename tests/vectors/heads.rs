//! Runners for what becomes of heads on their way through: `Via`, hop-by-hop fields, `l5d-dst-*`, targets and
//! names. Each head is parsed, encoded for the next hop and parsed again by the code that serves requests.

use super::Runner;
use super::entry::{flag, number, only, same, text, texts};
use super::setup::{Lines, complete, lines, message, owned, pick, router, service, values};
use ringspan::clock::Monotonic;
use ringspan::http1::{HeaderSlots, Limits, parse_request, parse_response};
use ringspan::identifier::host_token;
use ringspan::router::rewrite::{
    ConnectionLine, ReplyFraming, encode_attempt, encode_request, encode_response,
};
use ringspan::router::{Fault, Service};
use ringspan::trace::{Decision, SpanId, TraceContext, TraceId};
use std::num::NonZeroU64;
use toml::{Table, Value};

/// The runner of a category of `routing-vectors.toml`.
pub fn routing(category: &str) -> Option<Runner> {
    Some(match category {
        "identifier" => identifier,
        "via" => via,
        "hop_by_hop" => hop_by_hop,
        "dst_headers" => dst_headers,
        "proxy_rewrite" => proxy_rewrite,
        _ => return None,
    })
}

/// The runner of a category of `policy-vectors.toml`.
pub fn policy(category: &str) -> Option<Runner> {
    Some(match category {
        "via" => via_of_both,
        "hop_by_hop" => hop_by_hop_of_both,
        "absolute_target" => absolute_target,
        _ => return None,
    })
}

/// Which way a head goes.
#[derive(Clone, Copy)]
enum Side {
    Request,
    Response,
}

impl Side {
    fn of(entry: &Table) -> Result<Self, String> {
        match text(entry, "side")? {
            "request" => Ok(Self::Request),
            "response" => Ok(Self::Response),
            other => Err(format!("no side {other:?}")),
        }
    }

    /// The header lines that a message with these ones goes on with.
    fn send_on(self, version: &str, headers: &[(&str, &str)]) -> Result<Lines, String> {
        match self {
            Self::Request => Ok(send_request("GET", "/", version, headers)?.headers),
            Self::Response => send_response(version, headers),
        }
    }
}

fn identifier(entry: &Table) -> Result<(), String> {
    only(entry, &["kind", "prefix", "request", "identified", "name", "reason", "status", "forwarded_uri"])?;
    same("kind", text(entry, "kind")?, "io.l5d.header.token")?;
    let request = entry.get("request").and_then(Value::as_table).ok_or("no request")?;
    only(request, &["method", "uri", "version", "headers"])?;
    let (method, target) = (text(request, "method")?, text(request, "uri")?);
    let version = text(request, "version")?;
    let headers = lines(request, "headers")?;
    let raw = message(&format!("{method} {target} HTTP/{version}"), &headers);
    let mut slots = HeaderSlots::new();
    let head = complete(parse_request(raw.as_bytes(), &Limits::default(), &mut slots))?;
    let token = host_token(&head);
    same("identified", token.is_ok(), flag(entry, "identified")?)?;
    match token {
        Ok(token) => {
            let service = router("", text(entry, "prefix")?)?.service(token, Monotonic::default());
            same("name", service.name(), text(entry, "name")?)?;
        }
        Err(reason) => {
            same("reason", reason, text(entry, "reason")?)?;
            let request = format!("{method} {target}");
            let fault = Fault::Unidentified { request, peer: None, reason: reason.to_owned() };
            same("status", Some(usize::from(fault.status())), number(entry, "status"))?;
        }
    }
    match text(entry, "forwarded_uri") {
        Ok(expected) => {
            let sent = send_request(method, target, version, &headers)?;
            same("forwarded_uri", sent.target.as_str(), expected)
        }
        Err(_) => Ok(()),
    }
}

fn via(entry: &Table) -> Result<(), String> {
    only(entry, &["side", "version", "via_in", "via_out"])?;
    check_via(Side::of(entry)?, entry, "via_in", "via_out")
}

/// The policy vectors do not say which way, for it is the same both ways.
fn via_of_both(entry: &Table) -> Result<(), String> {
    only(entry, &["version", "before", "result"])?;
    check_via(Side::Request, entry, "before", "result")?;
    check_via(Side::Response, entry, "before", "result")
}

fn check_via(side: Side, entry: &Table, before: &str, after: &str) -> Result<(), String> {
    let received: Vec<_> = text(entry, before).into_iter().map(|via| ("Via", via)).collect();
    let sent = side.send_on(text(entry, "version")?, &received)?;
    // The vectors sign as Linkerd does; a proxy signs with its own name.
    let expected = text(entry, after)?.replace("linkerd", "ringspan");
    same(after, values(&sent, "via"), [expected])
}

fn hop_by_hop(entry: &Table) -> Result<(), String> {
    only(entry, &["side", "headers", "remaining"])?;
    let remaining = remaining(Side::of(entry)?, lines(entry, "headers")?)?;
    let remaining: Vec<_> = remaining.iter().map(|(name, value)| (&**name, &**value)).collect();
    same("remaining", remaining, lines(entry, "remaining")?)
}

fn hop_by_hop_of_both(entry: &Table) -> Result<(), String> {
    only(entry, &["headers", "kept"])?;
    let headers = entry.get("headers").and_then(Value::as_table).ok_or("no headers")?;
    for side in [Side::Request, Side::Response] {
        let headers: Option<_> =
            headers.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
        let remaining = remaining(side, headers.ok_or("a header that is no text")?)?;
        let names: Vec<_> = remaining.iter().map(|(name, _)| &**name).collect();
        same("kept", names, texts(entry, "kept")?)?;
    }
    Ok(())
}

/// The lines that a message goes on with because it came with `headers`.
fn remaining(side: Side, mut headers: Vec<(&str, &str)>) -> Result<Lines, String> {
    let mut framing = Vec::new();
    for header in &mut headers {
        if header.0.eq_ignore_ascii_case("transfer-encoding") && header.1 != "chunked" {
            // Linkerd drops a coding that it does not know; here it is refused, so another has to be dropped.
            if side.send_on("1.1", &[*header]).is_ok() {
                return Err(format!("{header:?} is taken"));
            }
            header.1 = "chunked";
            framing.push(*header);
        }
    }
    // What goes on anyway, the framing of the next hop included.
    let mut rest = side.send_on("1.1", &headers)?;
    for line in side.send_on("1.1", &framing)? {
        let place = rest.iter().position(|other| *other == line);
        rest.remove(place.ok_or_else(|| format!("{line:?} is lost"))?);
    }
    Ok(rest)
}

fn dst_headers(entry: &Table) -> Result<(), String> {
    only(entry, &["name", "client_id", "residual", "incoming", "downstream", "downstream_absent"])?;
    let (name, id) = (text(entry, "name")?, text(entry, "client_id")?);
    let service = service(name, id, text(entry, "residual")?)?;
    let sent = send_request_to(&service, "GET", "/", "1.1", &lines(entry, "incoming")?)?;
    for (name, value) in lines(entry, "downstream")? {
        same(name, values(&sent.headers, name), [value])?;
    }
    for name in texts(entry, "downstream_absent")? {
        same(name, values(&sent.headers, name), [""; 0])?;
    }
    Ok(())
}

fn proxy_rewrite(entry: &Table) -> Result<(), String> {
    only(entry, &["uri", "host", "uri_out", "host_out"])?;
    check_target(entry, ["uri", "uri_out", "host_out"])
}

fn absolute_target(entry: &Table) -> Result<(), String> {
    only(entry, &["target", "host", "new_target", "new_host"])?;
    check_target(entry, ["target", "new_target", "new_host"])
}

fn check_target(entry: &Table, [target, new_target, new_host]: [&str; 3]) -> Result<(), String> {
    let sent = send_request("GET", text(entry, target)?, "1.1", &[("Host", text(entry, "host")?)])?;
    same(new_target, sent.target.as_str(), text(entry, new_target)?)?;
    same(new_host, values(&sent.headers, "host"), [text(entry, new_host)?])
}

/// A request as the next hop gets it.
struct Sent {
    target: String,
    headers: Lines,
}

fn send_request(method: &str, target: &str, version: &str, headers: &[(&str, &str)]) -> Result<Sent, String> {
    send_request_to(&service("/svc/web", "/$/inet/127.1/80", "/")?, method, target, version, headers)
}

fn send_request_to(
    service: &Service,
    method: &str,
    target: &str,
    version: &str,
    headers: &[(&str, &str)],
) -> Result<Sent, String> {
    let raw = message(&format!("{method} {target} HTTP/{version}"), headers);
    let mut slots = HeaderSlots::new();
    let head = complete(parse_request(raw.as_bytes(), &Limits::default(), &mut slots))?;
    let span = SpanId::new(1).ok_or("no span id")?;
    let trace = TraceId { high: None, low: NonZeroU64::MIN };
    let context = TraceContext::new(span, None, trace, Decision::No, 0);
    let leaf = pick(service, String::new).map_err(|fault| fault.to_string())?;
    let mut out = Vec::new();
    encode_request(&head, service.line(), &context, &mut out);
    encode_attempt(leaf.lines(), &context, &mut out);
    let mut slots = HeaderSlots::new();
    let head = complete(parse_request(&out, &Limits::default(), &mut slots))?;
    let target = String::from_utf8_lossy(head.target).into_owned();
    Ok(Sent { target, headers: owned(head.headers) })
}

fn send_response(version: &str, headers: &[(&str, &str)]) -> Result<Lines, String> {
    let raw = message(&format!("HTTP/{version} 200 OK"), headers);
    let mut slots = HeaderSlots::new();
    let head = complete(parse_response(raw.as_bytes(), &Limits::default(), "GET", &mut slots))?;
    let framing = ReplyFraming { body: head.body, connection: ConnectionLine::Absent };
    let mut out = Vec::new();
    encode_response(&head, true, framing, &mut out);
    let mut slots = HeaderSlots::new();
    let head = complete(parse_response(&out, &Limits::default(), "GET", &mut slots))?;
    Ok(owned(head.headers))
}
