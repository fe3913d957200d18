//! Sockets: the shell around glommio. Everything above speaks of streams, buffers and deadlines.

mod buffer;
mod connect;
mod deadline;
mod listener;
mod notify;
mod readiness;
mod ring_flags;
mod ring_readable;
mod stream;

pub use buffer::{Buffers, ReadBuffer};
pub use connect::connect;
pub use deadline::{Deadlines, Expired};
pub use listener::{Listener, bind};
pub use notify::Notify;
pub use readiness::Readiness;
pub use ring_flags::{RingCounts, ring_counts};
pub use stream::Stream;
