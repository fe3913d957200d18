//! One span as the store keeps it: a run of bytes, without its trace id.
//!
//! ```text
//! flags: 2 | id: 8 | [parent: 8] | [timestamp: 8] | [duration] | [name] | [local] | [remote]
//! number of annotations | { time relative to the timestamp, zigzag | text } ...
//! number of tags        | { key text | value text } ...
//!
//! endpoint: flags: 1 | [service text] | [ipv4: 4] | [ipv6: 16] | [port: 2]
//! text:     number of a symbol * 2   or   length * 2 + 1, bytes
//! ```
//!
//! What has no width above is a varint (seven bits a byte, low ones first). Flags tell which parts in brackets are
//! there. Equal spans have equal records.

use super::symbols::{Rank, Table, Texts};
use crate::zipkin::v2::{Annotation, Endpoint, Kind, Span, SpanId, TraceId};
use std::borrow::Cow;
use std::num::{NonZeroU16, NonZeroU64};

/// Appends the record of `span`, which is in canonical form.
pub(super) fn encode(span: &Span<'_>, table: &mut Table, out: &mut Vec<u8>) {
    let mut flags = span.kind.map_or(0, kind_bits);
    flags |= bit(span.parent_id.is_some(), PARENT) | bit(span.timestamp_us.is_some(), TIMESTAMP);
    flags |= bit(span.duration_us.is_some(), DURATION) | bit(span.name.is_some(), NAME);
    flags |= bit(span.local_endpoint.is_some(), LOCAL) | bit(span.remote_endpoint.is_some(), REMOTE);
    flags |= bit(span.debug, DEBUG) | bit(span.shared, SHARED);
    out.extend(flags.to_le_bytes());
    out.extend(span.id.0.get().to_le_bytes());
    if let Some(parent_id) = span.parent_id {
        out.extend(parent_id.0.get().to_le_bytes());
    }
    if let Some(timestamp_us) = span.timestamp_us {
        out.extend(timestamp_us.get().to_le_bytes());
    }
    if let Some(duration_us) = span.duration_us {
        put_varint(duration_us.get(), out);
    }
    if let Some(name) = &span.name {
        put_text(name, table.number(name, Rank::Name), out);
    }
    for endpoint in [&span.local_endpoint, &span.remote_endpoint].into_iter().flatten() {
        put_endpoint(endpoint, table, out);
    }
    let start_us = span.timestamp_us.map_or(0, NonZeroU64::get);
    put_varint(length(span.annotations.len()), out);
    for annotation in &span.annotations {
        put_varint(zigzag(annotation.timestamp_us.wrapping_sub(start_us).cast_signed()), out);
        put_text(&annotation.value, table.number(&annotation.value, Rank::Name), out);
    }
    put_varint(length(span.tags.len()), out);
    for (key, value) in &span.tags {
        put_text(key, table.number(key, Rank::Key), out);
        put_text(value, None, out);
    }
}

/// Reads a record that [`encode`] wrote, with texts that are at least as new.
///
/// Returns none if it cannot be read, which only a mistake in this file can bring about.
pub(super) fn decode<'r>(record: &'r [u8], trace_id: TraceId, texts: &'r Texts) -> Option<Span<'r>> {
    let mut reader = Reader { rest: record, texts };
    let flags = u16::from_le_bytes(reader.array()?);
    let id = SpanId(NonZeroU64::new(u64::from_le_bytes(reader.array()?))?);
    let mut span = Span::new(trace_id, id);
    span.kind = KINDS.into_iter().find(|kind| kind_bits(*kind) == flags & KIND);
    if flags & PARENT != 0 {
        span.parent_id = NonZeroU64::new(u64::from_le_bytes(reader.array()?)).map(SpanId);
    }
    if flags & TIMESTAMP != 0 {
        span.timestamp_us = NonZeroU64::new(u64::from_le_bytes(reader.array()?));
    }
    if flags & DURATION != 0 {
        span.duration_us = NonZeroU64::new(reader.varint()?);
    }
    if flags & NAME != 0 {
        span.name = Some(reader.text()?);
    }
    if flags & LOCAL != 0 {
        span.local_endpoint = Some(reader.endpoint()?);
    }
    if flags & REMOTE != 0 {
        span.remote_endpoint = Some(reader.endpoint()?);
    }
    span.debug = flags & DEBUG != 0;
    span.shared = flags & SHARED != 0;
    let start_us = span.timestamp_us.map_or(0, NonZeroU64::get);
    for _ in 0..reader.varint()? {
        let timestamp_us = start_us.wrapping_add(unzigzag(reader.varint()?).cast_unsigned());
        span.annotations.push(Annotation { timestamp_us, value: reader.text()? });
    }
    for _ in 0..reader.varint()? {
        span.tags.push((reader.text()?, reader.text()?));
    }
    debug_assert!(reader.rest.is_empty(), "a record ends where its last tag ends");
    Some(span)
}

/// Appends `value` as a varint.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_seven(value) | 0x80);
        value >>= 7;
    }
    out.push(low_seven(value));
}

/// Takes a varint off the front of `rest`.
pub(super) fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes `length` bytes off the front of `rest`.
pub(super) fn take_bytes<'r>(rest: &mut &'r [u8], length: u64) -> Option<&'r [u8]> {
    let (bytes, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(bytes)
}

/// A length as a varint holds it.
pub(super) fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn put_text(text: &str, number: Option<u64>, out: &mut Vec<u8>) {
    match number {
        Some(number) => put_varint(number << 1, out),
        None => {
            put_varint(length(text.len()) << 1 | 1, out);
            out.extend(text.as_bytes());
        }
    }
}

fn put_endpoint(endpoint: &Endpoint<'_>, table: &mut Table, out: &mut Vec<u8>) {
    let here = [
        (endpoint.service_name.is_some(), SERVICE),
        (endpoint.ipv4.is_some(), IPV4),
        (endpoint.ipv6.is_some(), IPV6),
        (endpoint.port.is_some(), PORT),
    ];
    out.push(here.into_iter().filter(|(there, _)| *there).map(|(_, bit)| bit).sum());
    if let Some(service_name) = &endpoint.service_name {
        put_text(service_name, table.number(service_name, Rank::Key), out);
    }
    if let Some(ipv4) = endpoint.ipv4 {
        out.extend(ipv4.octets());
    }
    if let Some(ipv6) = endpoint.ipv6 {
        out.extend(ipv6.octets());
    }
    if let Some(port) = endpoint.port {
        out.extend(port.get().to_le_bytes());
    }
}

struct Reader<'r> {
    rest: &'r [u8],
    texts: &'r Texts,
}

impl<'r> Reader<'r> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    fn varint(&mut self) -> Option<u64> {
        take_varint(&mut self.rest)
    }

    fn text(&mut self) -> Option<Cow<'r, str>> {
        let head = self.varint()?;
        let text = match head & 1 {
            0 => self.texts.get(head >> 1)?,
            _ => std::str::from_utf8(take_bytes(&mut self.rest, head >> 1)?).ok()?,
        };
        Some(Cow::Borrowed(text))
    }

    fn endpoint(&mut self) -> Option<Endpoint<'r>> {
        let [flags] = self.array()?;
        let mut endpoint = Endpoint::default();
        if flags & SERVICE != 0 {
            endpoint.service_name = Some(self.text()?);
        }
        if flags & IPV4 != 0 {
            endpoint.ipv4 = Some(self.array::<4>()?.into());
        }
        if flags & IPV6 != 0 {
            endpoint.ipv6 = Some(self.array::<16>()?.into());
        }
        if flags & PORT != 0 {
            endpoint.port = NonZeroU16::new(u16::from_le_bytes(self.array()?));
        }
        Some(endpoint)
    }
}

const fn bit(set: bool, bit: u16) -> u16 {
    if set { bit } else { 0 }
}

const fn kind_bits(kind: Kind) -> u16 {
    match kind {
        Kind::Client => 1,
        Kind::Server => 2,
        Kind::Producer => 3,
        Kind::Consumer => 4,
    }
}

const fn low_seven(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Small numbers of either sign to small numbers without one.
const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

const KINDS: [Kind; 4] = [Kind::Client, Kind::Server, Kind::Producer, Kind::Consumer];

/// The span's flags: three bits of kind, then what is there.
const KIND: u16 = 0b111;
const PARENT: u16 = 1 << 3;
const TIMESTAMP: u16 = 1 << 4;
const DURATION: u16 = 1 << 5;
const NAME: u16 = 1 << 6;
const LOCAL: u16 = 1 << 7;
const REMOTE: u16 = 1 << 8;
const DEBUG: u16 = 1 << 9;
const SHARED: u16 = 1 << 10;

/// An endpoint's flags.
const SERVICE: u8 = 1;
const IPV4: u8 = 1 << 1;
const IPV6: u8 = 1 << 2;
const PORT: u8 = 1 << 3;

#[cfg(test)]
mod tests {
    use super::super::symbols::Symbols;
    use super::*;
    use crate::zipkin::v2::decode_list;
    use proptest::prelude::*;

    fn check_round_trip(json: &[u8]) {
        let symbols = Symbols::default();
        decode_list(json, |span| {
            let mut record = Vec::new();
            encode(&span, &mut symbols.lock(), &mut record);
            let texts = symbols.snapshot();
            assert_eq!(decode(&record, span.trace_id, &texts).as_ref(), Some(&span));
            for cut in 0..record.len() {
                assert_eq!(decode(&record[..cut], span.trace_id, &texts), None, "cut at {cut}");
            }
        })
        .unwrap();
    }

    #[test]
    fn a_span_is_read_back_as_it_was_written() {
        check_round_trip(
            br#"[{"traceId":"1","id":"2"},
            {"traceId":"1","id":"ffffffffffffffff","parentId":"7","kind":"CONSUMER","name":"x","timestamp":9,
             "duration":9223372036854775807,"localEndpoint":{"serviceName":"a","ipv4":"1.2.3.4","port":65535},
             "remoteEndpoint":{"ipv6":"2001:db8::1"},"annotations":[{"timestamp":1,"value":"early"},
             {"timestamp":9223372036854775807,"value":"late"}],"tags":{"k":"v","empty":""},
             "debug":true,"shared":true}]"#,
        );
    }

    proptest! {
        #[test]
        fn varints_are_read_back(value: u64) {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            prop_assert_eq!(take_varint(&mut &*out), Some(value));
            prop_assert_eq!(unzigzag(zigzag(value.cast_signed())), value.cast_signed());
        }

        #[test]
        fn any_texts_and_times_are_read_back(name: String, tag: String, start in 1_u64..1 << 62, event in 1_u64..1 << 62) {
            check_round_trip(serde_json::json!([{"traceId": "1", "id": "2", "kind": "CLIENT", "name": name,
                "timestamp": start, "annotations": [{"timestamp": event, "value": tag}],
                "tags": {name.as_str(): tag}}]).to_string().as_bytes());
        }
    }
}
