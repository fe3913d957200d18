use super::*;
use crate::clock::{Clock, Monotonic};
use crate::trace::{
    Decision, Kind, Note, Notes, Outlet, Samplers, ShardCounts, Site, SiteParts, SpanBuffer, SpanHead,
    SpanId, SpanName, Tag, TraceContext, TraceId,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

struct Channel(Sender<Batch>);

impl Outlet for Channel {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        self.0.send(batch).map_err(|back| back.0)
    }
}

fn buffer(rates: &[f64]) -> (SpanBuffer, Receiver<Batch>) {
    let (sender, batches) = channel();
    let counts = rates.iter().map(|_| ShardCounts::default()).collect();
    let samplers = Samplers::new(rates.iter().copied(), 7);
    (SpanBuffer::new(Clock::start(), samplers, Box::new(Channel(sender)), counts), batches)
}

fn parts(kind: Kind, tags: &[(Tag, &str)]) -> SiteParts {
    SiteParts {
        kind,
        service: "Router1".to_owned(),
        span_name: String::new(),
        remote_service: String::new(),
        tags: tags.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect(),
    }
}

fn context(trace: &str, flags: u64) -> TraceContext {
    let (span, parent) = (SpanId::new(0xb).unwrap(), SpanId::new(0xa));
    TraceContext::new(span, parent, TraceId::parse(trace.as_bytes()).unwrap(), Decision::Yes, flags)
}

fn head(name: SpanName) -> SpanHead {
    let (start, end) = (Monotonic::from_nanos(1_000), Monotonic::from_nanos(43_000));
    SpanHead { context: context("c", 0), start, end, local: None, remote: None, name }
}

const ALL: BodyLimits = BodyLimits { bytes: usize::MAX, spans: u64::MAX };

fn encode_all(batches: &Receiver<Batch>, limits: BodyLimits) -> Vec<Body> {
    let mut waiting: VecDeque<Unsent> =
        batches.try_iter().map(|batch| Unsent::new(Rc::new(batch), 0)).collect();
    let mut bodies = Vec::new();
    while !waiting.is_empty() {
        bodies.push(encode(&mut waiting, limits));
    }
    bodies
}

/// The text of one span, `timestamp` (which is the machine's) made 0.
fn text(parts: SiteParts, head: &SpanHead, notes: &Notes) -> String {
    let (buffer, batches) = buffer(&[1.0]);
    buffer.record(&Site::new(parts), head, notes);
    buffer.hand_over();
    let bodies = encode_all(&batches, ALL);
    assert_eq!((bodies.len(), bodies[0].spans, bodies[0].failed), (1, 1, 0));
    let text = String::from_utf8(bodies[0].json.clone()).unwrap();
    let at = serde_json::from_str::<Value>(&text).unwrap()[0]["timestamp"].as_u64().unwrap();
    text.replace(&at.to_string(), "0")
}

fn value(parts: SiteParts, head: &SpanHead, notes: &Notes) -> Value {
    serde_json::from_str::<Value>(&text(parts, head, notes)).unwrap()[0].take()
}

#[test]
fn a_span_has_zipkins_fields_in_zipkins_order() {
    let mut notes = Notes::new();
    notes.annotate(Note::WireReceive, 5);
    notes.annotate(Note::WireSend, 4);
    notes.tag(Tag::HttpReqMethod, b"GET");
    notes.tag(Tag::HttpUri, b"/A?b");
    notes.tag_number(Tag::HttpRspStatus, 200);
    let parts = SiteParts {
        remote_service: "$/inet/127.1/9001".to_owned(),
        ..parts(Kind::Client, &[(Tag::RouterLabel, "Router1"), (Tag::Client, "/$/inet")])
    };
    let head = SpanHead {
        local: Some("127.0.0.1:0".parse().unwrap()),
        remote: Some("127.0.0.1:9001".parse().unwrap()),
        ..head(SpanName::Request)
    };
    let expected = concat!(
        r#"[{"traceId":"000000000000000c","parentId":"000000000000000a","id":"000000000000000b","kind":"CLIENT","#,
        r#""name":"get /a","timestamp":0,"duration":42,"localEndpoint":{"serviceName":"router1","ipv4":"127.0.0.1"},"#,
        r#""remoteEndpoint":{"serviceName":"$/inet/127.1/9001","ipv4":"127.0.0.1","port":9001},"#,
        r#""annotations":[{"timestamp":4,"value":"ws"},{"timestamp":5,"value":"wr"}],"#,
        r#""tags":{"client":"/$/inet","http.req.method":"GET","http.rsp.status":"200","http.uri":"/A?b","router.label":"Router1"}}]"#,
    );
    assert_eq!(text(parts, &head, &notes), expected);
}

#[test]
fn what_is_absent_is_left_out() {
    let parts = SiteParts { service: String::new(), ..parts(Kind::Server, &[]) };
    let span = value(parts, &head(SpanName::Request), &Notes::new());
    let expected = json!({
        "traceId": "000000000000000c", "parentId": "000000000000000a", "id": "000000000000000b",
        "kind": "SERVER", "timestamp": 0, "duration": 42,
    });
    assert_eq!(span, expected);
}

#[test]
fn wide_ids_the_debug_flag_and_the_name_of_the_place_are_written() {
    let parts = SiteParts { span_name: "Router1 /svc/X".to_owned(), ..parts(Kind::Server, &[]) };
    let head = SpanHead {
        context: context("463ac35c9f6413ad48485a3953bb6124", 1),
        remote: Some("[2001:db8::1]:443".parse().unwrap()),
        ..head(SpanName::OfSite)
    };
    let span = value(parts, &head, &Notes::new());
    assert_eq!(span["traceId"], "463ac35c9f6413ad48485a3953bb6124");
    assert_eq!(span["name"], "router1 /svc/x");
    assert_eq!(span["debug"], true);
    assert_eq!(span["remoteEndpoint"], json!({ "ipv6": "2001:db8::1", "port": 443 }));
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() {
    let head = SpanHead { local: Some("[::ffff:10.0.0.1]:80".parse().unwrap()), ..head(SpanName::OfSite) };
    let span = value(parts(Kind::Server, &[]), &head, &Notes::new());
    assert_eq!(span["localEndpoint"], json!({ "serviceName": "router1", "ipv4": "10.0.0.1", "port": 80 }));
}

#[test]
fn a_key_stands_once_with_its_last_value_and_a_spans_own_value_wins() {
    let mut notes = Notes::new();
    notes.tag(Tag::Residual, b"/first");
    notes.tag(Tag::Client, b"/own");
    notes.tag(Tag::Residual, b"/last");
    let constants = [(Tag::Client, "/of the place"), (Tag::Service, "/svc"), (Tag::DtabLocal, "")];
    let text = text(parts(Kind::Server, &constants), &head(SpanName::OfSite), &notes);
    let tags = r#""tags":{"client":"/own","dtab.local":"","residual":"/last","service":"/svc"}"#;
    assert!(text.contains(tags), "{text}");
}

#[test]
fn every_tag_is_written_under_its_own_key() {
    let constants: Vec<_> = Tag::ALL.iter().map(|tag| (*tag, "of the place")).collect();
    let mut notes = Notes::new();
    for tag in Tag::ALL.iter().step_by(2) {
        notes.tag(*tag, tag.text().as_bytes());
    }
    let span = value(parts(Kind::Server, &constants), &head(SpanName::OfSite), &notes);
    for (index, tag) in Tag::ALL.iter().enumerate() {
        let expected = if index % 2 == 0 { tag.text() } else { "of the place" };
        assert_eq!(span["tags"][tag.text()], expected);
    }
}

#[test]
fn annotations_are_sorted_by_time_then_text_without_repeats() {
    let mut notes = Notes::new();
    let times: Vec<u64> = (0..40).map(|turn| turn * 7 % 20).collect();
    for at_us in &times {
        notes.annotate_text(b"b", *at_us);
        notes.annotate_text(b"a", *at_us);
    }
    let span = value(parts(Kind::Server, &[]), &head(SpanName::OfSite), &notes);
    let expected: Vec<Value> =
        (0..20).flat_map(|at| ["a", "b"].map(|text| json!({ "timestamp": at, "value": text }))).collect();
    assert_eq!(span["annotations"], Value::from(expected));
}

#[test]
fn text_from_outside_cannot_break_out_of_its_string() {
    let mut notes = Notes::new();
    notes.tag(Tag::HttpUri, b"/\"},{\\\x00\x1f\n\xff\xe2\x80\xa8");
    notes.tag(Tag::HttpReqMethod, "G\"T\0ÄÖ\u{130}".as_bytes());
    notes.annotate_text(b"\"]}\xc3", 1);
    let span = value(parts(Kind::Server, &[(Tag::Service, "/svc/\"")]), &head(SpanName::Request), &notes);
    assert_eq!(span["tags"]["http.uri"], "/\"},{\\\0\u{1f}\n\u{fffd}\u{2028}");
    assert_eq!(span["tags"]["service"], "/svc/\"");
    assert_eq!(span["annotations"][0]["value"], "\"]}\u{fffd}");
    assert_eq!(span["name"], "g\"t\0äöi\u{307} /\"},{\\\0\u{1f}\n\u{fffd}\u{2028}");
}

#[test]
fn a_known_endpoint_is_written_anew_when_it_changes() {
    let (buffer, batches) = buffer(&[1.0]);
    let site = Site::new(parts(Kind::Client, &[]));
    let addresses: [Option<SocketAddr>; 4] = [
        Some(([10, 0, 0, 1], 1).into()),
        Some(([10, 0, 0, 1], 1).into()),
        None,
        Some(([10, 0, 0, 2], 2).into()),
    ];
    for remote in addresses {
        buffer.record(&site, &SpanHead { remote, ..head(SpanName::OfSite) }, &Notes::new());
    }
    buffer.hand_over();
    let spans: Value = serde_json::from_slice(&encode_all(&batches, ALL)[0].json).unwrap();
    let ports: Vec<_> = (0..4).map(|at| spans[at]["remoteEndpoint"]["port"].as_u64()).collect();
    assert_eq!(ports, [Some(1), Some(1), None, Some(2)]);
    assert_eq!(spans[2].get("remoteEndpoint"), None);
}

#[test]
fn limits_split_batches_between_spans_and_lose_none() {
    let cases = [(ALL, 1), (BodyLimits { spans: 50, ..ALL }, 6), (BodyLimits { bytes: 1, ..ALL }, 300)];
    for (limits, expected) in cases {
        let (buffer, batches) = buffer(&[1.0]);
        let sites = [Site::new(parts(Kind::Client, &[])), Site::new(parts(Kind::Server, &[]))];
        for turn in 0..300 {
            let uri = format!("/{turn}");
            let mut notes = Notes::new();
            notes.tag(Tag::HttpUri, uri.as_bytes());
            buffer.record(&sites[turn % 2], &head(SpanName::OfSite), &notes);
            if turn % 70 == 0 {
                buffer.hand_over();
            }
        }
        buffer.hand_over();
        let bodies = encode_all(&batches, limits);
        assert_eq!(bodies.len(), expected);
        let mut uris = Vec::new();
        for body in &bodies {
            let spans: Vec<Value> = serde_json::from_slice(&body.json).unwrap();
            assert_eq!(spans.len() as u64, body.spans);
            uris.extend(spans.iter().map(|span| span["tags"]["http.uri"].as_str().unwrap().to_owned()));
        }
        let all: Vec<String> = (0..300).map(|turn| format!("/{turn}")).collect();
        assert_eq!(uris, all);
    }
}

#[test]
fn a_body_has_only_the_spans_that_its_telemeter_takes() {
    let (buffer, batches) = buffer(&[0.5, 1.0]);
    let site = Site::new(parts(Kind::Client, &[]));
    for trace in 1..=200 {
        let head = SpanHead { context: context(&format!("{trace:x}"), 0), ..head(SpanName::OfSite) };
        buffer.record(&site, &head, &Notes::new());
    }
    buffer.hand_over();
    let batch = Rc::new(batches.recv().unwrap());
    for (telemeter, expected) in [(0, 60..140), (1, 200..201)] {
        let unsent = Unsent::new(Rc::clone(&batch), telemeter);
        let taken = unsent.spans();
        let body = encode(&mut VecDeque::from([unsent]), ALL);
        let spans: Vec<Value> = serde_json::from_slice(&body.json).unwrap();
        assert_eq!((spans.len() as u64, body.spans, body.failed), (taken, taken, 0));
        assert!(expected.contains(&taken), "{taken}");
    }
}
