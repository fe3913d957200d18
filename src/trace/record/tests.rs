use super::*;
use crate::trace::{Decision, Note};
use proptest::prelude::*;

fn site() -> Site {
    Site::new(SiteParts {
        kind: Kind::Server,
        service: "Router1".to_owned(),
        span_name: "Router1 /svc/Web".to_owned(),
        remote_service: String::new(),
        tags: vec![
            (Tag::RouterLabel, "first".to_owned()),
            (Tag::Client, "/$/inet/1".to_owned()),
            (Tag::RouterLabel, "last".to_owned()),
        ],
    })
}

fn head(context: TraceContext) -> SpanHead {
    let at = Monotonic::from_nanos(5);
    SpanHead { context, start: at, end: at, local: None, remote: None, name: SpanName::OfSite }
}

fn root() -> TraceContext {
    TraceContext::root(SpanId::new(7).unwrap())
}

const TIMES: Times = Times { start_us: 1_700_000_000_000_000, duration_us: 42 };

/// Writes one record and hands what was read back to `check`.
fn round_trip(head: &SpanHead, notes: &Notes, check: impl FnOnce(SpanRecord<'_>)) {
    let (site, mut out) = (site(), Vec::new());
    encode(&mut out, 0b101, 0, head, TIMES, notes);
    let sites = [Arc::clone(site.parts())];
    let (record, rest) = decode(&out, &sites).unwrap();
    assert!(rest.is_empty());
    check(record);
}

#[test]
fn a_place_has_lower_case_names_and_each_tag_once() {
    let site = site();
    assert_eq!(site.parts().service, "router1");
    assert_eq!(site.parts().span_name, "router1 /svc/web");
    let tags: Vec<_> = site.parts().tags.iter().map(|(tag, value)| (*tag, value.as_str())).collect();
    assert_eq!(tags, [(Tag::Client, "/$/inet/1"), (Tag::RouterLabel, "last")]);
}

#[test]
fn everything_recorded_is_read_back() {
    let trace = TraceId::parse(b"463ac35c9f6413ad48485a3953bb6124").unwrap();
    let span = SpanId::new(1).unwrap();
    let context = TraceContext::new(span, SpanId::new(2), trace, Decision::Unknown, 1);
    let head = SpanHead {
        local: Some("127.0.0.1:9000".parse().unwrap()),
        remote: Some("[2001:db8::1]:443".parse().unwrap()),
        name: SpanName::Request,
        ..head(context)
    };
    let mut notes = Notes::new();
    notes.tag(Tag::HttpUri, b"/Admin/Ping?Secret=1");
    notes.annotate(Note::WireSend, 9);
    round_trip(&head, &notes, |record| {
        assert_eq!((record.trace, record.span, record.parent), (trace, span, SpanId::new(2)));
        assert_eq!((record.start_us, record.duration_us), (TIMES.start_us, 42));
        assert_eq!((record.local, record.remote), (head.local, head.remote));
        assert_eq!(record.name, SpanName::Request);
        assert!(record.debug);
        assert_eq!(record.takers, 0b101);
        assert_eq!(record.site.service, "router1");
        assert_eq!(record.tag_bytes(), notes.tag_bytes());
        assert_eq!(record.tags().collect::<Vec<_>>(), [(Tag::HttpUri, b"/Admin/Ping?Secret=1".as_slice())]);
        assert_eq!(record.annotations().collect::<Vec<_>>(), [(9, b"ws".as_slice())]);
    });
}

#[test]
fn what_is_absent_stays_absent() {
    round_trip(&head(root()), &Notes::new(), |record| {
        assert_eq!((record.parent, record.local, record.remote), (None, None, None));
        assert_eq!(record.name, SpanName::OfSite);
        assert_eq!(record.trace, root().trace);
        assert!(!record.debug);
        assert_eq!((record.tags().count(), record.annotations().count()), (0, 0));
    });
}

#[test]
fn each_kind_of_name_is_read_back() {
    for name in [SpanName::OfSite, SpanName::Request, SpanName::Method] {
        round_trip(&SpanHead { name, ..head(root()) }, &Notes::new(), |record| assert_eq!(record.name, name));
    }
}

#[test]
fn a_record_cut_anywhere_is_no_record() {
    let (site, mut out) = (site(), Vec::new());
    let head = SpanHead { local: Some("127.0.0.1:1".parse().unwrap()), ..head(root()) };
    let mut notes = Notes::new();
    notes.tag(Tag::HttpUri, b"/");
    encode(&mut out, 1, 0, &head, TIMES, &notes);
    let sites = [Arc::clone(site.parts())];
    for length in 0..out.len() {
        assert!(decode(&out[..length], &sites).is_none(), "{length}");
    }
    assert!(decode(&out, &[]).is_none());
}

#[test]
fn a_head_with_every_part_is_as_long_as_the_limit() {
    let trace = TraceId::parse(b"463ac35c9f6413ad48485a3953bb6124").unwrap();
    let span = SpanId::new(1).unwrap();
    let context = TraceContext::new(span, Some(span), trace, Decision::Yes, 1);
    let v6 = Some("[::1]:443".parse().unwrap());
    let head = SpanHead { local: v6, remote: v6, ..head(context) };
    let mut out = Vec::new();
    encode(&mut out, 1, 0, &head, TIMES, &Notes::new());
    assert_eq!(out.len(), MAX_HEAD_BYTES);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let sites = [Arc::clone(site().parts())];
        let mut rest = bytes.as_slice();
        while let Some((record, after)) = decode(rest, &sites) {
            let _ = record.tags().count() + record.annotations().count();
            rest = after;
        }
    }
}
