//! The tags of one span as Zipkin v2 JSON, and the span's name where it follows from them.
//!
//! Spans of one place mostly have the tags of the span before: health checks, polling, one popular page. Once the same tags
//! came twice in a row their text is kept, and the next span with them costs one comparison and one copy.

use super::json::Lossy;
use crate::trace::{SpanName, SpanRecord, Tag};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Bytes of recorded tags up to which they are remembered. Large ones hardly come twice, and their text could be six times as
/// long.
const MAX_KNOWN_BYTES: usize = 1024;

/// Bytes of a span's name that are sent.
pub(super) const MAX_NAME_BYTES: usize = 512;

/// The tags that all spans of a place have, escaped once.
pub(super) struct SiteTags {
    /// In the order of their keys.
    values: Vec<(Tag, Box<RawValue>)>,
    /// One bit for each of them.
    present: u64,
}

impl SiteTags {
    pub(super) fn new(tags: &[(Tag, String)]) -> serde_json::Result<Self> {
        let mut values = Vec::with_capacity(tags.len());
        let mut present = 0;
        for (tag, value) in tags {
            values.push((*tag, to_raw_value(value)?));
            present |= 1 << tag.index();
        }
        Ok(Self { values, present })
    }
}

/// The tags of a place's last span, and their text if the span before had the same.
#[derive(Default)]
pub(super) struct KnownTags {
    /// As recorded; empty when they are too large to be remembered.
    recorded: Vec<u8>,
    /// The name is made from the tags, too.
    name: Option<SpanName>,
    text: Option<KnownText>,
}

struct KnownText {
    name: Option<Box<RawValue>>,
    tags: Option<Box<RawValue>>,
}

impl KnownTags {
    /// Gets ready for a span of the place.
    pub(super) fn learn(&mut self, record: &SpanRecord<'_>, site: &SiteTags) -> serde_json::Result<()> {
        if self.name != Some(record.name) || self.recorded != record.tag_bytes() {
            self.text = None;
            self.recorded.clear();
            self.name = (record.tag_bytes().len() <= MAX_KNOWN_BYTES).then_some(record.name);
            if self.name.is_some() {
                self.recorded.extend_from_slice(record.tag_bytes());
            }
        } else if self.text.is_none() {
            let own = OwnTags::read(record);
            let name = own.name(record.name).as_ref().map(to_raw_value).transpose()?;
            let tags = Tags { own: &own, site };
            let tags = (!tags.is_empty()).then(|| to_raw_value(&tags)).transpose()?;
            self.text = Some(KnownText { name, tags });
        }
        Ok(())
    }

    /// Name and tags of the span that was learned last, if they are known.
    pub(super) fn text(&self) -> Option<(Option<&RawValue>, Option<&RawValue>)> {
        self.text.as_ref().map(|text| (text.name.as_deref(), text.tags.as_deref()))
    }
}

/// The tags of one span, by key.
pub(super) struct OwnTags<'a> {
    /// One bit for each tag that has a value.
    present: u64,
    values: [&'a [u8]; Tag::ALL.len()],
}

impl<'a> OwnTags<'a> {
    pub(super) fn read(record: &SpanRecord<'a>) -> Self {
        let mut own = Self { present: 0, values: [b""; Tag::ALL.len()] };
        for (tag, value) in record.tags() {
            if let Some(place) = own.values.get_mut(usize::from(tag.index())) {
                *place = value;
                own.present |= 1 << tag.index();
            }
        }
        own
    }

    /// The name of a span with these tags; none when it is that of the place.
    pub(super) fn name(&self, name: SpanName) -> Option<Name> {
        let method = self.value(Tag::HttpReqMethod);
        let path = match name {
            SpanName::OfSite => return None,
            SpanName::Method => b"",
            SpanName::Request => {
                self.value(Tag::HttpUri).split(|byte| *byte == b'?').next().unwrap_or_default()
            }
        };
        let between: &[u8] = if method.is_empty() || path.is_empty() { b"" } else { b" " };
        let mut text = [method, between, path].concat();
        text.truncate(MAX_NAME_BYTES);
        (!text.is_empty()).then_some(Name(text))
    }

    fn value(&self, tag: Tag) -> &'a [u8] {
        self.values.get(usize::from(tag.index())).copied().unwrap_or_default()
    }
}

/// All tags of a span in the order of their keys; its own win over those of its place.
pub(super) struct Tags<'a> {
    pub(super) own: &'a OwnTags<'a>,
    pub(super) site: &'a SiteTags,
}

impl Tags<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.own.present | self.site.present == 0
    }
}

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { own, site } = self;
        let mut map = serializer.serialize_map(None)?;
        let mut constants = site.values.iter();
        for (tag, value) in Tag::ALL.iter().zip(own.values) {
            let bit = 1_u64 << tag.index();
            // Both lists are in the order of keys, so the next constant is the one of this key.
            let constant = if site.present & bit == 0 { None } else { constants.next() };
            if own.present & bit != 0 {
                map.serialize_entry(tag.text(), &Lossy(value))?;
            } else if let Some((_, value)) = constant {
                map.serialize_entry(tag.text(), value)?;
            }
        }
        map.end()
    }
}

/// A name, which Zipkin keeps in lower case.
pub(super) struct Name(Vec<u8>);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(&self.0).to_lowercase())
    }
}

#[cfg(test)]
mod tests;
