//! The flusher: a thread of its own that takes batches of spans from every shard, merges them, and ships them.
//!
//! Shards never wait for it: they offer a batch to a bounded channel and keep it when there is no room. Behind the channel each
//! telemeter has a `lane.rs` of its own, so that one collector that is down does not hold up another; `account.rs` knows at any
//! time where every span is. Without a telemeter there is no thread, no channel and no socket.

mod account;
mod lane;

pub use account::{Accounting, DropReason, SpanTotals};

use crate::clock::Clock;
use crate::trace::{Batch, MAX_TELEMETERS, Outlet, Samplers, ShardCounts, SpanBuffer};
use crate::zipkin::ZipkinParams;
use crate::zipkin::sender::Sender;
use account::LaneCounts;
use lane::{Lane, Pace};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

/// Batches on their way from the shards to the flusher. They stay there only while the flusher's thread does not get to run.
const HAND_OVER_BATCHES: usize = 64;

/// The flusher's thread and its books.
#[derive(Debug)]
pub struct Flusher {
    accounting: Arc<Accounting>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Takes the time that is left for flushing.
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<()>,
}

impl Flusher {
    /// Starts the flusher for these telemeters, and makes one span buffer for each shard.
    ///
    /// `salt` decides which traces a rate picks. Without telemeters nothing is started and the buffers record nothing.
    ///
    /// # Errors
    ///
    /// When there are more than [`MAX_TELEMETERS`], a collector's host makes no URL, or the thread does not start.
    pub fn start(
        telemeters: &[ZipkinParams],
        salt: u64,
        clock: Clock,
        shards: usize,
    ) -> io::Result<(Self, Vec<SpanBuffer>)> {
        Self::start_at_pace(telemeters, salt, clock, shards, Pace::DEFAULT)
    }

    fn start_at_pace(
        telemeters: &[ZipkinParams],
        salt: u64,
        clock: Clock,
        shards: usize,
        pace: Pace,
    ) -> io::Result<(Self, Vec<SpanBuffer>)> {
        if telemeters.is_empty() {
            let accounting = Arc::new(Accounting::new(clock, Vec::new(), Vec::new()));
            let buffers = (0..shards).map(|_| SpanBuffer::disabled(clock, salt)).collect();
            return Ok((Self { accounting, running: None }, buffers));
        }
        if telemeters.len() > MAX_TELEMETERS {
            let problem = format!("{} telemeters are more than {MAX_TELEMETERS}", telemeters.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let samplers = Samplers::new(telemeters.iter().map(|telemeter| telemeter.sample_rate), salt);
        let lane_counts: Vec<Arc<LaneCounts>> = telemeters.iter().map(|_| Arc::default()).collect();
        let shard_counts: Vec<Arc<[ShardCounts]>> =
            (0..shards).map(|_| telemeters.iter().map(|_| ShardCounts::default()).collect()).collect();

        let (batches, inbox) = mpsc::channel(HAND_OVER_BATCHES);
        let buffers = shard_counts.iter().map(|counts| {
            let way = HandOver { batches: batches.clone(), lanes: lane_counts.clone() };
            SpanBuffer::new(clock, samplers.clone(), Box::new(way), Arc::clone(counts))
        });
        let buffers = buffers.collect();

        let mut senders = Vec::new();
        for telemeter in telemeters {
            let sender = Sender::new(telemeter, pace.post_timeout, pace.in_flight);
            senders.push(sender.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let counts = lane_counts.clone();
        let thread = std::thread::Builder::new().name("flusher".to_owned()).spawn(move || {
            let lanes = senders.into_iter().zip(counts).enumerate();
            let lanes = lanes
                .map(|(telemeter, (sender, counts))| Lane::new(telemeter, sender, counts, clock, pace))
                .map(Rc::new)
                .collect();
            LocalSet::new().block_on(&runtime, flush(inbox, lanes, stopped, pace));
            // A name that is still being looked up on a thread of the runtime must not hold up the exit.
            runtime.shutdown_background();
        })?;
        let accounting = Arc::new(Accounting::new(clock, shard_counts, lane_counts));
        Ok((Self { accounting, running: Some(Running { stop, thread }) }, buffers))
    }

    /// The books, for whoever publishes them.
    #[must_use]
    pub fn accounting(&self) -> Arc<Accounting> {
        Arc::clone(&self.accounting)
    }

    /// Sends what is still here, for at most `deadline`; what then is left is dropped and counted. Returns the final totals, with
    /// nothing queued, if all span buffers are gone; spans in a buffer that still lives stay queued.
    pub fn shutdown(self, deadline: Duration) -> SpanTotals {
        if let Some(Running { stop, thread }) = self.running {
            // When the flusher is gone already there is nobody to tell.
            let _gone = stop.send(deadline);
            if thread.join().is_err() {
                tracing::error!("the flusher ended with a panic; its last spans are lost");
            }
        }
        self.accounting.snapshot()
    }
}

/// A shard's way to the flusher.
struct HandOver {
    batches: mpsc::Sender<Batch>,
    lanes: Vec<Arc<LaneCounts>>,
}

impl Outlet for HandOver {
    fn offer(&self, batch: Batch) -> Result<(), Batch> {
        // Room first: counting spans as handed over before it is certain would show them twice.
        let Ok(place) = self.batches.try_reserve() else { return Err(batch) };
        for (telemeter, lane) in self.lanes.iter().enumerate() {
            lane.handed.add(batch.spans_for(telemeter));
        }
        place.send(batch);
        Ok(())
    }
}

/// The life of the flusher's thread.
async fn flush(
    mut inbox: mpsc::Receiver<Batch>,
    lanes: Vec<Rc<Lane>>,
    mut stopped: oneshot::Receiver<Duration>,
    pace: Pace,
) {
    let mut workers = tokio::task::JoinSet::new();
    for lane in lanes.iter().flat_map(|lane| std::iter::repeat_n(lane, pace.in_flight)) {
        let lane = Rc::clone(lane);
        workers.spawn_local(async move { lane.work().await });
    }
    let mut open = true;
    let deadline = loop {
        tokio::select! {
            batch = inbox.recv(), if open => match batch {
                Some(batch) => fan_out(batch, &lanes),
                // All shards are gone; the lanes go on until they are told to stop.
                None => open = false,
            },
            deadline = &mut stopped => break deadline.unwrap_or_default(),
        }
    };
    inbox.close();
    while let Some(batch) = inbox.recv().await {
        fan_out(batch, &lanes);
    }
    for lane in &lanes {
        lane.begin_to_stop();
    }
    let all_done = async { while workers.join_next().await.is_some() {} };
    let _done_or_over = tokio::time::timeout(deadline, all_done).await;
    workers.shutdown().await;
    for lane in &lanes {
        lane.abandon();
    }
}

/// Gives a batch to all telemeters that take some of it.
fn fan_out(batch: Batch, lanes: &[Rc<Lane>]) {
    let batch = Rc::new(batch);
    for lane in lanes {
        lane.take(&batch);
    }
}

#[cfg(test)]
mod tests;
