//! Starts the shards side by side, notices when one ends that should not, and ends them all in time.

use crate::clock::Clock;
use crate::control::{Ending, Endings};
use crate::shard::{Ended, Shard, ShardSetup};
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
    ended: Receiver<Ended>,
}

/// Starts a shard from each of `setups` and returns when all of them serve. One that ends before it is told to
/// is a fault that `endings` hears of.
///
/// # Errors
///
/// What the first shard says that could not start; the others are told to end.
pub(super) fn start(setups: Vec<ShardSetup>, endings: &Endings) -> io::Result<Shards> {
    let (sender, ended) = channel();
    // Side by side, because the first sleep of each executor takes the kernel some 40 ms.
    let started: Vec<io::Result<Shard>> = thread::scope(|scope| {
        let starting: Vec<_> = setups
            .into_iter()
            .map(|setup| {
                let (sender, endings) = (sender.clone(), endings.clone());
                let core = setup.core;
                let on_end = move |end| {
                    // Heard only if no other end was asked for before.
                    endings.ask(Ending::Fault(format!("the shard on core {core} ended: {end:?}")));
                    let _ = sender.send(end);
                };
                scope.spawn(move || Shard::start(setup, on_end))
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
    let shards = Shards { shards, ended };
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

impl Shards {
    /// Tells all shards to finish what is in flight, for at most `grace`, and then to cut what is left.
    pub(super) fn drain(self, grace: Duration, clock: Clock) -> Drained {
        let mut drained = Drained::default();
        self.tell(Signal::DRAIN);
        let mut running = self.wait(self.shards.len(), grace, clock, &mut drained);
        if running > 0 {
            self.tell(Signal::CUT);
            running = self.wait(running, CUT_TIME, clock, &mut drained);
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

    /// Waits until `running` shards have ended, for at most `time`. Answers how many have not.
    fn wait(&self, mut running: usize, time: Duration, clock: Clock, drained: &mut Drained) -> usize {
        let deadline = clock.now().plus(time);
        while running > 0 {
            match self.ended.recv_timeout(deadline.since(clock.now())) {
                Ok(Ended::Told { cut }) => drained.cut += cut,
                Ok(Ended::Panicked) => drained.lost += 1,
                Err(_) => break,
            }
            running -= 1;
        }
        running
    }

    fn tell(&self, bits: u32) {
        for shard in &self.shards {
            shard.tell(bits);
        }
    }
}
