//! `io.l5d.header.token` with its default header: the Host's value is the name's one label (routing.md 4).

use crate::http1::RequestHead;

/// The label that a request's Host gives it, byte for byte: neither lower-cased nor cut at the port. For a target
/// in absolute form it is the target's authority.
///
/// # Errors
/// Linkerd's reason, when there is no Host or an empty one.
pub fn host_token<'b>(head: &RequestHead<'b, '_>) -> Result<&'b [u8], &'static str> {
    head.host.filter(|host| !host.is_empty()).ok_or("Host header is absent")
}
