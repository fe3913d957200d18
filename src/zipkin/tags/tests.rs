use super::*;
use crate::clock::{Clock, Monotonic};
use crate::trace::{
    Batch, Decision, Kind, Note, Notes, Outlet, Samplers, ShardCounts, Site, SiteParts, SpanBuffer, SpanHead,
    SpanId, TraceContext, TraceId,
};
use crate::zipkin::body::{BodyLimits, Unsent, encode};
use proptest::prelude::*;
use serde_json::Value;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};

struct Channel(Sender<Batch>);

impl Outlet for Channel {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        self.0.send(batch).map_err(|back| back.0)
    }
}

fn site(kind: Kind, tags: &[(Tag, &str)]) -> Site {
    Site::new(SiteParts {
        kind,
        service: "router1".to_owned(),
        span_name: "router1 /svc/web".to_owned(),
        remote_service: String::new(),
        tags: tags.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect(),
    })
}

type OwnValues<'a> = &'a [(Tag, &'a [u8])];

/// A span to be: the number of its place, its kind of name and its tags.
type Sketch<'a> = (usize, SpanName, OwnValues<'a>);

struct Bench {
    buffer: SpanBuffer,
    batches: Receiver<Batch>,
    sites: [Site; 3],
}

impl Bench {
    fn new() -> Self {
        let (sender, batches) = channel();
        let counts = std::iter::once(ShardCounts::default()).collect();
        let samplers = Samplers::new([1.0], 7);
        let buffer = SpanBuffer::new(Clock::start(), samplers, Box::new(Channel(sender)), counts);
        let sites = [
            site(Kind::Server, &[(Tag::Client, "/of the place"), (Tag::Service, "/svc/\"\n")]),
            site(Kind::Client, &[]),
            site(Kind::Client, &[(Tag::HttpUri, "/of the place")]),
        ];
        Self { buffer, batches, sites }
    }

    fn record(&self, (site, name, tags): Sketch<'_>, at_us: u64) {
        let mut notes = Notes::new();
        for (tag, value) in tags {
            notes.tag(*tag, value);
        }
        notes.annotate(Note::WireSend, at_us);
        let (start, end) = (Monotonic::from_nanos(at_us * 1_000), Monotonic::from_nanos(at_us * 2_000));
        let id = SpanId::new(at_us + 1).unwrap();
        let context = TraceContext::new(id, None, TraceId::parse(b"c").unwrap(), Decision::Yes, 0);
        let head = SpanHead { context, start, end, local: None, remote: None, name };
        self.buffer.record(&self.sites[site], &head, &notes);
    }

    /// The body of these spans. What is known of tags is forgotten with their batch: with a batch for each span, nothing is
    /// ever known.
    fn body(&self, sketches: &[Sketch<'_>], a_batch_each: bool) -> String {
        for (at, sketch) in sketches.iter().enumerate() {
            self.record(*sketch, at as u64);
            if a_batch_each {
                self.buffer.hand_over();
            }
        }
        self.buffer.hand_over();
        let mut waiting = self.batches.try_iter().map(|batch| Unsent::new(Rc::new(batch), 0)).collect();
        let body = encode(&mut waiting, BodyLimits { bytes: usize::MAX, spans: u64::MAX });
        assert_eq!((body.spans, body.failed), (sketches.len() as u64, 0));
        String::from_utf8(body.json).unwrap()
    }

    /// Whether tags and name were known, for one span after the other of the first place.
    fn known(&self, sketches: &[OwnValues<'_>]) -> Vec<bool> {
        for tags in sketches {
            self.record((0, SpanName::Request, tags), 1);
        }
        self.buffer.hand_over();
        let batch = self.batches.try_recv().unwrap();
        let site = SiteTags::new(&self.sites[0].parts().tags).unwrap();
        let mut known = KnownTags::default();
        let learn = |record: SpanRecord<'_>| {
            known.learn(&record, &site).unwrap();
            known.text().is_some()
        };
        batch.iter().map(learn).collect()
    }
}

const PLAIN: OwnValues<'_> =
    &[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"/a?b"), (Tag::HttpRspStatus, b"200")];
const CHANGED: OwnValues<'_> =
    &[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"/a?c"), (Tag::HttpRspStatus, b"200")];
const ABSENT: OwnValues<'_> = &[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"/a?b")];
const NONE: OwnValues<'_> = &[];
const EMPTY: OwnValues<'_> = &[(Tag::HttpReqMethod, b""), (Tag::HttpUri, b"")];
const OWN_OVER_PLACE: OwnValues<'_> =
    &[(Tag::Client, b"/first"), (Tag::Client, b"/own"), (Tag::Service, b"")];
const HOSTILE: OwnValues<'_> = &[
    (Tag::HttpReqMethod, b"G\"T\xc3"),
    (Tag::HttpUri, b"/\"},{\\\x00\x1f\n\xff\xe2\x80\xa8\xc3\x84\xc4\xb0"),
    (Tag::Error, b"</script>\x7f\x08\x0c\r\t"),
];
/// One with the bytes of a tag in a value: what is compared must not run together.
const NESTED: OwnValues<'_> = &[(Tag::HttpReqMethod, b"GET\x11\x04\x00/a?b")];
const LARGE: OwnValues<'_> = &[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, &[b'U'; MAX_KNOWN_BYTES])];

const ALL: [OwnValues<'_>; 9] = [PLAIN, CHANGED, ABSENT, NONE, EMPTY, OWN_OVER_PLACE, HOSTILE, NESTED, LARGE];
const NAMES: [SpanName; 3] = [SpanName::OfSite, SpanName::Request, SpanName::Method];

#[test]
fn tags_are_known_from_the_second_time_in_a_row_until_they_change() {
    let bench = Bench::new();
    assert_eq!(bench.known(&[PLAIN, PLAIN, PLAIN]), [false, true, true]);
    assert_eq!(bench.known(&[PLAIN, PLAIN, CHANGED, CHANGED, PLAIN]), [false, true, false, true, false]);
    assert_eq!(bench.known(&[PLAIN, PLAIN, ABSENT, PLAIN]), [false, true, false, false]);
    assert_eq!(bench.known(&[NONE, NONE, HOSTILE, HOSTILE]), [false, true, false, true]);
}

#[test]
fn large_tags_are_not_remembered() {
    let bench = Bench::new();
    assert_eq!(bench.known(&[LARGE, LARGE, LARGE, NONE, NONE]), [false, false, false, false, true]);
}

#[test]
fn known_tags_are_written_as_unknown_ones_are() {
    for site in 0..3 {
        for name in NAMES {
            for (at, tags) in ALL.iter().enumerate() {
                let next = ALL[(at + 1) % ALL.len()];
                let (this, other) = ((site, name, *tags), (site, name, next));
                let sketches = [this, this, this, other, this, this, other, other, other, this];
                let bench = Bench::new();
                assert_eq!(bench.body(&sketches, false), bench.body(&sketches, true));
            }
        }
    }
}

#[test]
fn a_span_with_equal_tags_and_another_kind_of_name_has_its_own_name() {
    let bench = Bench::new();
    let sketches = NAMES.map(|name| [(0, name, PLAIN); 3]).concat();
    let spans: Value = serde_json::from_str(&bench.body(&sketches, false)).unwrap();
    let names: Vec<_> = (0..9).map(|at| spans[at]["name"].as_str().unwrap()).collect();
    assert_eq!(names, [["router1 /svc/web"; 3], ["get /a"; 3], ["get"; 3]].concat());
}

#[test]
fn names_are_built_from_method_and_path_and_have_a_limit() {
    let cases: [(OwnValues<'_>, &str); 8] = [
        (&[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"/A?q")], "get /a"),
        (&[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"")], "get"),
        (&[(Tag::HttpReqMethod, b"OPTIONS"), (Tag::HttpUri, b"*")], "options *"),
        (&[(Tag::HttpUri, b"/a")], "/a"),
        (&[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, "/ÄÖ\u{130}".as_bytes())], "get /äöi\u{307}"),
        (&[(Tag::HttpReqMethod, b"GET"), (Tag::HttpUri, b"/\xff")], "get /\u{fffd}"),
        (&[(Tag::HttpReqMethod, b"A"), (Tag::HttpReqMethod, b"B")], "b"),
        (NONE, "router1 /svc/web"),
    ];
    let bench = Bench::new();
    for (tags, expected) in cases {
        let spans: Value = serde_json::from_str(&bench.body(&[(1, SpanName::Request, tags)], false)).unwrap();
        assert_eq!(spans[0]["name"], expected);
    }
    let spans: Value = serde_json::from_str(&bench.body(&[(1, SpanName::Request, LARGE)], false)).unwrap();
    assert_eq!(spans[0]["name"], format!("get {}", "u".repeat(MAX_NAME_BYTES - 4)));
}

proptest! {
    #[test]
    fn any_run_of_spans_is_written_as_its_spans_are_alone(
        picks in proptest::collection::vec((0..2_usize, 0..2_usize, 0..4_usize), 1..40),
        (first, second) in (0..ALL.len(), 0..ALL.len()),
    ) {
        // Few choices, so that the same tags often come several times in a row.
        let tags = [ALL[first], ALL[second], PLAIN, PLAIN];
        let sketches: Vec<_> =
            picks.iter().map(|(site, name, at)| (*site, NAMES[*name], tags[*at])).collect();
        let bench = Bench::new();
        prop_assert_eq!(bench.body(&sketches, false), bench.body(&sketches, true));
    }
}
