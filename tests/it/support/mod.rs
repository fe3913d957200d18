//! What the tests stand on: the proxy as a child process, scripted destinations and collectors, raw callers.

pub(crate) mod chain;
pub(crate) mod collector;
pub(crate) mod context;
pub(crate) mod load;
pub(crate) mod message;
pub(crate) mod origin;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod relay;

pub(crate) use collector::{Collector, Span};
pub(crate) use message::Message;
pub(crate) use origin::{Connection, Origin};
pub(crate) use proxy::{Launch, Proxy};
pub(crate) use raw::Raw;
pub(crate) use relay::Relay;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

/// How long anything may take that is bound to happen. Far more than it takes, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A loopback address that no other test of this run has, and hardly any other process: for configurations
/// that must name their ports.
pub(crate) fn own_ip() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = process::id().to_be_bytes();
    // Not below 127.1, where other programs of the machine are at home.
    Ipv4Addr::new(127, high | 1, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The value of `probe` as soon as it has one.
///
/// # Panics
///
/// When that takes longer than [`PATIENCE`]: `what` did not happen.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, probe)
}

/// The same with a limit that is itself part of what is tested.
#[track_caller]
pub(crate) fn eventually_within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A configuration with one router called `router` and one shard, whose every request goes to `destination`,
/// with all ports chosen by the kernel. `more` is appended: tables such as `[[telemetry]]`.
pub(crate) fn one_router(destination: SocketAddr, more: &str) -> String {
    one_router_with(&format!("/svc => {}", inet(destination)), more)
}

/// The same with a dtab of the test's own.
pub(crate) fn one_router_with(dtab: &str, more: &str) -> String {
    format!(
        "[admin]\nport = 0\n\
         [runtime]\nshards = 1\n\
         [[routers]]\nprotocol = \"http\"\nlabel = \"router\"\ndtab = '{dtab}'\nservers = [{{ port = 0 }}]\n\
         {more}"
    )
}

/// [`one_router`] on `ip`: the router on port 9000 and the admin server on 9990.
pub(crate) fn on_fixed_ports(ip: Ipv4Addr, destination: SocketAddr) -> String {
    one_router(destination, "")
        .replace("[admin]\nport = 0", &format!("[admin]\nip = \"{ip}\"\nport = 9990"))
        .replace("{ port = 0 }", &format!("{{ ip = \"{ip}\", port = 9000 }}"))
}

/// The name of an address: `/$/inet/127.0.0.1/8080`.
pub(crate) fn inet(address: SocketAddr) -> String {
    format!("/$/inet/{}/{}", address.ip(), address.port())
}

/// Something that happens once and is waited for, so that a script can hold until the test lets it go on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// Lets everyone through, now and later.
    pub(crate) fn open(&self) {
        *lock(&self.shared.0) = true;
        self.shared.1.notify_all();
    }

    /// Waits until the gate is open, for [`PATIENCE`] at most.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str) {
        let (open, _) = self
            .shared
            .1
            .wait_timeout_while(lock(&self.shared.0), PATIENCE, |open| !*open)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(*open, "not within {PATIENCE:?}: {what}");
    }
}

/// A test that failed elsewhere has said why; its poison is of no interest.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
