//! The thread itself: what runs on it, how it starts and how it stops.

use super::ending::{Ending, Endings};
use super::signals::{Signals, unblock_signals};
use crate::admin::{self, Sources};
use crate::discovery::{Directory, LOOKUPS_IN_FLIGHT, Resolver};
use crate::metrics::Metrics;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io, thread};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How long the windows of latencies are.
const MINUTE: Duration = Duration::from_secs(60);

/// What runs on the control thread.
#[derive(Debug)]
pub struct Parts {
    /// Bound, for the admin server.
    pub listener: TcpListener,
    /// What the admin server shows and can cause.
    pub sources: Sources,
    /// The host names that the shards watch.
    pub directory: Directory,
    /// How they are looked up.
    pub resolver: Resolver,
}

/// The running control thread.
pub struct Control {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Control {
    /// Starts the thread; returns when the admin server serves and signals are heeded. From then on a signal,
    /// or the end of something that runs on this thread, is told to `endings`.
    ///
    /// # Errors
    ///
    /// When the thread, its runtime or the signal handlers cannot be had.
    pub fn start(parts: Parts, endings: Endings) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new().name("control".to_owned()).spawn(move || {
            let run = || live(parts, &endings, stopped, &ready);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                endings.ask(Ending::Fault("the control thread panicked".to_owned()));
            }
        })?;
        let lost = || Err(io::Error::other("the control thread ended while it started"));
        started.recv().unwrap_or_else(|_| lost())?;
        Ok(Self { stop, thread })
    }

    /// Ends the admin server, which may finish the requests in flight, and the thread.
    pub fn stop(self) {
        // An error means that the thread has ended already, and has said so.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// Everything between the thread's start and its end.
fn live(parts: Parts, endings: &Endings, stopped: oneshot::Receiver<()>, ready: &SyncSender<io::Result<()>>) {
    // Lookups block one thread each; they are all that ever blocks here.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUPS_IN_FLIGHT)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async {
        match prepare(parts.listener) {
            Ok((listener, mut signals)) => {
                let _ = ready.send(Ok(()));
                // A stop that was dropped without a word stops as well: nobody is left to wait for.
                let stop = async { drop(stopped.await) };
                let metrics = Arc::clone(&parts.sources.metrics);
                let admin = tokio::spawn(admin::serve(listener, Arc::new(parts.sources), stop));
                let directory = tokio::spawn(parts.directory.run(parts.resolver));
                tend(admin, directory, &mut signals, &metrics, endings).await;
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
    // A lookup that hangs in the system's resolver must not hold up the end.
    runtime.shutdown_background();
}

fn prepare(listener: TcpListener) -> io::Result<(tokio::net::TcpListener, Signals)> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let signals = Signals::install()?;
    // A signal that came before now has waited, and is delivered here.
    unblock_signals()?;
    Ok((listener, signals))
}

/// Passes on signals and mishaps until the admin server has ended.
async fn tend(
    mut admin: tokio::task::JoinHandle<()>,
    mut directory: tokio::task::JoinHandle<()>,
    signals: &mut Signals,
    metrics: &Metrics,
    endings: &Endings,
) {
    let mut resolving = true;
    let mut minute = interval_at(Instant::now() + MINUTE, MINUTE);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = &mut admin => {
                if ended.is_err() {
                    endings.ask(Ending::Fault("the admin server panicked".to_owned()));
                }
                return;
            }
            ended = &mut directory, if resolving => {
                // Without an error every shard is gone, and with it the need for names.
                resolving = false;
                if ended.is_err() {
                    endings.ask(Ending::Fault("the resolver of host names panicked".to_owned()));
                }
            }
            () = signals.heed(endings) => {}
            _ = minute.tick() => metrics.roll(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ending::{Reason, endings};
    use super::*;
    use crate::clock::Clock;
    use crate::discovery::{Outcome, Resolution};
    use crate::signal::Signal;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn the_thread_serves_admin_resolves_names_and_passes_on_every_ask_for_the_end() {
        let (endings, heard) = endings();
        let shard = Arc::<Signal>::default();
        let (directory, watchers) = Directory::new(&[Arc::clone(&shard)]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Clock::start();
        let asking = endings.clone();
        let sources = Sources {
            metrics: Arc::new(Metrics::new(1)),
            spans: Box::new(|| None),
            config_json: serde_json::Value::Null,
            clock,
            started: clock.now(),
            shutdown: Box::new(move |grace| asking.ask(Ending::Shutdown { reason: Reason::Admin, grace })),
        };
        let resolver = Resolver::with(|_| async { Outcome::NoSuchHost });
        let control = Control::start(Parts { listener, sources, directory, resolver }, endings).unwrap();

        watchers[0].watch("web").unwrap();
        assert_eq!(futures_lite::future::block_on(shard.wait()), Signal::ADDRESSES);
        assert_eq!(watchers[0].table().lookup("web"), Some(&Resolution::Negative));

        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            b"POST /admin/shutdown?grace=2.seconds HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.ends_with("quitting\n"), "{response}");
        let grace = Some(Duration::from_secs(2));
        assert_eq!(heard.recv().unwrap(), Ending::Shutdown { reason: Reason::Admin, grace });

        // SAFETY: the handler of SIGTERM is installed, so that the signal does not end the test.
        unsafe { libc::raise(libc::SIGTERM) };
        let reason = Reason::Signal("SIGTERM");
        assert_eq!(heard.recv().unwrap(), Ending::Shutdown { reason, grace: None });

        drop(watchers);
        control.stop();
        assert!(TcpStream::connect(address).is_err(), "the admin port is closed");
    }
}
