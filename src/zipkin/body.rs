//! Many spans as one body to post: a JSON array, filled from the batches that wait until it is large enough.
//!
//! What the spans of one place share is escaped once per batch and place, in `json.rs`.

use super::json::{SiteJson, Span};
use crate::trace::{Batch, Position};
use serde::ser::{SerializeSeq, Serializer};
use std::collections::VecDeque;
use std::rc::Rc;

/// The spans of a batch that one telemeter has still to send.
#[derive(Clone, Debug)]
pub struct Unsent {
    batch: Rc<Batch>,
    position: Position,
    telemeter: usize,
    spans: u64,
    /// Bytes that the place with the longest texts adds to each of its spans.
    heaviest: usize,
}

/// A finished body: a JSON array of spans.
#[derive(Debug, Default)]
pub struct Body {
    /// The text.
    pub json: Vec<u8>,
    /// How many spans are in it.
    pub spans: u64,
    /// How many spans should have been in it and could not be encoded.
    pub failed: u64,
}

/// How much goes into one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes of records, and of what their places add to each, after which no span is added. The JSON is about three times
    /// as long; at worst, all text being control characters and said again in the name, twelve times.
    pub bytes: usize,
    /// Spans in a body.
    pub spans: u64,
}

impl Unsent {
    /// What the telemeter with this index takes of `batch`.
    #[must_use]
    pub fn new(batch: Rc<Batch>, telemeter: usize) -> Self {
        let spans = batch.spans_for(telemeter);
        let heaviest = batch.sites().iter().map(|site| site.weight()).max().unwrap_or_default();
        Self { batch, position: Position::default(), telemeter, spans, heaviest }
    }

    /// How many spans are left.
    #[must_use]
    pub const fn spans(&self) -> u64 {
        self.spans
    }

    /// Bytes of memory that the batch holds on to.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.batch.memory()
    }

    /// Bytes of records that are left, those of other telemeters among them.
    #[must_use]
    pub fn records(&self) -> usize {
        self.batch.bytes_after(self.position)
    }

    /// Bytes of records that are left, and at most so many that their places add to them.
    fn weight(&self) -> usize {
        let spans = usize::try_from(self.spans).unwrap_or(usize::MAX);
        self.records().saturating_add(spans.saturating_mul(self.heaviest))
    }
}

/// How much longer the JSON of ordinary spans is than what it is made from; a guess too low costs a move of the text.
const JSON_PER_BYTE: usize = 3;

/// Takes spans from the front of `waiting` until the limits are met, and encodes them.
#[must_use]
pub fn encode(waiting: &mut VecDeque<Unsent>, limits: BodyLimits) -> Body {
    let mut body = Body::default();
    let weight = waiting.iter().map(Unsent::weight).fold(0, usize::saturating_add);
    let mut json = Vec::with_capacity(weight.min(limits.bytes).saturating_mul(JSON_PER_BYTE));
    // Writing JSON to memory fails for no span that can be read from a record. Should one fail all the same, the body is not
    // usable, and neither are its spans.
    if encode_array(&mut json, waiting, limits, &mut body).is_err() {
        body.failed += std::mem::take(&mut body.spans);
        json.clear();
    }
    body.json = json;
    body
}

fn encode_array(
    json: &mut Vec<u8>,
    waiting: &mut VecDeque<Unsent>,
    limits: BodyLimits,
    body: &mut Body,
) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(json);
    let mut array = serializer.serialize_seq(None)?;
    let mut bytes = 0;
    while let Some(unsent) = waiting.front_mut() {
        let batch = Rc::clone(&unsent.batch);
        let mut sites: Vec<Option<SiteJson>> = Vec::new();
        sites.resize_with(batch.sites().len(), || None);
        while unsent.spans > 0 {
            if bytes >= limits.bytes || body.spans >= limits.spans {
                return array.end();
            }
            let Some((record, next)) = batch.read(unsent.position) else { break };
            let record_bytes = batch.bytes_after(unsent.position) - batch.bytes_after(next);
            unsent.position = next;
            if record.takers >> unsent.telemeter & 1 == 0 {
                continue;
            }
            let Some(place) = sites.get_mut(record.site_index) else { break };
            let site = match place {
                Some(site) => site,
                None => place.insert(SiteJson::new(record.site)?),
            };
            site.learn(&record)?;
            bytes += record_bytes + record.site.weight();
            unsent.spans -= 1;
            body.spans += 1;
            array.serialize_element(&Span { record: &record, site })?;
        }
        // Spans that are left in a batch whose records are at an end are spans that cannot be read.
        body.failed += unsent.spans;
        waiting.pop_front();
    }
    array.end()
}

#[cfg(test)]
mod tests;
