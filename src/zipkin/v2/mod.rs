//! The Zipkin v2 span as anyone may send it: the model, its lenient reader and its canonical JSON.
//!
//! Spans that ringspan itself records have a more compact form elsewhere; this one is for spans that come
//! from outside, so every text may be long or odd, and every field but the ids may be missing.

mod decode;
mod encode;
mod id;
mod scalar;

pub use decode::{DecodeError, decode_list};
pub use encode::encode_span;
pub use id::{IdError, SpanId, TraceId};

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU16, NonZeroU64};

/// One Zipkin v2 span. Texts borrow from where the span was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// The trace the span belongs to.
    pub trace_id: TraceId,
    /// The span that caused this one; none for a root.
    pub parent_id: Option<SpanId>,
    /// The span's own id, unique in its trace (but for `shared` halves).
    pub id: SpanId,
    /// Which side of a call recorded it; none for a local span.
    pub kind: Option<Kind>,
    /// What was done, lower-case.
    pub name: Option<Cow<'a, str>>,
    /// Start, microseconds since the epoch.
    pub timestamp_us: Option<NonZeroU64>,
    /// Length in microseconds.
    pub duration_us: Option<NonZeroU64>,
    /// Who recorded the span.
    pub local_endpoint: Option<Endpoint<'a>>,
    /// The other side of the call.
    pub remote_endpoint: Option<Endpoint<'a>>,
    /// Events, sorted by time and then text, none twice.
    pub annotations: Vec<Annotation<'a>>,
    /// Facts, sorted by key, each key once.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The user forced this trace to be recorded.
    pub debug: bool,
    /// A server span that uses its caller's span id.
    pub shared: bool,
}

/// Which side of a call recorded a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The calling side.
    Client,
    /// The called side.
    Server,
    /// Puts a message on a broker.
    Producer,
    /// Takes a message from a broker.
    Consumer,
}

/// One side of a call: Zipkin's word for a service name with its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The service's name, lower-case.
    pub service_name: Option<Cow<'a, str>>,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address; never an IPv4-mapped one.
    pub ipv6: Option<Ipv6Addr>,
    /// Its port.
    pub port: Option<NonZeroU16>,
}

/// An event: when and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Annotation<'a> {
    /// Microseconds since the epoch.
    pub timestamp_us: u64,
    /// What happened.
    pub value: Cow<'a, str>,
}

impl<'a> Span<'a> {
    /// A span that has nothing but its ids.
    #[must_use]
    pub const fn new(trace_id: TraceId, id: SpanId) -> Self {
        Self {
            trace_id,
            parent_id: None,
            id,
            kind: None,
            name: None,
            timestamp_us: None,
            duration_us: None,
            local_endpoint: None,
            remote_endpoint: None,
            annotations: Vec::new(),
            tags: Vec::new(),
            debug: false,
            shared: false,
        }
    }

    /// The name of the service that recorded the span.
    #[must_use]
    pub fn local_service(&self) -> Option<&str> {
        self.local_endpoint.as_ref()?.service_name.as_deref()
    }

    /// The name of the service on the other side.
    #[must_use]
    pub fn remote_service(&self) -> Option<&str> {
        self.remote_endpoint.as_ref()?.service_name.as_deref()
    }

    /// Brings the span into the one form Zipkin stores: names in lower case, empty things absent,
    /// annotations and tags sorted, of equal tag keys the last, no parent that is the span itself, and no
    /// `shared` on a client span.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.name = self.name.and_then(lower_case);
        self.local_endpoint = self.local_endpoint.and_then(Endpoint::canonical);
        self.remote_endpoint = self.remote_endpoint.and_then(Endpoint::canonical);
        self.parent_id = self.parent_id.filter(|parent| *parent != self.id);
        self.shared &= self.kind != Some(Kind::Client);
        self.annotations.sort();
        self.annotations.dedup();
        // The sort is stable and the reversal puts the last writer of a key first, which is the one kept.
        self.tags.reverse();
        self.tags.sort_by(|left, right| left.0.cmp(&right.0));
        self.tags.dedup_by(|later, kept| later.0 == kept.0);
        self
    }
}

impl<'a> Endpoint<'a> {
    /// Takes an address literal as JSON gives it. One that does not parse is left out, as Zipkin does.
    pub fn set_ip(&mut self, literal: &str) {
        match literal.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V4(ip)) => self.ipv4 = Some(ip),
            Ok(IpAddr::V6(ip)) => self.ipv6 = Some(ip),
            Err(_) => {}
        }
    }

    fn canonical(self) -> Option<Self> {
        let service_name = self.service_name.and_then(lower_case);
        let endpoint = Self { service_name, ..self };
        (endpoint != Self::default()).then_some(endpoint)
    }
}

impl Kind {
    /// The kind as Zipkin writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Server => "SERVER",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }

    /// The kind that Zipkin writes as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Client, Self::Server, Self::Producer, Self::Consumer]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// `name` in lower case, without a copy when it already is; none when it is empty.
fn lower_case(name: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let name = if is_lower { name } else { Cow::Owned(name.to_lowercase()) };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span() -> Span<'static> {
        let id = SpanId::parse("id", "2").unwrap();
        Span::new(TraceId::parse("1").unwrap(), id)
    }

    #[test]
    fn of_equal_tag_keys_the_last_one_written_is_kept() {
        let mut span = span();
        span.tags = [("b", "1"), ("a", "2"), ("b", "3")].map(|(k, v)| (k.into(), v.into())).to_vec();
        let tags = span.canonical().tags;
        assert_eq!(tags, [("a".into(), "2".into()), ("b".into(), "3".into())]);
    }

    #[test]
    fn an_ipv4_mapped_address_becomes_ipv4_and_a_bad_one_is_left_out() {
        let mut endpoint = Endpoint::default();
        endpoint.set_ip("::ffff:10.0.0.1");
        endpoint.set_ip("not an address");
        assert_eq!(endpoint, Endpoint { ipv4: Some([10, 0, 0, 1].into()), ..Endpoint::default() });
    }

    #[test]
    fn names_are_lower_cased_in_any_script() {
        assert_eq!(lower_case("ÜNÏ".into()).as_deref(), Some("ünï"));
        assert_eq!(lower_case("plain".into()).as_deref(), Some("plain"));
        assert_eq!(lower_case("".into()), None);
    }
}
