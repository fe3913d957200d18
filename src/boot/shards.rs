//! Starts the shards side by side, notices when one ends that should not, and ends them all in time.

use crate::clock::{Clock, Monotonic};
use crate::control::{Ending, Endings};
use crate::shard::{Ended, Progress, Shard, ShardSetup};
use crate::signal::Signal;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{io, thread};

/// How long a shard that was told to cut everything may take to do so.
const CUT_TIME: Duration = Duration::from_secs(1);

/// The running shards.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Vec<Shard>,
    progress: Receiver<Progress>,
    /// Some router sends to another one of this process.
    has_internal: bool,
}

/// Starts a shard from each of `setups` and returns when all of them serve. One that ends before it is told to
/// is a fault that `endings` hears of.
///
/// # Errors
///
/// What the first shard says that could not start; the others are told to end.
pub(super) fn start(setups: Vec<ShardSetup>, endings: &Endings) -> io::Result<Shards> {
    let (sender, progress) = channel();
    let has_internal = setups.iter().flat_map(|setup| &setup.sockets).any(|socket| socket.is_internal);
    // Side by side, because the first sleep of each executor takes the kernel some 40 ms.
    let started: Vec<io::Result<Shard>> = thread::scope(|scope| {
        let starting: Vec<_> = setups
            .into_iter()
            .map(|setup| {
                let (sender, endings) = (sender.clone(), endings.clone());
                let core = setup.core;
                let tell = move |progress| {
                    if let Progress::Ended(end) = progress {
                        // Heard only if no other end was asked for before.
                        endings.ask(Ending::Fault(format!("the shard on core {core} ended: {end:?}")));
                    }
                    let _ = sender.send(progress);
                };
                scope.spawn(move || Shard::start(setup, tell))
            })
            .collect();
        let lost = || Err(io::Error::other("the thread that starts a shard panicked"));
        starting.into_iter().map(|starting| starting.join().unwrap_or_else(|_| lost())).collect()
    });
    let (mut shards, mut error) = (Vec::new(), None);
    for result in started {
        match result {
            Ok(shard) => shards.push(shard),
            Err(problem) => error = error.or(Some(problem)),
        }
    }
    let shards = Shards { shards, progress, has_internal };
    match error {
        None => Ok(shards),
        Some(error) => {
            shards.tell(Signal::DRAIN | Signal::CUT);
            Err(error)
        }
    }
}

/// What was left when the shards had ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drained {
    /// Connections that were cut while they served a request.
    pub(super) cut: usize,
    /// Shards that panicked, or did not end at all.
    pub(super) lost: usize,
}

impl Drained {
    fn count(&mut self, ended: Ended) {
        match ended {
            Ended::Told { cut } => self.cut += cut,
            Ended::Panicked => self.lost += 1,
        }
    }
}

impl Shards {
    /// Tells all shards to finish what is in flight, for at most `grace`, and then to cut what is left. Servers
    /// that routers of this process send to come last: what is in flight elsewhere may yet arrive at them.
    pub(super) fn drain(self, grace: Duration, clock: Clock) -> Drained {
        let mut drained = Drained::default();
        let deadline = clock.now().plus(grace);
        let mut running = self.shards.len();
        if self.has_internal {
            self.tell(Signal::DRAIN_EDGE);
            let mut awaited = running;
            while awaited > 0
                && let Ok(progress) = self.progress.recv_timeout(deadline.since(clock.now()))
            {
                awaited -= 1;
                if let Progress::Ended(ended) = progress {
                    drained.count(ended);
                    running -= 1;
                }
            }
        }
        self.tell(Signal::DRAIN);
        running = self.wait(running, deadline, clock, &mut drained);
        if running > 0 {
            self.tell(Signal::CUT);
            running = self.wait(running, clock.now().plus(CUT_TIME), clock, &mut drained);
        }
        if running > 0 {
            // Joining would wait for ever; what such a shard holds goes with the process.
            drained.lost += running;
            return drained;
        }
        for shard in self.shards {
            // Its end is counted already; this waits until the thread's span buffer is gone as well.
            let _ = shard.join();
        }
        drained
    }

    /// Waits until `running` shards have ended, until `deadline` at most. Answers how many have not.
    fn wait(&self, mut running: usize, deadline: Monotonic, clock: Clock, drained: &mut Drained) -> usize {
        while running > 0 {
            match self.progress.recv_timeout(deadline.since(clock.now())) {
                Ok(Progress::Ended(ended)) => {
                    drained.count(ended);
                    running -= 1;
                }
                // Too late to matter.
                Ok(Progress::EdgeDrained) => {}
                Err(_) => break,
            }
        }
        running
    }

    fn tell(&self, bits: u32) {
        for shard in &self.shards {
            shard.tell(bits);
        }
    }
}
