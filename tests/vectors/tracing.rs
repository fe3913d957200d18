//! Runners for `tracing-vectors.toml`: contexts, samplers and whole hops, with the decisions and ids injected.

use super::Runner;
use super::entry::{flag, only, same, text, texts};
use rand::RngCore;
use ringspan::trace::{Decide, Decision, SpanId, TraceContext, TraceId, compat, parse_sample, receive, send};
use std::cell::Cell;
use std::num::NonZeroU64;
use toml::{Table, Value};

/// The runner of a category.
pub fn runner(category: &str) -> Option<Runner> {
    Some(match category {
        "ctx_trace_encode" => ctx_trace_encode,
        "ctx_trace_decode" => ctx_trace_decode,
        "l5d_sample_parse" => l5d_sample_parse,
        "sampler" => sampler,
        "context_hop" => context_hop,
        _ => return None,
    })
}

fn ctx_trace_encode(entry: &Table) -> Result<(), String> {
    only(
        entry,
        &[
            "name",
            "span_id",
            "parent_id",
            "trace_id",
            "trace_id_high",
            "flags",
            "sampled",
            "hex",
            "header",
            "header_chars",
            "recommended_hex",
            "recommended_header",
        ],
    )?;
    let span = span_id(entry, "span_id")?.ok_or("no span id")?;
    let parent = span_id(entry, "parent_id")?;
    let low = span_id(entry, "trace_id")?.or(parent).unwrap_or(span);
    let high = word(entry, "trace_id_high")?;
    let trace = TraceId { high, low: NonZeroU64::new(low.get()).ok_or("zero")? };
    let flags = integer(entry, "flags")?.cast_unsigned();
    let context = TraceContext::new(span, parent, trace, decision(text(entry, "sampled")?)?, flags);
    let mut header = Vec::new();
    context.encode(&mut header);
    let header = String::from_utf8(header).map_err(|error| error.to_string())?;
    let expected = if entry.contains_key("recommended_header") { "recommended_header" } else { "header" };
    same("header", header.as_str(), text(entry, expected)?)?;
    same("header_chars", i64::try_from(header.len()), Ok(integer(entry, "header_chars")?))?;

    // The bytes, from the parts of what the header says.
    let back = TraceContext::decode(header.as_bytes()).ok_or("the header is not read back")?;
    let parent = back.parent.unwrap_or(back.span);
    let mut hex = format!("{}{parent}{:016x}{:016x}", back.span, back.trace.low, back.flags());
    if let Some(high) = back.trace.high {
        hex.push_str(&format!("{high:016x}"));
    }
    let expected = if entry.contains_key("recommended_hex") { "recommended_hex" } else { "hex" };
    same("hex", hex.as_str(), text(entry, expected)?)
}

fn ctx_trace_decode(entry: &Table) -> Result<(), String> {
    only(
        entry,
        &[
            "name",
            "header",
            "valid",
            "recommended",
            "span_id",
            "is_root",
            "parent_id",
            "trace_id",
            "trace_id_high",
            "flags",
            "sampled",
            "effective_sampled",
        ],
    )?;
    let rejected = entry.get("recommended").and_then(Value::as_str) == Some("reject");
    let valid = flag(entry, "valid")? && !rejected;
    let context = TraceContext::decode(text(entry, "header")?.as_bytes());
    same("valid", context.is_some(), valid)?;
    let Some(context) = context else { return Ok(()) };
    same("span_id", Some(context.span), span_id(entry, "span_id")?)?;
    same("is_root", context.parent.is_none(), flag(entry, "is_root")?)?;
    same("parent_id", context.parent, span_id(entry, "parent_id")?)?;
    same("trace_id", Some(context.trace.low.get()), word(entry, "trace_id")?)?;
    same("trace_id_high", context.trace.high, word(entry, "trace_id_high")?)?;
    same("sampled", context.decision, decision(text(entry, "sampled")?)?)?;
    same("effective_sampled", context.effective(), decision(text(entry, "effective_sampled")?)?)?;

    // The flags word as it came is visible in what goes out: all but the bits of the decision, which are written anew.
    let flags = integer(entry, "flags")?.cast_unsigned();
    same("flags", context.flags() & !6, flags & !6)
}

fn l5d_sample_parse(entry: &Table) -> Result<(), String> {
    only(entry, &["value", "used", "rate"])?;
    rate(parse_sample(text(entry, "value")?.as_bytes()), flag(entry, "used")?, entry.get("rate"))
}

/// The category `sample_header` of `routing-vectors.toml` (`valid`, `rate`) and of `policy-vectors.toml` (`result`).
pub fn sample_header(entry: &Table) -> Result<(), String> {
    only(entry, &["value", "valid", "rate", "result"])?;
    let expected = entry.get("rate").or(entry.get("result"));
    let used = entry.get("valid").and_then(Value::as_bool).unwrap_or(expected.is_some());
    rate(parse_sample(text(entry, "value")?.as_bytes()), used, expected)
}

fn rate(came: Option<f64>, used: bool, expected: Option<&Value>) -> Result<(), String> {
    same("used", came.is_some(), used)?;
    same("rate", came.map(single), expected.and_then(Value::as_float).map(single))
}

fn sampler(entry: &Table) -> Result<(), String> {
    only(
        entry,
        &[
            "algorithm",
            "trace_id",
            "salt",
            "rate",
            "residue",
            "threshold",
            "sampled",
            "recommended_sampled",
            "debug",
        ],
    )?;
    let trace = text(entry, "trace_id")?;
    let low = number(trace.get(trace.len().saturating_sub(16)..).unwrap_or_default())?;
    let salt = word(entry, "salt")?.unwrap_or(0);
    let rate = single(entry.get("rate").and_then(Value::as_float).ok_or("no rate")?);
    let (sampled, residue, threshold) = match text(entry, "algorithm")? {
        "mod10000" => {
            let residue = compat::mod10000_residue(low, salt);
            (compat::mod10000(low, salt, rate), Some(residue), Some(rate * 10_000.0))
        }
        "bit24" => {
            let residue = compat::bit24_residue(low, salt);
            (compat::bit24(low, salt, rate), Some(residue), Some(rate * 16_777_216.0))
        }
        "zipkin-collector" => (compat::zipkin_collector(low, rate, flag(entry, "debug")?), None, None),
        other => return Err(format!("no algorithm {other:?}")),
    };
    same("residue", residue, entry.get("residue").and_then(Value::as_integer))?;
    let expected = entry.get("threshold").and_then(Value::as_float).map(single);
    same("threshold", threshold, expected)?;
    let expected = if entry.contains_key("recommended_sampled") { "recommended_sampled" } else { "sampled" };
    same("sampled", sampled, flag(entry, expected)?)
}

fn context_hop(entry: &Table) -> Result<(), String> {
    only(
        entry,
        &[
            "name",
            "propagator",
            "request_headers",
            "tracer_answer",
            "sampler_salt",
            "fresh_ids",
            "attempts",
            "tracer_asked",
            "trace_id",
            "server_span_id",
            "server_parent_id",
            "server_effective_sampled",
            "client_span_ids",
            "client_parent_ids",
            "out_l5d_ctx_trace",
            "recommended_out_l5d_ctx_trace",
            "out_flags",
            "recommended_out_flags",
            "out_l5d_reqid",
        ],
    )?;
    same("propagator", text(entry, "propagator")?, "io.l5d.default")?;
    let headers = texts(entry, "request_headers")?;
    let header = |name: &str| {
        let found = headers.iter().filter_map(|line| line.split_once(": "));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes())
    };
    let tracer = Tracer {
        answer: decision(text(entry, "tracer_answer")?)?,
        salt: word(entry, "sampler_salt")?.unwrap_or(0),
        asked: Cell::new(false),
    };
    let mut rng = Drawn::new(&texts(entry, "fresh_ids")?)?;

    let server = receive(header("l5d-ctx-trace"), header("l5d-sample"), &tracer, &mut rng);
    same("trace_id", Some(server.trace.low.get()), word(entry, "trace_id")?)?;
    same("server_span_id", Some(server.span), span_id(entry, "server_span_id")?)?;
    same("server_parent_id", server.parent, span_id(entry, "server_parent_id")?)?;
    let effective = decision(text(entry, "server_effective_sampled")?)?;
    same("server_effective_sampled", server.effective(), effective)?;

    let attempts = usize::try_from(integer(entry, "attempts")?).map_err(|error| error.to_string())?;
    let clients: Vec<_> = (0..attempts).map(|_| send(&server, &tracer, &mut rng)).collect();
    same("tracer_asked", tracer.asked.get(), flag(entry, "tracer_asked")?)?;
    same("fresh_ids left", rng.left.len(), 0)?;
    let spans: Vec<_> = clients.iter().map(|client| client.span.to_string()).collect();
    same("client_span_ids", spans, texts(entry, "client_span_ids")?)?;
    let parents: Vec<_> =
        clients.iter().filter_map(|client| client.parent).map(|id| id.to_string()).collect();
    same("client_parent_ids", parents, texts(entry, "client_parent_ids")?)?;

    let recommended = |key: &'static str, better: &'static str| {
        if entry.contains_key(better) { better } else { key }
    };
    let written: Vec<_> = clients.iter().map(|client| written(|out| client.encode(out))).collect();
    let key = recommended("out_l5d_ctx_trace", "recommended_out_l5d_ctx_trace");
    same("out_l5d_ctx_trace", written, texts(entry, key)?)?;
    let flags: Vec<_> = clients.iter().map(|client| client.flags().cast_signed()).collect();
    let key = recommended("out_flags", "recommended_out_flags");
    let expected = entry.get(key).and_then(Value::as_array).ok_or("no flags")?;
    same("out_flags", Some(flags), expected.iter().map(Value::as_integer).collect())?;
    for client in &clients {
        same(
            "out_l5d_reqid",
            &*self::written(|out| client.encode_reqid(out)),
            text(entry, "out_l5d_reqid")?,
        )?;
    }
    Ok(())
}

/// Answers as the vector says; `l5d-sample` is decided by Linkerd's sampler.
struct Tracer {
    answer: Decision,
    salt: u64,
    asked: Cell<bool>,
}

impl Decide for Tracer {
    fn decide(&self, _trace: TraceId) -> Decision {
        self.asked.set(true);
        self.answer
    }

    fn picks(&self, rate: f64, trace: TraceId) -> bool {
        compat::mod10000(trace.low.get(), self.salt, single(rate))
    }
}

/// Draws the vector's ids in their order.
struct Drawn {
    left: Vec<u64>,
}

impl Drawn {
    fn new(ids: &[&str]) -> Result<Self, String> {
        let left: Result<_, _> = ids.iter().rev().map(|id| number(id)).collect();
        Ok(Self { left: left? })
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next_u64() >> 32).unwrap_or_default()
    }

    /// Zero, which no vector expects, when more ids are drawn than the vector has.
    fn next_u64(&mut self) -> u64 {
        self.left.pop().unwrap_or_default()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::rand_core::impls::fill_bytes_via_next(self, bytes);
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn decision(text: &str) -> Result<Decision, String> {
    match text {
        "true" => Ok(Decision::Yes),
        "false" => Ok(Decision::No),
        "unset" | "none" => Ok(Decision::Unknown),
        other => Err(format!("no decision {other:?}")),
    }
}

/// The id under `key`, when there is one.
fn span_id(entry: &Table, key: &str) -> Result<Option<SpanId>, String> {
    Ok(word(entry, key)?.and_then(SpanId::new))
}

/// The 64 bits under `key`, when there are any.
fn word(entry: &Table, key: &str) -> Result<Option<u64>, String> {
    entry.contains_key(key).then(|| number(text(entry, key)?)).transpose()
}

fn number(hex: &str) -> Result<u64, String> {
    u64::from_str_radix(hex, 16).map_err(|error| format!("{hex:?}: {error}"))
}

fn integer(entry: &Table, key: &str) -> Result<i64, String> {
    entry.get(key).and_then(Value::as_integer).ok_or_else(|| format!("no number under {key:?}"))
}

/// The vectors' rates are 32-bit floats, written with as many digits as these need.
#[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest 32-bit float is what is wanted")]
fn single(rate: f64) -> f32 {
    rate as f32
}
