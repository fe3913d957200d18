//! Why and how the process ends: said by anyone, heard once by whoever started it all.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Endings that wait to be heard. The first one counts; that many more are kept, and the rest is dropped.
const WAITING: usize = 16;

/// The process should end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order: what is in flight may finish.
    Shutdown {
        /// Who asked.
        reason: Reason,
        /// The grace that was asked for, if any; the configured one otherwise.
        grace: Option<Duration>,
    },
    /// Because a part that everything needs is gone; what happened.
    Fault(String),
}

/// Who asked for a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A signal, by name.
    Signal(&'static str),
    /// A POST to `/admin/shutdown`.
    Admin,
}

/// Says that the process should end, from any thread and without waiting.
#[derive(Clone, Debug)]
pub struct Endings(SyncSender<Ending>);

impl Endings {
    /// Asks for the end. Only the first ending that is asked for has an effect.
    pub fn ask(&self, ending: Ending) {
        // Full means that it was asked for already, closed that it is under way.
        let _ = self.0.try_send(ending);
    }
}

/// The two halves: many may ask for the end, one waits for it.
#[must_use]
pub fn endings() -> (Endings, Receiver<Ending>) {
    let (sender, receiver) = sync_channel(WAITING);
    (Endings(sender), receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ending_is_heard_first_and_asking_never_waits() {
        let (endings, heard) = endings();
        for n in 0..10 * WAITING {
            endings.ask(Ending::Fault(n.to_string()));
        }
        assert_eq!(heard.recv(), Ok(Ending::Fault("0".to_owned())));
        drop(heard);
        endings.ask(Ending::Fault("late".to_owned()));
    }
}
