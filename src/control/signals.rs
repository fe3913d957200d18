//! Signals reach the control thread and no other, so that no shard is ever interrupted by one.

use super::ending::{Ending, Endings, Reason};
use std::{io, mem, ptr};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A second signal ends the process at once with this plus the signal's number: 130 for SIGINT, 143 for
/// SIGTERM, as a shell reports a process that a signal killed.
pub const EXIT_AFTER_SIGNAL: i32 = 128;

/// The signals that ask for a shutdown.
const ASKING: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// Blocks the signals that ask for a shutdown in this thread and in every thread that it starts from now on,
/// and ignores SIGPIPE in the whole process. Call it first in `main`; the control thread unblocks its own.
///
/// # Errors
///
/// What the kernel says; it has no reason to.
pub fn block_signals() -> io::Result<()> {
    // SAFETY: ignoring a signal installs no handler.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    mask(libc::SIG_BLOCK)
}

/// Lets this thread take the signals that [`block_signals`] keeps from all others.
pub(super) fn unblock_signals() -> io::Result<()> {
    mask(libc::SIG_UNBLOCK)
}

fn mask(how: i32) -> io::Result<()> {
    // SAFETY: a sigset_t of zeros is memory that sigemptyset then initialises.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is valid for writing.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in ASKING {
        // SAFETY: `set` is initialised, and the signals exist.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: `set` is initialised; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// SIGINT and SIGTERM as they come.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    seen: bool,
}

impl Signals {
    /// Installs the handlers. Needs a tokio runtime.
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            seen: false,
        })
    }

    /// Waits for the next signal: the first asks for the shutdown, the second ends the process here.
    pub(super) async fn heed(&mut self, endings: &Endings) {
        let (name, number) = tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", libc::SIGINT),
            _ = self.terminate.recv() => ("SIGTERM", libc::SIGTERM),
        };
        if self.seen {
            tracing::warn!("Received {name} again. Exiting at once");
            std::process::exit(EXIT_AFTER_SIGNAL + number);
        }
        self.seen = true;
        tracing::info!("Received {name}. Shutting down ...");
        endings.ask(Ending::Shutdown { reason: Reason::Signal(name), grace: None });
    }
}
