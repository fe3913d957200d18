//! A finished span as it waits in a batch: its shape in bytes, and reading it back.
//!
//! What all spans of one place share is not in the record: it is a [`Site`], which the record names by number.
//!
//! ```text
//! length of what follows (4)   takers (4)   site (4)   shape (2)   length of the tags (2)
//! trace id low (8)   span id (8)   start (8)   duration (8)
//! [trace id high (8)]   [parent id (8)]   [local address]   [remote address]   tags   annotations
//! ```
//!
//! Parts in brackets are there when their bit in `shape` is set; an address is 4 or 16 bytes and a port (2).

use super::context::TraceContext;
use super::id::{SpanId, TraceId};
use super::notes::{Notes, annotations, tags};
use super::tag::Tag;
use crate::clock::Monotonic;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;

/// Which side of a request a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The side that accepts.
    Server,
    /// The side that calls.
    Client,
}

/// What the spans of one place have in common: the server side of a service, the client side of a bound name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteParts {
    /// Which side.
    pub kind: Kind,
    /// The local endpoint's service name.
    pub service: String,
    /// The spans' name; empty when each has its own ([`SpanName`]).
    pub span_name: String,
    /// The remote endpoint's service name; empty when it has none.
    pub remote_service: String,
    /// Tags that every span of the place has. A span's own tag of the same key wins.
    pub tags: Vec<(Tag, String)>,
}

/// A place where spans are recorded. Made once per shard and place; recording refers to it by number.
#[derive(Debug)]
pub struct Site {
    parts: Arc<SiteParts>,
    /// Where the batch that was written last keeps the parts; a guess that the batch checks.
    pub(super) slot: Cell<usize>,
}

/// A span's name. That of a request is made from its tags when it is sent: a record says it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanName {
    /// The site's.
    OfSite,
    /// `<method> <path>`, of [`Tag::HttpReqMethod`] and [`Tag::HttpUri`] without its query; the method alone when there is
    /// no target.
    Request,
    /// [`Tag::HttpReqMethod`] alone.
    Method,
}

/// All of a span but its notes and what its site says.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead {
    /// The ids.
    pub context: TraceContext,
    /// When the span began.
    pub start: Monotonic,
    /// When it ended.
    pub end: Monotonic,
    /// The local endpoint's address; a port of 0 is none.
    pub local: Option<SocketAddr>,
    /// The remote endpoint's address.
    pub remote: Option<SocketAddr>,
    /// The name.
    pub name: SpanName,
}

/// A span read back from a batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRecord<'a> {
    /// What the span shares with others of its place.
    pub site: &'a SiteParts,
    /// The place of `site` among the batch's sites.
    pub site_index: usize,
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Its parent.
    pub parent: Option<SpanId>,
    /// Whether the trace was forced by its debug flag.
    pub debug: bool,
    /// When it began, in microseconds since the epoch.
    pub start_us: u64,
    /// How long it took, in microseconds; at least 1.
    pub duration_us: u64,
    /// The local endpoint's address.
    pub local: Option<SocketAddr>,
    /// The remote endpoint's address.
    pub remote: Option<SocketAddr>,
    /// Its name.
    pub name: SpanName,
    /// Which telemeters take it, one bit each.
    pub takers: u32,
    tags: &'a [u8],
    annotations: &'a [u8],
}

impl SiteParts {
    /// Bytes of its texts: what it adds to each of its spans.
    #[must_use]
    pub fn weight(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(_, value)| value.len()).sum();
        self.service.len() + self.span_name.len() + self.remote_service.len() + tags
    }
}

impl Site {
    /// A place with these parts. Names are made lower case here, as Zipkin stores them, and of tags with the same key the
    /// last one stays.
    #[must_use]
    pub fn new(mut parts: SiteParts) -> Self {
        for name in [&mut parts.service, &mut parts.span_name, &mut parts.remote_service] {
            *name = name.to_lowercase();
        }
        // The sort is stable: among equal keys the last stands last, and is the one that `dedup` meets last.
        parts.tags.reverse();
        parts.tags.sort_by_key(|(tag, _)| *tag);
        parts.tags.dedup_by_key(|(tag, _)| *tag);
        Self { parts: Arc::new(parts), slot: Cell::new(usize::MAX) }
    }

    /// What the spans of the place have in common.
    #[must_use]
    pub fn parts(&self) -> &Arc<SiteParts> {
        &self.parts
    }
}

impl<'a> SpanRecord<'a> {
    /// Its tags in the order of recording, those of the site not among them. The last value of a key counts.
    pub fn tags(&self) -> impl Iterator<Item = (Tag, &'a [u8])> + use<'a> {
        tags(self.tags)
    }

    /// The bytes that say the tags: two spans whose bytes are equal have equal tags.
    #[must_use]
    pub const fn tag_bytes(&self) -> &'a [u8] {
        self.tags
    }

    /// Its annotations in the order of recording: when, in microseconds since the epoch, and what.
    pub fn annotations(&self) -> impl Iterator<Item = (u64, &'a [u8])> + use<'a> {
        annotations(self.annotations)
    }
}

/// Bytes that a record without notes takes at most.
pub(super) const MAX_HEAD_BYTES: usize = 4 * 4 + 6 * 8 + 2 * 18;

const PARENT: u16 = 1;
const HIGH: u16 = 1 << 1;
const DEBUG: u16 = 1 << 2;
const LOCAL: u16 = 1 << 3;
const LOCAL_V6: u16 = 1 << 4;
const REMOTE: u16 = 1 << 5;
const REMOTE_V6: u16 = 1 << 6;
const NAME_REQUEST: u16 = 1 << 7;
const NAME_METHOD: u16 = 1 << 8;

/// Start and duration of a span, both in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) start_us: u64,
    pub(super) duration_us: u64,
}

/// Appends the record of one span.
pub(super) fn encode(
    out: &mut Vec<u8>,
    takers: u32,
    site: u32,
    head: &SpanHead,
    times: Times,
    notes: &Notes,
) {
    let from = out.len();
    out.reserve(MAX_HEAD_BYTES + notes.len());
    let context = &head.context;
    let shape = if context.parent.is_some() { PARENT } else { 0 }
        | if context.trace.high.is_some() { HIGH } else { 0 }
        | if context.debug() { DEBUG } else { 0 }
        | address_shape(head.local, LOCAL, LOCAL_V6)
        | address_shape(head.remote, REMOTE, REMOTE_V6)
        | match head.name {
            SpanName::OfSite => 0,
            SpanName::Request => NAME_REQUEST,
            SpanName::Method => NAME_METHOD,
        };
    // What every record has is stored in two pieces of fixed size, which costs less than field after field.
    let tags_len = u16::try_from(notes.tag_bytes().len()).unwrap_or(u16::MAX);
    let shape_and_tags = u32::from(shape) | u32::from(tags_len) << 16;
    out.extend_from_slice([0, takers, site, shape_and_tags].map(u32::to_le_bytes).as_flattened());
    let words = [context.trace.low.get(), context.span.get(), times.start_us, times.duration_us];
    out.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
    if let Some(high) = context.trace.high {
        out.extend_from_slice(&high.to_le_bytes());
    }
    if let Some(parent) = context.parent {
        out.extend_from_slice(&parent.get().to_le_bytes());
    }
    for address in [head.local, head.remote].into_iter().flatten() {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&address.port().to_le_bytes());
    }
    out.extend_from_slice(notes.tag_bytes());
    out.extend_from_slice(notes.annotation_bytes());
    let length = u32::try_from(out.len() - from - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(from..from + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads the record at the start of `bytes`, and what follows it. None when there is none, or it is not whole.
pub(super) fn decode<'a>(bytes: &'a [u8], sites: &'a [Arc<SiteParts>]) -> Option<(SpanRecord<'a>, &'a [u8])> {
    let mut rest = bytes;
    let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let (mut rest, after) = rest.split_at_checked(length)?;
    let takers = u32::from_le_bytes(take(&mut rest)?);
    let site_index = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let shape = u16::from_le_bytes(take(&mut rest)?);
    let tags_len = usize::from(u16::from_le_bytes(take(&mut rest)?));
    let mut word = || take(&mut rest).map(u64::from_le_bytes);
    let (low, span) = (NonZeroU64::new(word()?)?, SpanId::new(word()?)?);
    let (start_us, duration_us) = (word()?, word()?);
    let high = if shape & HIGH != 0 { Some(word()?) } else { None };
    let parent = if shape & PARENT != 0 { SpanId::new(word()?) } else { None };
    let local = take_address(&mut rest, shape, LOCAL, LOCAL_V6)?;
    let remote = take_address(&mut rest, shape, REMOTE, REMOTE_V6)?;
    let (tags, annotations) = rest.split_at_checked(tags_len)?;
    let record = SpanRecord {
        site: sites.get(site_index)?,
        site_index,
        trace: TraceId { high, low },
        span,
        parent,
        debug: shape & DEBUG != 0,
        start_us,
        duration_us,
        local,
        remote,
        name: match shape & (NAME_REQUEST | NAME_METHOD) {
            0 => SpanName::OfSite,
            NAME_METHOD => SpanName::Method,
            _ => SpanName::Request,
        },
        takers,
        tags,
        annotations,
    };
    Some((record, after))
}

fn address_shape(address: Option<SocketAddr>, there: u16, v6: u16) -> u16 {
    match address {
        None => 0,
        Some(SocketAddr::V4(_)) => there,
        Some(SocketAddr::V6(_)) => there | v6,
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Reads an address if `shape` says there is one; the outer none means that the record is not whole.
fn take_address(bytes: &mut &[u8], shape: u16, there: u16, v6: u16) -> Option<Option<SocketAddr>> {
    if shape & there == 0 {
        return Some(None);
    }
    let ip = if shape & v6 == 0 {
        IpAddr::V4(Ipv4Addr::from(take::<4>(bytes)?))
    } else {
        IpAddr::V6(Ipv6Addr::from(take::<16>(bytes)?))
    };
    Some(Some(SocketAddr::new(ip, u16::from_le_bytes(take(bytes)?))))
}

#[cfg(test)]
mod tests;
