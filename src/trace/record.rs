//! A finished span as it waits in a batch: its shape in bytes, and reading it back.
//!
//! What all spans of one place share is not in the record: it is a [`Site`], which the record names by number.
//!
//! ```text
//! length of what follows (4)   takers (4)   site (4)   shape (1)
//! trace id low (8)   [high (8)]   span id (8)   [parent id (8)]   start (8)   duration (8)
//! [local address]   [remote address]   [name: length (2), text]   entries of the notes
//! ```
//!
//! Parts in brackets are there when their bit in `shape` is set; an address is 4 or 16 bytes and a port (2).

use super::context::TraceContext;
use super::id::{SpanId, TraceId};
use super::notes::{Entry, Notes, entries};
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

/// A span's name.
#[derive(Clone, Copy, Debug)]
pub enum SpanName<'a> {
    /// The site's.
    OfSite,
    /// `<method> <path>`: the target without its query; the method alone when there is no target.
    Request {
        /// The request's method.
        method: &'a [u8],
        /// The request's target.
        target: &'a [u8],
    },
    /// This text.
    Text(&'a [u8]),
}

/// All of a span but its notes and what its site says.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead<'a> {
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
    pub name: SpanName<'a>,
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
    /// Its own name, ASCII letters in lower case; none means the site's.
    pub name: Option<&'a [u8]>,
    /// Which telemeters take it, one bit each.
    pub takers: u32,
    notes: &'a [u8],
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
    /// Tags and annotations in the order of recording, those of the site not among them.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        entries(self.notes)
    }
}

/// Bytes of a span's name that are kept.
pub const MAX_NAME_BYTES: usize = 512;

/// Bytes that a record without name and notes takes at most.
pub(super) const MAX_HEAD_BYTES: usize = 4 + 4 + 4 + 1 + 6 * 8 + 2 * 18 + 2;

const PARENT: u8 = 1;
const HIGH: u8 = 1 << 1;
const DEBUG: u8 = 1 << 2;
const LOCAL: u8 = 1 << 3;
const LOCAL_V6: u8 = 1 << 4;
const REMOTE: u8 = 1 << 5;
const REMOTE_V6: u8 = 1 << 6;
const NAME: u8 = 1 << 7;

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
    head: &SpanHead<'_>,
    times: Times,
    notes: &Notes,
) {
    let from = out.len();
    out.reserve(MAX_HEAD_BYTES + MAX_NAME_BYTES + notes.bytes().len());
    let context = &head.context;
    let shape = if context.parent.is_some() { PARENT } else { 0 }
        | if context.trace.high.is_some() { HIGH } else { 0 }
        | if context.debug() { DEBUG } else { 0 }
        | address_shape(head.local, LOCAL, LOCAL_V6)
        | address_shape(head.remote, REMOTE, REMOTE_V6)
        | if matches!(head.name, SpanName::OfSite) { 0 } else { NAME };
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&takers.to_le_bytes());
    out.extend_from_slice(&site.to_le_bytes());
    out.push(shape);
    let mut word = |word: u64| out.extend_from_slice(&word.to_le_bytes());
    word(context.trace.low.get());
    if let Some(high) = context.trace.high {
        word(high);
    }
    word(context.span.get());
    if let Some(parent) = context.parent {
        word(parent.get());
    }
    word(times.start_us);
    word(times.duration_us);
    for address in [head.local, head.remote].into_iter().flatten() {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&address.port().to_le_bytes());
    }
    match head.name {
        SpanName::OfSite => {}
        SpanName::Text(text) => push_name(out, &[text]),
        SpanName::Request { method, target: b"" } => push_name(out, &[method]),
        SpanName::Request { method, target } => {
            push_name(out, &[method, b" ", target.split(|byte| *byte == b'?').next().unwrap_or_default()]);
        }
    }
    out.extend_from_slice(notes.bytes());
    let length = u32::try_from(out.len() - from - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(from..from + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads the record at the start of `bytes`, and what follows it. None when there is none, or it is not whole.
pub(super) fn decode<'a>(bytes: &'a [u8], sites: &'a [Arc<SiteParts>]) -> Option<(SpanRecord<'a>, &'a [u8])> {
    let mut rest = bytes;
    let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let (record, after) = rest.split_at_checked(length)?;
    let mut rest = record;
    let takers = u32::from_le_bytes(take(&mut rest)?);
    let site_index = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let [shape] = take(&mut rest)?;
    let mut word = || take(&mut rest).map(u64::from_le_bytes);
    let low = NonZeroU64::new(word()?)?;
    let high = if shape & HIGH != 0 { Some(word()?) } else { None };
    let span = SpanId::new(word()?)?;
    let parent = if shape & PARENT != 0 { SpanId::new(word()?) } else { None };
    let (start_us, duration_us) = (word()?, word()?);
    let local = take_address(&mut rest, shape, LOCAL, LOCAL_V6)?;
    let remote = take_address(&mut rest, shape, REMOTE, REMOTE_V6)?;
    let name = if shape & NAME != 0 {
        let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(name)
    } else {
        None
    };
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
        name,
        takers,
        notes: rest,
    };
    Some((record, after))
}

fn address_shape(address: Option<SocketAddr>, there: u8, v6: u8) -> u8 {
    match address {
        None => 0,
        Some(SocketAddr::V4(_)) => there,
        Some(SocketAddr::V6(_)) => there | v6,
    }
}

/// Appends a name: its parts one after the other, cut at [`MAX_NAME_BYTES`], ASCII letters in lower case.
fn push_name(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let from = out.len();
    out.extend_from_slice(&[0; 2]);
    for part in parts {
        let room = MAX_NAME_BYTES.saturating_sub(out.len() - from - 2);
        out.extend_from_slice(part.get(..room).unwrap_or(part));
    }
    let length = u16::try_from(out.len() - from - 2).unwrap_or(u16::MAX);
    if let Some((place, name)) = out.get_mut(from..).and_then(|bytes| bytes.split_first_chunk_mut()) {
        *place = length.to_le_bytes();
        name.make_ascii_lowercase();
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Reads an address if `shape` says there is one; the outer none means that the record is not whole.
fn take_address(bytes: &mut &[u8], shape: u8, there: u8, v6: u8) -> Option<Option<SocketAddr>> {
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
