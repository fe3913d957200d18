//! One recorded span as Zipkin v2 JSON, written straight from its record: nothing is copied into a model of a span first.
//!
//! The model for spans that come from outside is `v2.rs`; many spans make a `body.rs`.

use crate::trace::{Entry, Kind, SiteParts, SpanRecord, Tag, hex16};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::net::{IpAddr, SocketAddr};

/// What all spans of a place share, escaped once.
pub(super) struct SiteJson {
    kind: &'static str,
    name: Option<Box<RawValue>>,
    service: Option<Box<RawValue>>,
    remote_service: Option<Box<RawValue>>,
    /// In the order of their keys.
    tags: Vec<(Tag, Box<RawValue>)>,
    present: u64,
    /// Bytes of the texts above: what they add to each span.
    weight: usize,
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
        let mut tags = Vec::with_capacity(parts.tags.len());
        let (mut present, mut weight) =
            (0, parts.service.len() + parts.remote_service.len() + parts.span_name.len());
        for (tag, value) in &parts.tags {
            tags.push((*tag, to_raw_value(value)?));
            present |= 1 << tag.index();
            weight += value.len();
        }
        Ok(Self {
            kind: match parts.kind {
                Kind::Server => "SERVER",
                Kind::Client => "CLIENT",
            },
            name: text(&parts.span_name)?,
            service: text(&parts.service)?,
            remote_service: text(&parts.remote_service)?,
            tags,
            present,
            weight,
            local: KnownEndpoint::default(),
            remote: KnownEndpoint::default(),
        })
    }

    /// Bytes that the place adds to each of its spans.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// Gets ready for a span of the place.
    pub(super) fn learn(&mut self, record: &SpanRecord<'_>) -> serde_json::Result<()> {
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
        let mut notes = Noted::read(record);
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
        match (record.name, &site.name) {
            (Some(name), _) if !name.is_empty() => span.serialize_field("name", &Name(name))?,
            (_, Some(name)) => span.serialize_field("name", name)?,
            _ => {}
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
        if notes.annotations > 0 {
            span.serialize_field("annotations", &Annotations(notes.sorted_annotations(record)))?;
        }
        if notes.present | site.present != 0 {
            span.serialize_field("tags", &Tags { notes: &notes, site })?;
        }
        if record.debug {
            span.serialize_field("debug", &true)?;
        }
        span.end()
    }
}

/// Annotations that are sorted without an allocation; a span with retries may have more.
const FEW_ANNOTATIONS: usize = 8;

/// The notes of one span, by key.
struct Noted<'a> {
    /// One bit for each tag that has a value.
    present: u64,
    values: [&'a [u8]; Tag::ALL.len()],
    annotations: usize,
    few: [(u64, &'a [u8]); FEW_ANNOTATIONS],
    many: Vec<(u64, &'a [u8])>,
}

impl<'a> Noted<'a> {
    fn read(record: &SpanRecord<'a>) -> Self {
        let mut noted = Self {
            present: 0,
            values: [b""; Tag::ALL.len()],
            annotations: 0,
            few: [(0, b""); FEW_ANNOTATIONS],
            many: Vec::new(),
        };
        for entry in record.entries() {
            match entry {
                Entry::Tag(tag, value) => {
                    if let Some(place) = noted.values.get_mut(usize::from(tag.index())) {
                        *place = value;
                        noted.present |= 1 << tag.index();
                    }
                }
                Entry::Annotation(at_us, text) => {
                    if let Some(place) = noted.few.get_mut(noted.annotations) {
                        *place = (at_us, text);
                    }
                    noted.annotations += 1;
                }
            }
        }
        noted
    }

    /// By time, then by text.
    fn sorted_annotations(&mut self, record: &SpanRecord<'a>) -> &[(u64, &'a [u8])] {
        let annotations = match self.few.get_mut(..self.annotations) {
            Some(few) => few,
            None => {
                let annotation = |entry| match entry {
                    Entry::Annotation(at_us, text) => Some((at_us, text)),
                    Entry::Tag(..) => None,
                };
                self.many = record.entries().filter_map(annotation).collect();
                &mut self.many
            }
        };
        annotations.sort_unstable();
        annotations
    }
}

/// Tags in the order of their keys; a span's own wins over its place's.
struct Tags<'a> {
    notes: &'a Noted<'a>,
    site: &'a SiteJson,
}

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut constants = self.site.tags.iter();
        for (tag, value) in Tag::ALL.iter().zip(self.notes.values) {
            let bit = 1_u64 << tag.index();
            // Both lists are in the order of keys, so the next constant is the one of this key.
            let constant = if self.site.present & bit == 0 { None } else { constants.next() };
            if self.notes.present & bit != 0 {
                map.serialize_entry(tag.text(), &Lossy(value))?;
            } else if let Some((_, value)) = constant {
                map.serialize_entry(tag.text(), value)?;
            }
        }
        map.end()
    }
}

struct Annotations<'a>(&'a [(u64, &'a [u8])]);

impl Serialize for Annotations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut last = None;
        for annotation in self.0 {
            if last != Some(annotation) {
                list.serialize_element(&Annotation { at_us: annotation.0, text: annotation.1 })?;
            }
            last = Some(annotation);
        }
        list.end()
    }
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

/// A name, whose ASCII letters were made lower case when it was recorded.
struct Name<'a>(&'a [u8]);

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_ascii() {
            Lossy(self.0).serialize(serializer)
        } else {
            serializer.serialize_str(&String::from_utf8_lossy(self.0).to_lowercase())
        }
    }
}

/// Text from outside: what is not UTF-8 in it is replaced.
struct Lossy<'a>(&'a [u8]);

impl Serialize for Lossy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(self.0)),
        }
    }
}
