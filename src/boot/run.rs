//! The life of the process: check, bind, start, wait, end.

use super::listeners::{Listeners, Server, bind_all};
use super::report::{Finding, Findings};
use super::shards::{self, Drained, Shards};
use super::{cores, exit, internal, io_uring, limits, ports};
use crate::admin::{LEAST_GRACE, Sources};
use crate::clock::Clock;
use crate::collector::Collector;
use crate::config::Config;
use crate::control::{Control, Ending, Parts, Reason, block_signals, endings};
use crate::discovery::{Directory, Resolver};
use crate::flusher::{self, Flusher};
use crate::metrics::{Metrics, SpanTotals};
use crate::router::RouterParams;
use crate::shard::{ServerSocket, ShardSetup};
use crate::signal::Signal;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// At the end, spans that wait may take this long to reach their collectors.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// Whether start-up says on stderr what it serves and what it had to warn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// One line per listener and warning.
    Lines,
    /// Only what keeps it from starting.
    Nothing,
}

/// Why nothing was started: the exit code, and what is to be said.
struct Refusal {
    code: u8,
    text: String,
}

impl Refusal {
    fn runtime(what: &str, error: &io::Error) -> Self {
        Self { code: exit::RUNTIME, text: format!("error: {what}: {error}\n") }
    }

    fn findings(code: u8, errors: Vec<Finding>) -> Self {
        Self { code, text: Findings { errors, warnings: Vec::new() }.to_string() }
    }
}

/// Raises the limits of this process and finds out whether the machine can run `config`. Opens no socket.
#[must_use]
pub fn check_machine(config: &Config) -> Findings {
    fit(config).1
}

/// Runs until something asks for the end. `json` is what `/config.json` shows. Call it from the only thread:
/// the signal mask that it sets holds for the threads that it starts.
#[must_use]
pub fn run(config: &Config, json: serde_json::Value, announce: Announce) -> ExitCode {
    match serve(config, json, announce) {
        Ok(code) => code.into(),
        Err(refusal) => {
            say(&refusal.text);
            refusal.code.into()
        }
    }
}

/// The core of each shard, and what stands in the way. Without routers there is nothing for shards to do.
fn fit(config: &Config) -> (Vec<usize>, Findings) {
    let mut findings = Findings::default();
    let mut cores = Vec::new();
    if !config.routers.is_empty() {
        limits::raise_and_check_memlock(&mut findings);
        io_uring::check(&mut findings);
        cores = cores::choose(&config.shards, &mut findings);
    }
    limits::raise_and_check_files(cores.len(), &mut findings);
    (cores, findings)
}

fn serve(config: &Config, json: serde_json::Value, announce: Announce) -> Result<u8, Refusal> {
    block_signals().map_err(|error| Refusal::runtime("signals cannot be blocked", &error))?;
    let clock = Clock::start();
    let (cores, findings) = fit(config);
    if !findings.errors.is_empty() {
        return Err(Refusal { code: exit::MACHINE, text: findings.to_string() });
    }
    let clashes = ports::unusable(&ports::wanted(config));
    if !clashes.is_empty() {
        return Err(Refusal::findings(exit::ADDRESS, clashes));
    }
    let unusable = |errors| Refusal::findings(exit::ADDRESS, errors);
    let listeners = bind_all(config, cores.len()).map_err(unusable)?;
    let mut lines = findings.to_string();
    lines.push_str(&serving(config, &listeners));
    let running = Running::start(config, json, cores, listeners, clock)?;
    if announce == Announce::Lines {
        say(&lines);
    }
    Ok(running.end(config.admin.shutdown_grace))
}

/// Everything that runs, until somebody asks for the end.
struct Running {
    shards: Shards,
    flusher: Flusher,
    collector: Option<Collector>,
    control: Control,
    clock: Clock,
    ending: Receiver<Ending>,
}

impl Running {
    /// Starts from the outside in: whoever is needed by others comes before them, and the shards last.
    fn start(
        config: &Config,
        json: serde_json::Value,
        cores: Vec<usize>,
        listeners: Listeners,
        clock: Clock,
    ) -> Result<Self, Refusal> {
        let Listeners { admin, collector, servers } = listeners;
        let (endings, ending) = endings();
        let metrics = Arc::new(Metrics::new(cores.len()));
        let signals: Vec<Arc<Signal>> = cores.iter().map(|_| Arc::default()).collect();
        let (directory, watchers) = Directory::new(&signals);
        let collector = config.collector.as_ref().zip(collector);
        let collector = collector
            .map(|(params, listener)| Collector::start(params, listener, clock))
            .transpose()
            .map_err(|error| Refusal::runtime("the collector cannot start", &error))?;
        let (flusher, spans) = Flusher::start(&config.telemetry, rand::random(), clock, cores.len())
            .map_err(|error| Refusal::runtime("the flusher cannot start", &error))?;

        let (accounting, asking) = (flusher.accounting(), endings.clone());
        let traced = !config.telemetry.is_empty();
        let sources = Sources {
            metrics: Arc::clone(&metrics),
            spans: Box::new(move || traced.then(|| shown(&accounting.snapshot()))),
            config_json: json,
            clock,
            started: clock.now(),
            shutdown: Box::new(move |grace| asking.ask(Ending::Shutdown { reason: Reason::Admin, grace })),
        };
        let parts = Parts { listener: admin, sources, directory, resolver: Resolver::system() };
        let control = Control::start(parts, endings.clone())
            .map_err(|error| Refusal::runtime("the control thread cannot start", &error))?;

        let routers: Arc<[RouterParams]> = config.routers.as_slice().into();
        let mut setups = Vec::new();
        let counting = signals.into_iter().zip(metrics.registries());
        for (((core, spans), watcher), (signal, registry)) in
            cores.into_iter().zip(spans).zip(watchers).zip(counting)
        {
            let (routers, registry, sockets) = (Arc::clone(&routers), Arc::clone(registry), Vec::new());
            setups.push(ShardSetup { core, routers, sockets, spans, clock, watcher, registry, signal });
        }
        for Server { router, configured, address, sockets } in servers {
            let is_internal = internal::is_sent_to(address, &config.routers);
            for (setup, socket) in setups.iter_mut().zip(sockets) {
                setup.sockets.push(ServerSocket { router, configured, is_internal, socket });
            }
        }
        let shards = shards::start(setups, &endings)
            .map_err(|error| Refusal::runtime("a shard cannot start", &error))?;
        Ok(Self { shards, flusher, collector, control, clock, ending })
    }

    /// Waits until somebody asks for the end, and ends everything in the opposite order. Answers the exit code.
    fn end(self, configured_grace: Duration) -> u8 {
        // The control thread holds a sender as long as it lives.
        let ending = self.ending.recv().unwrap_or_else(|error| Ending::Fault(error.to_string()));
        let grace = match &ending {
            Ending::Shutdown { grace: Some(grace), .. } => *grace,
            Ending::Shutdown { grace: None, .. } | Ending::Fault(_) => configured_grace,
        };
        let drained = self.shards.drain(grace.max(LEAST_GRACE), self.clock);
        let spans = self.flusher.shutdown(FLUSH_TIME);
        if let Some(collector) = self.collector {
            collector.shutdown();
        }
        self.control.stop();
        verdict(&ending, drained, &shown(&spans))
    }
}

/// One line for each listener, with the port that it really has.
fn serving(config: &Config, listeners: &Listeners) -> String {
    let line = |what: &str, address: SocketAddr| format!("serving {what} on {address}\n");
    let actual = |listener: &std::net::TcpListener| listener.local_addr();
    let admin = actual(&listeners.admin).unwrap_or(config.admin.address);
    let mut lines = line("admin http", admin);
    for server in &listeners.servers {
        let label = config.routers.get(server.router).map_or("", |router| router.label.as_str());
        lines.push_str(&line(label, server.address));
    }
    if let Some(address) = listeners.collector.as_ref().and_then(|listener| actual(listener).ok()) {
        lines.push_str(&line("collector", address));
    }
    lines
}

/// The flusher's totals as the metrics show them.
fn shown(totals: &flusher::SpanTotals) -> SpanTotals {
    SpanTotals {
        recorded: totals.recorded,
        sent: totals.sent,
        queued: totals.queued,
        dropped: totals.dropped.to_vec(),
        posts: totals.posts,
        posted_bytes: totals.bytes_posted,
    }
}

/// Says what was lost at the end, and answers the exit code.
fn verdict(ending: &Ending, drained: Drained, spans: &SpanTotals) -> u8 {
    let (mut code, mut lines) = (exit::OK, String::new());
    if let Ending::Fault(what) = ending {
        lines.push_str(&format!("error: {what}\n"));
        code = exit::RUNTIME;
    }
    if drained.cut > 0 || drained.lost > 0 {
        let Drained { cut, lost } = drained;
        lines.push_str(&format!(
            "error: {cut} connections were cut while they served a request, {lost} shards were lost\n"
        ));
        code = exit::RUNTIME;
    }
    let unsent: u64 =
        spans.dropped.iter().filter(|(reason, _)| *reason == "shutdown").map(|&(_, count)| count).sum();
    if unsent > 0 {
        // A collector that is away must not make an orderly end look like a failure.
        lines.push_str(&format!("warning: {unsent} spans could not be sent before the end\n"));
    }
    say(&lines);
    code
}

/// Writes to stderr. Nobody may be there to read it, and that is no reason to stop.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_whether_the_end_was_an_orderly_one() {
        let told = Ending::Shutdown { reason: Reason::Admin, grace: None };
        let fault = Ending::Fault("the shard on core 0 ended: Panicked".to_owned());
        let unsent = SpanTotals { dropped: vec![("shutdown", 3)], ..SpanTotals::default() };
        for (ending, drained, spans, expected) in [
            (&told, Drained::default(), SpanTotals::default(), exit::OK),
            (&told, Drained::default(), unsent, exit::OK),
            (&told, Drained { cut: 1, lost: 0 }, SpanTotals::default(), exit::RUNTIME),
            (&told, Drained { cut: 0, lost: 1 }, SpanTotals::default(), exit::RUNTIME),
            (&fault, Drained::default(), SpanTotals::default(), exit::RUNTIME),
        ] {
            assert_eq!(verdict(ending, drained, &spans), expected, "{ending:?} {drained:?}");
        }
    }
}
