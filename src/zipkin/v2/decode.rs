//! JSON lists of spans as anyone may send them: read as leniently as a Zipkin server does, refused in its words.
//!
//! Numbers may be given as texts and texts as numbers, optional fields may be null, unknown fields are skipped.
//! Single values are read in `scalar.rs`. A list is read span by span, so that a large one is never in memory twice.

use super::scalar::{Place, boolean, long, positive, required_text, text};
use super::{Annotation, Endpoint, Kind, Span, SpanId, TraceId};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::num::{NonZeroU16, NonZeroU64};

/// Why a list of spans was refused: the sender's fault each time. The texts are the bodies of Zipkin's 400 answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body does not begin with `[`.
    #[error("Expected a JSON_V2 encoded list\n")]
    NotAList,
    /// The spans have the fields of Zipkin's first format.
    #[error("Expected a JSON_V2 encoded list, but received: JSON_V1\n")]
    FirstFormat,
    /// The list is not JSON, or one of its spans is not a span.
    #[error("{0} reading List<Span> from json")]
    Malformed(String),
}

/// Reads a JSON list of spans and hands each one, in canonical form, to `each`. An empty body is an empty list;
/// what follows the closing bracket is not looked at.
///
/// # Errors
/// When any span is bad. `each` has then already seen the spans before it: all of them must be forgotten.
pub fn decode_list<'de>(body: &'de [u8], each: impl FnMut(Span<'de>)) -> Result<(), DecodeError> {
    let line_feeds = body.iter().take_while(|byte| **byte == b'\n').count();
    match body.get(line_feeds) {
        None => return Ok(()),
        Some(b'[') => {}
        Some(_) => return Err(DecodeError::NotAList),
    }
    let first_format = Cell::new(false);
    let list = List { each, first_format: &first_format };
    serde_json::Deserializer::from_slice(body).deserialize_seq(list).map_err(|error| {
        if first_format.get() { DecodeError::FirstFormat } else { DecodeError::Malformed(cause(&error)) }
    })
}

/// The error's text. Ours name the place as a path, so the line and column that serde_json adds are taken off again.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = if error.is_data() { text.strip_suffix(&place).unwrap_or(&text) } else { &text };
    text.chars().take(CAUSE_LIMIT_CHARS).collect()
}

struct List<'c, F> {
    each: F,
    first_format: &'c Cell<bool>,
}

impl<'de, F: FnMut(Span<'de>)> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(span) = list.next_element_seed(OneSpan { index, first_format: self.first_format })? {
            (self.each)(span);
            index += 1;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct OneSpan<'c> {
    index: usize,
    first_format: &'c Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for OneSpan<'_> {
    type Value = Span<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum SpanField {
    TraceId,
    ParentId,
    Id,
    Kind,
    Name,
    Timestamp,
    Duration,
    LocalEndpoint,
    RemoteEndpoint,
    Annotations,
    Tags,
    Debug,
    Shared,
    /// Only spans of Zipkin's first format have it.
    BinaryAnnotations,
    #[serde(other)]
    Unknown,
}

impl<'de> Visitor<'de> for OneSpan<'_> {
    type Value = Span<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Span<'de>, A::Error> {
        let index = self.index;
        let at = |path: &'static &'static str| Place { index, path };
        let mut trace_id = None;
        let mut id = None;
        // The ids are put in at the end; until then the span has ids that no span can have.
        let mut span = Span::new(TraceId { high: 0, low: 0 }, SpanId(NonZeroU64::MAX));
        while let Some(field) = fields.next_key()? {
            match field {
                SpanField::TraceId => {
                    let text = required_text(fields.next_value()?, at(&"traceId"))?;
                    trace_id = Some(TraceId::parse(&text).map_err(A::Error::custom)?);
                }
                SpanField::Id => {
                    let text = required_text(fields.next_value()?, at(&"id"))?;
                    id = Some(SpanId::parse("id", &text).map_err(A::Error::custom)?);
                }
                SpanField::ParentId => {
                    span.parent_id = match text(fields.next_value()?, at(&"parentId"))? {
                        Some(text) => parse_parent(&text).map_err(A::Error::custom)?,
                        None => None,
                    };
                }
                SpanField::Kind => {
                    span.kind = match text(fields.next_value()?, at(&"kind"))? {
                        Some(text) => Some(Kind::parse(&text).ok_or_else(|| {
                            A::Error::custom(format_args!("No enum constant zipkin2.Span.Kind.{text}"))
                        })?),
                        None => None,
                    };
                }
                SpanField::Name => span.name = text(fields.next_value()?, at(&"name"))?,
                SpanField::Timestamp => {
                    span.timestamp_us = positive(long(fields.next_value()?, at(&"timestamp"))?);
                }
                SpanField::Duration => {
                    span.duration_us = positive(long(fields.next_value()?, at(&"duration"))?);
                }
                SpanField::LocalEndpoint => {
                    span.local_endpoint = fields.next_value_seed(EndpointAt(at(&"localEndpoint")))?;
                }
                SpanField::RemoteEndpoint => {
                    span.remote_endpoint = fields.next_value_seed(EndpointAt(at(&"remoteEndpoint")))?;
                }
                SpanField::Annotations => {
                    span.annotations = fields.next_value_seed(AnnotationsOf { index })?;
                }
                SpanField::Tags => span.tags = fields.next_value_seed(TagsOf { index })?,
                SpanField::Debug => span.debug = boolean(fields.next_value()?, at(&"debug"))?,
                SpanField::Shared => span.shared = boolean(fields.next_value()?, at(&"shared"))?,
                SpanField::BinaryAnnotations => {
                    self.first_format.set(true);
                    return Err(A::Error::custom("binaryAnnotations"));
                }
                SpanField::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let (Some(trace_id), Some(id)) = (trace_id, id) else {
            let trace_id = if trace_id.is_none() { " traceId" } else { "" };
            let id = if id.is_none() { " id" } else { "" };
            return Err(A::Error::custom(format_args!("Missing :{trace_id}{id}")));
        };
        Ok(Span { trace_id, id, ..span }.canonical())
    }
}

/// A parent's id; zero means that there is none.
fn parse_parent(text: &str) -> Result<Option<SpanId>, super::IdError> {
    match SpanId::parse("parentId", text) {
        Err(super::IdError::Zero(_)) => Ok(None),
        parsed => parsed.map(Some),
    }
}

/// An endpoint, or null.
struct EndpointAt<'p>(Place<'p>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EndpointField {
    ServiceName,
    Ipv4,
    Ipv6,
    Port,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for EndpointAt<'_> {
    type Value = Option<Endpoint<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EndpointAt<'_> {
    type Value = Option<Endpoint<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an endpoint at path {}", self.0)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Place { index, path } = self.0;
        let mut endpoint = Endpoint::default();
        while let Some(field) = fields.next_key()? {
            let place = Place { index, path: &format_args!("{path}.{}", field_name(&field)) };
            match field {
                EndpointField::ServiceName => endpoint.service_name = text(fields.next_value()?, place)?,
                EndpointField::Ipv4 | EndpointField::Ipv6 => {
                    if let Some(literal) = text(fields.next_value()?, place)? {
                        endpoint.set_ip(&literal);
                    }
                }
                EndpointField::Port => {
                    let port = long(fields.next_value()?, place)?.unwrap_or(0);
                    let port = u16::try_from(port.max(0))
                        .map_err(|_| A::Error::custom(format_args!("invalid port {port}")))?;
                    endpoint.port = NonZeroU16::new(port);
                }
                EndpointField::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(endpoint))
    }
}

const fn field_name(field: &EndpointField) -> &'static str {
    match field {
        EndpointField::ServiceName => "serviceName",
        EndpointField::Ipv4 => "ipv4",
        EndpointField::Ipv6 => "ipv6",
        EndpointField::Port => "port",
        EndpointField::Unknown => "?",
    }
}

/// A list of annotations, or null.
struct AnnotationsOf {
    index: usize,
}

impl<'de> DeserializeSeed<'de> for AnnotationsOf {
    type Value = Vec<Annotation<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnnotationsOf {
    type Value = Vec<Annotation<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of annotations at path $[{}].annotations", self.index)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut annotations = Vec::new();
        while let Some(annotation) =
            list.next_element_seed(AnnotationOf { index: self.index, position: annotations.len() })?
        {
            annotations.push(annotation);
        }
        Ok(annotations)
    }
}

struct AnnotationOf {
    index: usize,
    position: usize,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum AnnotationField {
    Timestamp,
    Value,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for AnnotationOf {
    type Value = Annotation<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnnotationOf {
    type Value = Annotation<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an annotation at path $[{}].annotations[{}]", self.index, self.position)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Self { index, position } = self;
        let mut timestamp_us = None;
        let mut value = None;
        while let Some(field) = fields.next_key()? {
            match field {
                AnnotationField::Timestamp => {
                    let path = &format_args!("annotations[{position}].timestamp");
                    timestamp_us = positive(long(fields.next_value()?, Place { index, path })?);
                }
                AnnotationField::Value => {
                    let path = &format_args!("annotations[{position}].value");
                    value = Some(required_text(fields.next_value()?, Place { index, path })?);
                }
                AnnotationField::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (timestamp_us, value) {
            (Some(timestamp_us), Some(value)) => Ok(Annotation { timestamp_us: timestamp_us.get(), value }),
            _ => Err(A::Error::custom(format_args!(
                "Incomplete annotation at $[{index}].annotations[{position}]"
            ))),
        }
    }
}

/// An object of tags, or null.
struct TagsOf {
    index: usize,
}

/// A key that borrows when it has no escapes; a bare `Cow` would always own.
#[derive(Deserialize)]
#[serde(transparent)]
struct TagKey<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for TagsOf {
    type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TagsOf {
    type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of tags at path $[{}].tags", self.index)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut tags = Vec::new();
        while let Some(TagKey(key)) = fields.next_key()? {
            let place = Place { index: self.index, path: &format_args!("tags.{key}") };
            let value = text(fields.next_value()?, place)?
                .ok_or_else(|| A::Error::custom(format_args!("No value at {place}")))?;
            tags.push((key, value));
        }
        Ok(tags)
    }
}

/// An error quotes what was sent; no more of it than this.
const CAUSE_LIMIT_CHARS: usize = 1_024;

#[cfg(test)]
mod tests;
