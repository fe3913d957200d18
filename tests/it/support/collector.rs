//! A Zipkin-compatible collector that behaves as it is told, and keeps the spans that it took.

use super::message::{Kind, Message};
use super::origin::{Connection, Origin};
use super::{Gate, eventually, lock};
use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A span in Zipkin's v2 JSON.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) id: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) duration: Option<u64>,
    #[serde(default)]
    pub(crate) local_endpoint: Endpoint,
    #[serde(default)]
    pub(crate) remote_endpoint: Endpoint,
    #[serde(default)]
    pub(crate) annotations: Vec<Annotation>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) shared: Option<bool>,
    pub(crate) debug: Option<bool>,
}

/// Where a span was recorded, or its other side.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) service_name: Option<String>,
    pub(crate) ipv4: Option<String>,
    pub(crate) ipv6: Option<String>,
    pub(crate) port: Option<u16>,
}

/// A moment within a span.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub(crate) timestamp: u64,
    pub(crate) value: String,
}

impl Span {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// The service name of its own side.
    pub(crate) fn service(&self) -> &str {
        self.local_endpoint.service_name.as_deref().unwrap_or_default()
    }

    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    pub(crate) fn annotated(&self, value: &str) -> bool {
        self.annotations.iter().any(|annotation| annotation.value == value)
    }

    /// Start and end in microseconds.
    #[track_caller]
    pub(crate) fn interval(&self) -> (u64, u64) {
        let start = self.timestamp.expect("a timestamp");
        (start, start + self.duration.expect("a duration"))
    }
}

/// What becomes of a post.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// 202, and the spans are kept.
    Take,
    /// The same, but the answer waits until the gate opens.
    TakeWhen(Gate),
    /// This status, and the spans are not kept.
    Answer(u16),
    /// The connection is reset in the middle of the post.
    Reset,
    /// The post is read and never answered.
    Ignore,
}

/// A running collector.
#[derive(Debug)]
pub(crate) struct Collector {
    origin: Origin,
    behaviour: Arc<Mutex<Behaviour>>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    /// How many posts arrived, whatever became of them.
    posts: usize,
}

impl Collector {
    /// One that takes everything.
    pub(crate) fn live() -> Self {
        Self::start(Behaviour::Take)
    }

    pub(crate) fn start(behaviour: Behaviour) -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour)
    }

    /// One on an address of the test's choice.
    pub(crate) fn on(address: SocketAddr, behaviour: Behaviour) -> Self {
        let behaviour = Arc::new(Mutex::new(behaviour));
        let taken = Arc::new(Mutex::new(Taken::default()));
        let (how, keep) = (Arc::clone(&behaviour), Arc::clone(&taken));
        let origin = Origin::on(address, move |connection| serve(connection, &how, &keep));
        Self { origin, behaviour, taken }
    }

    /// What becomes of posts from now on.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *lock(&self.behaviour) = behaviour;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.origin.address()
    }

    /// A telemeter that posts here, as a table of a TOML file.
    pub(crate) fn telemeter(&self, sample_rate: &str) -> String {
        telemeter(self.address(), sample_rate)
    }

    /// Every span that was taken so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        lock(&self.taken).spans.clone()
    }

    /// Every span, once there are at least `count`.
    #[track_caller]
    pub(crate) fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        eventually(&format!("{count} spans at the collector"), || {
            let taken = lock(&self.taken);
            (taken.spans.len() >= count).then(|| taken.spans.clone())
        })
    }

    /// How many different spans were taken so far. A post that was answered too late comes again.
    pub(crate) fn distinct(&self) -> usize {
        let taken = lock(&self.taken);
        taken.spans.iter().map(|span| (&span.trace_id, &span.id)).collect::<BTreeSet<_>>().len()
    }

    /// How many posts arrived so far, whatever became of them.
    pub(crate) fn posts(&self) -> usize {
        lock(&self.taken).posts
    }

    /// Waits until at least `count` posts have arrived.
    #[track_caller]
    pub(crate) fn wait_for_posts(&self, count: usize) {
        eventually(&format!("{count} posts at the collector"), || (self.posts() >= count).then_some(()));
    }

    /// The heads of all posts that were read.
    pub(crate) fn heads(&self) -> Vec<Message> {
        self.origin.requests()
    }
}

/// A telemeter that posts to `address`, as a table of a TOML file.
pub(crate) fn telemeter(address: SocketAddr, sample_rate: &str) -> String {
    format!(
        "[[telemetry]]\nkind = \"io.l5d.zipkin\"\nhost = \"{}\"\nport = {}\ntransport = \"http\"\nsampleRate = {sample_rate}\n",
        address.ip(),
        address.port()
    )
}

fn serve(mut connection: Connection, behaviour: &Mutex<Behaviour>, taken: &Mutex<Taken>) {
    while let Some(mut post) = connection.head() {
        lock(taken).posts += 1;
        let behaviour = lock(behaviour).clone();
        if matches!(behaviour, Behaviour::Reset) {
            // In the middle: some of the body has come, and stays unread.
            let _ = connection.reader().read(&mut [0; 16]);
            return connection.reset();
        }
        if post.read_body(connection.reader(), Kind::Request).is_err() {
            return;
        }
        let status = match behaviour {
            Behaviour::Take => 202,
            Behaviour::TakeWhen(gate) => {
                gate.wait("the test lets the collector answer");
                202
            }
            Behaviour::Answer(status) => status,
            Behaviour::Ignore => continue,
            Behaviour::Reset => unreachable!("it is handled above"),
        };
        if status == 202 {
            let spans = decode(&post);
            lock(taken).spans.extend(spans);
        }
        if connection.send(format!("HTTP/1.1 {status} As Told\r\ncontent-length: 0\r\n\r\n")).is_err() {
            return;
        }
    }
}

fn decode(post: &Message) -> Vec<Span> {
    assert!(post.first_line.starts_with("POST /api/v2/spans "), "{}", post.first_line);
    let zipped = post.header("content-encoding").is_some_and(|coding| coding == "gzip");
    let mut json = Vec::new();
    if zipped {
        GzDecoder::new(post.body.as_slice()).read_to_end(&mut json).expect("gzip");
    } else {
        json.clone_from(&post.body);
    }
    serde_json::from_slice(&json)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&json)))
}
