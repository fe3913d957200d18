//! A span to the JSON a Zipkin server itself would write: its field order, its escapes, absent fields left out.

use super::{Annotation, Endpoint, Span};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};
use std::borrow::Cow;
use std::io;

/// Appends `span` to `out` as one JSON object.
pub fn encode_span(span: &Span<'_>, out: &mut Vec<u8>) {
    let written = span.serialize(&mut serde_json::Serializer::with_formatter(out, LineSeparators));
    debug_assert!(written.is_ok(), "a Vec takes every byte, and no map key here is anything but text");
}

impl Serialize for Span<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("traceId", &AsText(self.trace_id))?;
        if let Some(parent_id) = self.parent_id {
            fields.serialize_entry("parentId", &AsText(parent_id))?;
        }
        fields.serialize_entry("id", &AsText(self.id))?;
        if let Some(kind) = self.kind {
            fields.serialize_entry("kind", kind.as_str())?;
        }
        if let Some(name) = &self.name {
            fields.serialize_entry("name", name)?;
        }
        if let Some(timestamp_us) = self.timestamp_us {
            fields.serialize_entry("timestamp", &timestamp_us)?;
        }
        if let Some(duration_us) = self.duration_us {
            fields.serialize_entry("duration", &duration_us)?;
        }
        if let Some(endpoint) = &self.local_endpoint {
            fields.serialize_entry("localEndpoint", endpoint)?;
        }
        if let Some(endpoint) = &self.remote_endpoint {
            fields.serialize_entry("remoteEndpoint", endpoint)?;
        }
        if !self.annotations.is_empty() {
            fields.serialize_entry("annotations", &self.annotations)?;
        }
        if !self.tags.is_empty() {
            fields.serialize_entry("tags", &Tags(&self.tags))?;
        }
        if self.debug {
            fields.serialize_entry("debug", &true)?;
        }
        if self.shared {
            fields.serialize_entry("shared", &true)?;
        }
        fields.end()
    }
}

impl Serialize for Endpoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        if let Some(service_name) = &self.service_name {
            fields.serialize_entry("serviceName", service_name)?;
        }
        if let Some(ipv4) = self.ipv4 {
            fields.serialize_entry("ipv4", &AsText(ipv4))?;
        }
        if let Some(ipv6) = self.ipv6 {
            fields.serialize_entry("ipv6", &AsText(ipv6))?;
        }
        if let Some(port) = self.port {
            fields.serialize_entry("port", &port)?;
        }
        fields.end()
    }
}

impl Serialize for Annotation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(2))?;
        fields.serialize_entry("timestamp", &self.timestamp_us)?;
        fields.serialize_entry("value", &self.value)?;
        fields.end()
    }
}

struct Tags<'s, 'a>(&'s [(Cow<'a, str>, Cow<'a, str>)]);

impl Serialize for Tags<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Serializes what prints itself, without a `String` in between.
struct AsText<T>(T);

impl<T: std::fmt::Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Escapes U+2028 and U+2029 as Zipkin does (they end a line in old JavaScript); otherwise compact JSON.
struct LineSeparators;

impl Formatter for LineSeparators {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((before, found, after)) = split_at_separator(rest) {
            CompactFormatter.write_string_fragment(writer, before)?;
            writer.write_all(found)?;
            rest = after;
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// What stands before the first separator, its escape, and what stands after it.
fn split_at_separator(text: &str) -> Option<(&str, &'static [u8], &str)> {
    // Nearly every text is ASCII, and this test is vectorised where a search for a character is not.
    if text.is_ascii() {
        return None;
    }
    let (before, rest) = text.split_at(text.find(['\u{2028}', '\u{2029}'])?);
    match rest.strip_prefix('\u{2028}') {
        Some(after) => Some((before, b"\\u2028", after)),
        None => Some((before, b"\\u2029", rest.strip_prefix('\u{2029}')?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SpanId, TraceId};
    use super::*;

    #[test]
    fn texts_are_escaped_as_zipkin_escapes_them() {
        let mut span = Span::new(TraceId { high: 0, low: 1 }, SpanId::parse("id", "2").unwrap());
        span.tags.push(("k".into(), "\"\\\u{8}\u{c}\n\r\t\u{1}/é\u{2028}x\u{2029}\u{7f}".into()));
        let mut out = Vec::new();
        encode_span(&span, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000002\",\"tags\":{\"k\":\
             \"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/é\\u2028x\\u2029\u{7f}\"}}"
        );
    }
}
