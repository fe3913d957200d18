//! The metrics of all shards added up, under the names that Linkerd gives them.

use super::histogram::{Recorded, Summary};
use super::process::ProcessGauges;
use super::registry::{Registry, Scope, Tracked};
use super::spans::SpanTotals;
use super::window::Windows;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The metrics of the whole process.
#[derive(Debug)]
pub struct Metrics {
    registries: Vec<Arc<Registry>>,
    windows: Mutex<Windows>,
}

/// Everything there is to show at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// In no promised order.
    pub entries: Vec<Entry>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Scope and name. A logical name or a client id is one element, though it contains slashes.
    pub path: Vec<String>,
    /// What it says.
    pub value: Value,
}

/// What a metric says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
    /// A distribution.
    Stat(Summary),
}

impl Metrics {
    /// Metrics of `shards` shards, all empty.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let registries = (0..shards).map(|_| Arc::new(Registry::default())).collect();
        Self { registries, windows: Mutex::default() }
    }

    /// The registries, one per shard.
    #[must_use]
    pub fn registries(&self) -> &[Arc<Registry>] {
        &self.registries
    }

    /// Ends a minute: from now on latencies are those of the minute that ends here.
    pub fn roll(&self) {
        let readings = self.list().into_iter().map(|(_, shard, tracked)| {
            let reading = tracked.side.latency.read();
            ((shard, tracked.id), reading)
        });
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).roll(readings);
    }

    /// Adds up all shards. Latencies are those of the last full minute, or of the time since the start for
    /// what has not seen the end of a minute.
    #[must_use]
    pub fn snapshot(&self, spans: Option<&SpanTotals>, process: &ProcessGauges) -> Snapshot {
        let mut scopes: BTreeMap<Scope, Vec<(usize, Arc<Tracked>)>> = BTreeMap::new();
        for (scope, shard, tracked) in self.list() {
            scopes.entry(scope).or_default().push((shard, tracked));
        }
        let mut writer = Writer::default();
        {
            let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            for (scope, parts) in &scopes {
                write_scope(&mut writer, scope, parts, &windows);
            }
        }
        self.write_shards(&mut writer);
        if let Some(spans) = spans {
            write_spans(&mut writer, spans);
        }
        write_process(&mut writer, process);
        Snapshot { entries: writer.entries }
    }

    fn list(&self) -> Vec<(Scope, usize, Arc<Tracked>)> {
        let shards = self.registries.iter().enumerate();
        shards
            .flat_map(|(shard, registry)| {
                registry.list().into_iter().map(move |(scope, it)| (scope, shard, it))
            })
            .collect()
    }

    fn write_shards(&self, writer: &mut Writer) {
        writer.scope = vec!["shards".to_owned()];
        writer.gauge(&["count"], as_gauge(self.registries.len()));
        let sum = |pick: fn(&Registry) -> u64| self.registries.iter().map(|registry| pick(registry)).sum();
        writer.counter(&["task_panics"], sum(|registry| registry.counters.task_panics.value()));
        writer.counter(&["accept_errors"], sum(|registry| registry.counters.accept_errors.value()));
        writer.counter(&["bad_heads"], sum(|registry| registry.counters.bad_heads.value()));
    }
}

#[derive(Default)]
struct Writer {
    scope: Vec<String>,
    entries: Vec<Entry>,
}

impl Writer {
    fn push(&mut self, name: &[&str], value: Value) {
        let path = self.scope.iter().cloned().chain(name.iter().map(|&part| part.to_owned())).collect();
        self.entries.push(Entry { path, value });
    }

    fn counter(&mut self, name: &[&str], value: u64) {
        self.push(name, Value::Counter(value));
    }

    fn gauge(&mut self, name: &[&str], value: f64) {
        self.push(name, Value::Gauge(value));
    }
}

fn write_scope(writer: &mut Writer, scope: &Scope, parts: &[(usize, Arc<Tracked>)], windows: &Windows) {
    let sides = || parts.iter().map(|(_, tracked)| tracked.side.as_ref());
    writer.scope = elements(scope);
    writer.counter(&["requests"], sides().map(|side| side.requests.value()).sum());
    writer.counter(&["success"], sides().map(|side| side.success.value()).sum());
    writer.counter(&["failures"], sides().map(|side| side.failures.value()).sum());
    writer.gauge(&["pending"], gauge_sum(sides().map(|side| side.pending.value())));
    let latencies: Vec<Recorded> = parts
        .iter()
        .map(|(shard, tracked)| {
            windows.minute((*shard, tracked.id)).cloned().unwrap_or_else(|| tracked.side.latency.read())
        })
        .collect();
    let latency = Summary::of(&latencies);
    writer.push(&["request_latency_ms"], Value::Stat(latency.in_ms()));
    writer.push(&["request_latency_us"], Value::Stat(latency));
    if matches!(scope, Scope::Service { .. }) {
        return;
    }
    writer.counter(&["connects"], sides().map(|side| side.connects.value()).sum());
    writer.counter(&["closes"], sides().map(|side| side.closes.value()).sum());
    writer.gauge(&["connections"], gauge_sum(sides().map(|side| side.connections.value())));
    let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
    for side in sides() {
        let classes = side.status.by_class().map(|(class, count)| (format!("{class}XX"), count));
        let codes = side.status.by_code().map(|(code, count)| (code.to_string(), count));
        let error = ("error".to_owned(), side.status.error.value());
        for (name, count) in classes.chain(codes).chain([error]) {
            *statuses.entry(name).or_default() += count;
        }
    }
    for (name, count) in statuses {
        writer.counter(&["status", &name], count);
    }
    if matches!(scope, Scope::Client { .. }) {
        let failed = sides().map(|side| side.failed_connects.value()).sum();
        writer.counter(&["service_creation", "failures"], failed);
    }
}

fn elements(scope: &Scope) -> Vec<String> {
    let (router, kind, name) = match scope {
        Scope::Server { router, address } => {
            (router, "server", format!("{}/{}", address.ip(), address.port()))
        }
        Scope::Service { router, name } => (router, "service", without_slash(name)),
        Scope::Client { router, id } => (router, "client", without_slash(id)),
    };
    vec!["rt".to_owned(), router.clone(), kind.to_owned(), name]
}

fn without_slash(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn write_spans(writer: &mut Writer, spans: &SpanTotals) {
    writer.scope = vec!["telemetry".to_owned(), "zipkin".to_owned()];
    writer.counter(&["spans_sent"], spans.sent);
    writer.counter(&["spans_dropped"], spans.all_dropped());
    for &(reason, count) in &spans.dropped {
        writer.counter(&["spans_dropped", reason], count);
    }
    writer.counter(&["spans_recorded"], spans.recorded);
    writer.gauge(&["spans_queued"], as_gauge(spans.queued));
    writer.counter(&["posts"], spans.posts);
    writer.counter(&["posted_bytes"], spans.posted_bytes);
}

fn write_process(writer: &mut Writer, process: &ProcessGauges) {
    writer.scope = vec!["process".to_owned()];
    writer.gauge(&["uptime"], as_gauge(process.uptime_ms));
    if let Some(files) = process.open_files {
        writer.gauge(&["fd_count"], as_gauge(files));
    }
    if let Some(bytes) = process.resident_bytes {
        writer.gauge(&["rss_bytes"], as_gauge(bytes));
    }
}

fn gauge_sum(values: impl Iterator<Item = i64>) -> f64 {
    // A gauge of a shard is read while it moves; a sum below zero can only be such a moment.
    as_gauge(u64::try_from(values.sum::<i64>()).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact below 2^53")]
fn as_gauge(value: impl TryInto<u64>) -> f64 {
    value.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client(id: &str) -> Scope {
        Scope::Client { router: "in".to_owned(), id: id.to_owned() }
    }

    fn value(snapshot: &Snapshot, name: &str) -> Option<Value> {
        let found = snapshot.entries.iter().find(|entry| entry.path.join("/") == name);
        found.map(|entry| entry.value.clone())
    }

    fn latency(metrics: &Metrics, name: &str) -> Summary {
        let snapshot = metrics.snapshot(None, &ProcessGauges::default());
        match value(&snapshot, name) {
            Some(Value::Stat(summary)) => summary,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn shards_are_added_up_under_linkerd_names() {
        let metrics = Metrics::new(2);
        for (shard, status) in metrics.registries().iter().zip([200, 503]) {
            let side = shard.scope(client("/$/inet/127.1/80"));
            side.connection_opened();
            side.connect_failed();
            side.request_started();
            side.request_started();
            side.request_finished(status, status < 500, Duration::from_micros(2_500));
            shard.counters.task_panics.inc();
        }
        let snapshot = metrics.snapshot(None, &ProcessGauges::default());
        for (name, expected) in [
            ("requests", Value::Counter(2)),
            ("success", Value::Counter(1)),
            ("failures", Value::Counter(1)),
            ("pending", Value::Gauge(2.0)),
            ("connects", Value::Counter(2)),
            ("connections", Value::Gauge(2.0)),
            ("status/200", Value::Counter(1)),
            ("status/2XX", Value::Counter(1)),
            ("status/503", Value::Counter(1)),
            ("status/5XX", Value::Counter(1)),
            ("status/error", Value::Counter(0)),
            ("service_creation/failures", Value::Counter(2)),
        ] {
            assert_eq!(
                value(&snapshot, &format!("rt/in/client/$/inet/127.1/80/{name}")),
                Some(expected),
                "{name}"
            );
        }
        assert_eq!(value(&snapshot, "shards/task_panics"), Some(Value::Counter(2)));
        let ms = latency(&metrics, "rt/in/client/$/inet/127.1/80/request_latency_ms");
        let us = latency(&metrics, "rt/in/client/$/inet/127.1/80/request_latency_us");
        assert_eq!((ms.count, ms.sum, us.sum), (2, 5, 5_000));
    }

    #[test]
    fn each_kind_of_scope_has_its_own_place() {
        let metrics = Metrics::new(1);
        let registry = &metrics.registries()[0];
        let router = || "in".to_owned();
        registry.scope(Scope::Server { router: router(), address: "127.0.0.1:4140".parse().unwrap() });
        registry.scope(Scope::Service { router: router(), name: "/svc/web".to_owned() });
        let snapshot = metrics.snapshot(None, &ProcessGauges::default());
        assert_eq!(value(&snapshot, "rt/in/server/127.0.0.1/4140/connects"), Some(Value::Counter(0)));
        assert_eq!(value(&snapshot, "rt/in/service/svc/web/requests"), Some(Value::Counter(0)));
        assert_eq!(value(&snapshot, "rt/in/service/svc/web/connects"), None);
    }

    #[test]
    fn latencies_are_of_the_last_full_minute_and_before_it_of_all_time() {
        let metrics = Metrics::new(1);
        let side = metrics.registries()[0].scope(client("/x"));
        let finish = |ms| {
            side.request_started();
            side.request_finished(200, true, Duration::from_millis(ms));
        };
        let name = "rt/in/client/x/request_latency_ms";
        finish(3);
        assert_eq!(latency(&metrics, name).count, 1);
        metrics.roll();
        finish(5);
        finish(5);
        assert_eq!((latency(&metrics, name).count, latency(&metrics, name).max), (1, 3));
        metrics.roll();
        assert_eq!((latency(&metrics, name).count, latency(&metrics, name).p50), (2, 5));
        metrics.roll();
        assert_eq!(latency(&metrics, name).count, 0);
    }

    #[test]
    fn spans_and_process_are_shown() {
        let spans = SpanTotals {
            recorded: 10,
            sent: 6,
            queued: 1,
            dropped: vec![("queue_full", 2), ("rejected", 1)],
            posts: 3,
            posted_bytes: 999,
        };
        let process = ProcessGauges { uptime_ms: 5, open_files: Some(9), resident_bytes: None };
        let snapshot = Metrics::new(1).snapshot(Some(&spans), &process);
        for (name, expected) in [
            ("telemetry/zipkin/spans_recorded", Value::Counter(10)),
            ("telemetry/zipkin/spans_sent", Value::Counter(6)),
            ("telemetry/zipkin/spans_queued", Value::Gauge(1.0)),
            ("telemetry/zipkin/spans_dropped", Value::Counter(3)),
            ("telemetry/zipkin/spans_dropped/queue_full", Value::Counter(2)),
            ("process/uptime", Value::Gauge(5.0)),
            ("process/fd_count", Value::Gauge(9.0)),
        ] {
            assert_eq!(value(&snapshot, name), Some(expected), "{name}");
        }
        assert_eq!(value(&snapshot, "process/rss_bytes"), None);
    }
}
