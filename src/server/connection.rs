//! One caller's connection: requests one after the other, and the end.

use super::Server;
use super::callers::Caller;
use super::request::{self, After};
use crate::metrics::SideMetrics;
use crate::net::{ReadBuffer, Stream};
use std::rc::Rc;
use std::time::Duration;

/// Serves a connection to its end.
pub(super) async fn serve(server: Rc<Server>, stream: Stream) {
    let caller = server.callers.enter(stream);
    let _open = Open::new(&server.metrics);
    let mut input = ReadBuffer::default();
    loop {
        if input.is_empty() && !is_readable(&server, &caller, &mut input).await {
            break;
        }
        caller.idle.set(false);
        match request::serve(&server, &caller, &mut input).await {
            After::KeepAlive => {}
            After::Close => break,
            After::Linger => {
                linger(&server, &caller, &mut input).await;
                break;
            }
        }
    }
    input.clear(&server.shared.buffers);
}

/// Waits for the first bytes of the next request. False when there will be none.
async fn is_readable(server: &Server, caller: &Caller, input: &mut ReadBuffer) -> bool {
    caller.idle.set(true);
    if server.callers.is_draining() {
        return false;
    }
    let limit = server.router.params().limits.longest_head();
    matches!(caller.stream.fill(input, &server.shared.buffers, limit).await, Ok(1..))
}

/// Lets the caller read the answer before the connection ends: closing with unread bytes in the socket would
/// reset it, and the reset may overtake the answer (RFC 9112 9.6).
async fn linger(server: &Server, caller: &Caller, input: &mut ReadBuffer) {
    caller.stream.close_write();
    let buffers = &server.shared.buffers;
    let drain = async {
        let mut drained = 0;
        while drained < LINGER_BYTES {
            input.clear(buffers);
            match caller.stream.fill(input, buffers, usize::MAX).await {
                Ok(count @ 1..) => drained += count,
                _ => return,
            }
        }
    };
    // Whether the caller was quick enough makes no difference: this was a courtesy.
    let _ = server.shared.deadlines.within(LINGER_TIME, drain).await;
}

/// Counts a connection while it is open, however it ends.
struct Open<'a>(&'a SideMetrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a SideMetrics) -> Self {
        metrics.connection_opened();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

/// How long, and for how many bytes, a caller that is still sending is listened to after the last answer.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;
