//! One core: its executor, its routers, its servers; spans handed over, draining.

mod housekeeping;

use crate::clock::Clock;
use crate::discovery::Watcher;
use crate::metrics::{Registry, Scope};
use crate::net::{Listener, Readiness};
use crate::router::{Router, RouterParams};
use crate::server::{Callers, Server, Shared};
use crate::signal::Signal;
use crate::trace::SpanBuffer;
use futures_lite::future;
use glommio::{LocalExecutorBuilder, Placement};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The configuration's `runtime`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShardsParams {
    /// One shard per core that the process may use.
    #[default]
    AllCores,
    /// This many shards, on the first cores that the process may use.
    Count(usize),
    /// One shard on each of these cores.
    Cores(Vec<usize>),
}

/// Everything that one shard starts with.
pub struct ShardSetup {
    /// The core it is pinned to.
    pub core: usize,
    /// All routers of the process.
    pub routers: Arc<[RouterParams]>,
    /// One socket for each server of each router.
    pub sockets: Vec<ServerSocket>,
    /// Takes finished spans, and decides which traces are recorded.
    pub spans: SpanBuffer,
    /// The process's clock.
    pub clock: Clock,
    /// Resolves host names.
    pub watcher: Watcher,
    /// Counts.
    pub registry: Arc<Registry>,
    /// Tells the shard what to do.
    pub signal: Arc<Signal>,
}

/// A listening socket and whose it is.
pub struct ServerSocket {
    /// The router's place in [`ShardSetup::routers`].
    pub router: usize,
    /// The server as the configuration names it; port 0 stays 0.
    pub configured: SocketAddr,
    /// A router of this process sends requests here, so that it has to outlive what is in flight elsewhere.
    pub is_internal: bool,
    /// Bound and listening.
    pub socket: OwnedFd,
}

/// A running shard.
#[derive(Debug)]
pub struct Shard {
    thread: JoinHandle<Ended>,
    signal: Arc<Signal>,
}

/// How a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it was told, after this many connections had to be cut.
    Told {
        /// Connections that were still serving a request when the time was over.
        cut: usize,
    },
    /// By a panic: the process cannot go on without it.
    Panicked,
}

/// What a shard tells whoever ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// After [`Signal::DRAIN_EDGE`]: the servers that no router of this process sends to have no callers left.
    EdgeDrained,
    /// The shard has ended.
    Ended(Ended),
}

impl Shard {
    /// Starts a shard, and returns once it serves. `tell` is called with its progress towards its end.
    ///
    /// # Errors
    /// When the thread or its executor cannot be made.
    pub fn start(setup: ShardSetup, tell: impl Fn(Progress) + Send + 'static) -> io::Result<Self> {
        let (ready, started) = sync_channel(1);
        let signal = Arc::clone(&setup.signal);
        let thread = std::thread::Builder::new().name(format!("shard-{}", setup.core)).spawn(move || {
            let run = AssertUnwindSafe(|| run(setup, &ready, &tell));
            let ended = std::panic::catch_unwind(run).unwrap_or(Ended::Panicked);
            tell(Progress::Ended(ended));
            ended
        })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Self { thread, signal }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the shard ended while it started")),
        }
    }

    /// Tells the shard what to do, with the bits of [`Signal`].
    pub fn tell(&self, bits: u32) {
        self.signal.raise(bits);
    }

    /// Waits for the end.
    #[must_use]
    pub fn join(self) -> Ended {
        self.thread.join().unwrap_or(Ended::Panicked)
    }
}

fn run(setup: ShardSetup, ready: &SyncSender<io::Result<()>>, tell: &dyn Fn(Progress)) -> Ended {
    let executor = LocalExecutorBuilder::new(Placement::Fixed(setup.core))
        .name(&format!("shard-{}", setup.core))
        // No file is ever read through the ring, so nothing needs registered memory.
        .io_memory(0)
        .ring_depth(RING_DEPTH)
        .make();
    match executor {
        Ok(executor) => executor.run(serve(setup, ready, tell)),
        Err(error) => {
            // Whoever started the shard waits for this message.
            let _ = ready.send(Err(io::Error::from(error)));
            Ended::Told { cut: 0 }
        }
    }
}

async fn serve(setup: ShardSetup, ready: &SyncSender<io::Result<()>>, tell: &dyn Fn(Progress)) -> Ended {
    match start(setup).await {
        Ok(running) => {
            if ready.send(Ok(())).is_err() {
                return Ended::Told { cut: 0 };
            }
            running.until_told(tell).await
        }
        Err(error) => {
            // As above.
            let _ = ready.send(Err(error));
            Ended::Told { cut: 0 }
        }
    }
}

/// What is left to do once a shard serves.
struct Running {
    shared: Rc<Shared>,
    routers: Vec<Rc<Router>>,
    /// Servers that only others than this process's routers send to.
    edge: Servers,
    /// All other servers.
    internal: Servers,
    signal: Arc<Signal>,
}

/// Servers that are drained together.
#[derive(Default)]
struct Servers {
    listeners: Vec<Rc<Listener>>,
    callers: Rc<Callers>,
}

impl Servers {
    fn drain(&self) {
        self.listeners.iter().for_each(|listener| listener.close());
        self.callers.drain();
    }
}

async fn start(setup: ShardSetup) -> io::Result<Running> {
    let ShardSetup { routers, sockets, spans, clock, watcher, registry, signal, .. } = setup;
    let rng = SmallRng::from_os_rng();
    let readiness = Readiness::new()?;
    let shared = Rc::new(Shared::new(clock, Rc::clone(&readiness), spans, rng, Arc::clone(&registry)));
    let watcher = Rc::new(watcher);
    let routers: Vec<Rc<Router>> = routers
        .iter()
        .map(|params| Rc::new(Router::new(params.clone(), Rc::clone(&watcher), Arc::clone(&registry))))
        .collect();
    // A kernel's first sleep on a ring takes some 40 ms; nobody has to wait for it yet.
    glommio::timer::sleep(Duration::from_millis(1)).await;
    let (mut edge, mut internal) = (Servers::default(), Servers::default());
    for ServerSocket { router, configured, is_internal, socket } in sockets {
        let Some(router) = routers.get(router) else { continue };
        let scope = Scope::Server { router: router.params().label.clone(), address: configured };
        let listener = Rc::new(Listener::new(socket, &readiness)?);
        let address = listener.local_address().unwrap_or(configured);
        let group = if is_internal { &mut internal } else { &mut edge };
        let (metrics, callers) = (registry.scope(scope), Rc::clone(&group.callers));
        let server = Server::new(Rc::clone(&shared), Rc::clone(router), metrics, callers, address);
        glommio::spawn_local(Rc::new(server).run(Rc::clone(&listener))).detach();
        group.listeners.push(listener);
    }
    glommio::spawn_local(housekeeping::run(Rc::clone(&shared), routers.clone())).detach();
    glommio::spawn_local(async move { readiness.run().await }).detach();
    Ok(Running { shared, routers, edge, internal, signal })
}

impl Running {
    /// Follows the signals until the shard is to end.
    async fn until_told(self, tell: &dyn Fn(Progress)) -> Ended {
        let cut = self.follow(tell).await;
        self.shared.spans.hand_over();
        Ended::Told { cut }
    }

    /// Returns how many connections were cut.
    async fn follow(&self, tell: &dyn Fn(Progress)) -> usize {
        let (edge, internal) = (&self.edge.callers, &self.internal.callers);
        let mut edge_is_awaited = false;
        loop {
            let told = async { Event::Told(self.signal.wait().await) };
            let drained = async {
                if internal.is_draining() {
                    edge.all_ended().await;
                    internal.all_ended().await;
                    Event::AllEnded
                } else if edge_is_awaited {
                    edge.all_ended().await;
                    Event::EdgeEnded
                } else {
                    future::pending().await
                }
            };
            let bits = match future::or(told, drained).await {
                Event::Told(bits) => bits,
                Event::EdgeEnded => {
                    edge_is_awaited = false;
                    tell(Progress::EdgeDrained);
                    continue;
                }
                Event::AllEnded => return 0,
            };
            if bits & Signal::ADDRESSES != 0 {
                for router in &self.routers {
                    router.refresh_clients();
                }
                self.shared.addresses_changed.notify();
            }
            if bits & (Signal::DRAIN_EDGE | Signal::DRAIN) != 0 {
                self.edge.drain();
                edge_is_awaited = true;
            }
            if bits & Signal::DRAIN != 0 {
                self.internal.drain();
            }
            if bits & Signal::CUT != 0 {
                return edge.open() + internal.open();
            }
        }
    }
}

/// What a shard waits for.
enum Event {
    /// Bits of its signal.
    Told(u32),
    /// The last caller of an edge server has gone.
    EdgeEnded,
    /// The last caller has gone.
    AllEnded,
}

/// Entries of a ring's queues: one readiness poll for each connection that waits, in one turn.
const RING_DEPTH: usize = 1024;
