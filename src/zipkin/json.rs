//! One recorded span as Zipkin v2 JSON, written straight from its record: nothing is copied into a model of a span first.
//!
//! What repeats from span to span of a place is kept as text: what its place says, its endpoints, and its tags once they came
//! twice in a row.
//!
//! The model for spans that come from outside is `v2.rs`; many spans make a `body.rs`.

use super::tags::{KnownTags, OwnTags, SiteTags, Tags};
use crate::trace::{Kind, SiteParts, SpanRecord, hex16};
use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::net::{IpAddr, SocketAddr};

/// What all spans of a place share, escaped once.
pub(super) struct SiteJson {
    kind: &'static str,
    name: Option<Box<RawValue>>,
    service: Option<Box<RawValue>>,
    remote_service: Option<Box<RawValue>>,
    tags: SiteTags,
    known_tags: KnownTags,
    local: KnownEndpoint,
    remote: KnownEndpoint,
}

/// The last endpoint of a place that was written. Nearly always the next one is the same: a listener's own address, or the
/// destination of a bound name.
#[derive(Default)]
struct KnownEndpoint {
    address: Option<SocketAddr>,
    json: Option<Box<RawValue>>,
}

impl KnownEndpoint {
    fn learn(&mut self, service: Option<&RawValue>, address: Option<SocketAddr>) -> serde_json::Result<()> {
        if self.json.is_none() || self.address != address {
            let endpoint = Endpoint { service, address };
            *self = Self { address, json: endpoint.is_some().then(|| to_raw_value(&endpoint)).transpose()? };
        }
        Ok(())
    }
}

impl SiteJson {
    pub(super) fn new(parts: &SiteParts) -> serde_json::Result<Self> {
        let text = |text: &str| if text.is_empty() { Ok(None) } else { to_raw_value(text).map(Some) };
        Ok(Self {
            kind: match parts.kind {
                Kind::Server => "SERVER",
                Kind::Client => "CLIENT",
            },
            name: text(&parts.span_name)?,
            service: text(&parts.service)?,
            remote_service: text(&parts.remote_service)?,
            tags: SiteTags::new(&parts.tags)?,
            known_tags: KnownTags::default(),
            local: KnownEndpoint::default(),
            remote: KnownEndpoint::default(),
        })
    }

    /// Gets ready for a span of the place.
    pub(super) fn learn(&mut self, record: &SpanRecord<'_>) -> serde_json::Result<()> {
        self.known_tags.learn(record, &self.tags)?;
        self.local.learn(self.service.as_deref(), record.local)?;
        // Callers come from ever new ports: the remote endpoint of a server span is written each time.
        match record.site.kind {
            Kind::Server => Ok(()),
            Kind::Client => self.remote.learn(self.remote_service.as_deref(), record.remote),
        }
    }
}

/// A span, in the order of fields that Zipkin writes itself. Its place has learned about it.
pub(super) struct Span<'a> {
    pub(super) record: &'a SpanRecord<'a>,
    pub(super) site: &'a SiteJson,
}

impl Serialize for Span<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { record, site } = self;
        let known = site.known_tags.text();
        let own = if known.is_some() { None } else { Some(OwnTags::read(record)) };
        // The number of fields is not used by JSON; it must only not be zero.
        let mut span = serializer.serialize_struct("Span", 1)?;
        match record.trace.high {
            None => span.serialize_field("traceId", &Hex(record.trace.low.get()))?,
            Some(high) => span.serialize_field("traceId", &WideHex(high, record.trace.low.get()))?,
        }
        if let Some(parent) = record.parent {
            span.serialize_field("parentId", &Hex(parent.get()))?;
        }
        span.serialize_field("id", &Hex(record.span.get()))?;
        span.serialize_field("kind", site.kind)?;
        let (known_name, known_tags) = known.unwrap_or_default();
        let own_name = own.as_ref().and_then(|own| own.name(record.name));
        if let Some(name) = known_name {
            span.serialize_field("name", name)?;
        } else if let Some(name) = own_name {
            span.serialize_field("name", &name)?;
        } else if let Some(name) = &site.name {
            span.serialize_field("name", name)?;
        }
        span.serialize_field("timestamp", &record.start_us)?;
        span.serialize_field("duration", &record.duration_us)?;
        if let Some(local) = &site.local.json {
            span.serialize_field("localEndpoint", local)?;
        }
        let remote = Endpoint { service: site.remote_service.as_deref(), address: record.remote };
        if let Some(remote) = &site.remote.json {
            span.serialize_field("remoteEndpoint", remote)?;
        } else if remote.is_some() {
            span.serialize_field("remoteEndpoint", &remote)?;
        }
        if record.annotations().next().is_some() {
            span.serialize_field("annotations", &Annotations(record))?;
        }
        if let Some(tags) = known_tags {
            span.serialize_field("tags", tags)?;
        } else if let Some(own) = &own {
            let tags = Tags { own, site: &site.tags };
            if !tags.is_empty() {
                span.serialize_field("tags", &tags)?;
            }
        }
        if record.debug {
            span.serialize_field("debug", &true)?;
        }
        span.end()
    }
}

/// By time, then by text, without repeats.
struct Annotations<'a>(&'a SpanRecord<'a>);

impl Serialize for Annotations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(record) = self;
        // They nearly always are in order, and need no memory then.
        if record.annotations().is_sorted() {
            return annotation_list(record.annotations(), serializer);
        }
        let mut sorted: Vec<_> = record.annotations().collect();
        sorted.sort_unstable();
        annotation_list(sorted.into_iter(), serializer)
    }
}

fn annotation_list<'a, S: Serializer>(
    sorted: impl Iterator<Item = (u64, &'a [u8])>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    let mut last = None;
    for (at_us, text) in sorted {
        if last != Some((at_us, text)) {
            list.serialize_element(&Annotation { at_us, text })?;
        }
        last = Some((at_us, text));
    }
    list.end()
}

struct Annotation<'a> {
    at_us: u64,
    text: &'a [u8],
}

impl Serialize for Annotation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut annotation = serializer.serialize_struct("Annotation", 2)?;
        annotation.serialize_field("timestamp", &self.at_us)?;
        annotation.serialize_field("value", &Lossy(self.text))?;
        annotation.end()
    }
}

struct Endpoint<'a> {
    service: Option<&'a RawValue>,
    address: Option<SocketAddr>,
}

impl Endpoint<'_> {
    const fn is_some(&self) -> bool {
        self.service.is_some() || self.address.is_some()
    }
}

impl Serialize for Endpoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut endpoint = serializer.serialize_struct("Endpoint", 3)?;
        if let Some(service) = self.service {
            endpoint.serialize_field("serviceName", service)?;
        }
        if let Some(address) = self.address {
            match address.ip().to_canonical() {
                IpAddr::V4(ip) => endpoint.serialize_field("ipv4", &ip)?,
                IpAddr::V6(ip) => endpoint.serialize_field("ipv6", &ip)?,
            }
            if address.port() != 0 {
                endpoint.serialize_field("port", &address.port())?;
            }
        }
        endpoint.end()
    }
}

struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Lossy(&hex16(self.0)).serialize(serializer)
    }
}

struct WideHex(u64, u64);

impl Serialize for WideHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 32];
        for (half, word) in digits.chunks_exact_mut(16).zip([self.0, self.1]) {
            half.copy_from_slice(&hex16(word));
        }
        Lossy(&digits).serialize(serializer)
    }
}

/// Text from outside: what is not UTF-8 in it is replaced.
pub(super) struct Lossy<'a>(pub(super) &'a [u8]);

impl Serialize for Lossy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(self.0)),
        }
    }
}
