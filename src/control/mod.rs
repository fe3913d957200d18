//! The control thread: the admin server, host names and signals on one tokio runtime, and the one answer
//! that the rest of the process waits for: that it is time to end.

mod ending;
mod signals;
mod thread;

pub use ending::{Ending, Endings, Reason, endings};
pub use signals::{EXIT_AFTER_SIGNAL, block_signals};
pub use thread::{Control, Parts};
