//! Header edits toward the destination and back to the caller (routing.md 6), as functions that append bytes.

use crate::http::{Known, KnownSet, Version};
use crate::http1::encode::{push_content_length, push_header, request_line, status_line};
use crate::http1::{BodyLength, Header, RequestHead, ResponseHead};
use crate::trace::TraceContext;

/// How this proxy signs itself in `Via`.
const PSEUDONYM: &str = "ringspan";

/// Request headers that are made anew, or that end here. An incoming `l5d-dst-residual` goes with the other two:
/// left in place, as Linkerd does, it would tell the residual of an earlier hop.
const REQUEST_REMADE: KnownSet = KnownSet::of(&[
    Known::ContentLength,
    Known::Expect,
    Known::Via,
    Known::L5dCtxTrace,
    Known::L5dSample,
    Known::L5dReqid,
    Known::L5dDstService,
    Known::L5dDstClient,
    Known::L5dDstResidual,
]);

const RESPONSE_REMADE: KnownSet = KnownSet::of(&[Known::Via, Known::L5dSuccessClass]);

/// Appends the head of a forwarded request up to what depends on the attempt: [`encode_attempt`] ends it.
///
/// `service_line` is the whole `l5d-dst-service` line. The version sent is this proxy's own (RFC 9110 2.5).
pub fn encode_request(
    head: &RequestHead<'_, '_>,
    service_line: &[u8],
    context: &TraceContext,
    out: &mut Vec<u8>,
) {
    let mut remade = REQUEST_REMADE;
    if let Some(absolute) = &head.absolute {
        let (slash, rest) = absolute.origin_form(head.method);
        request_line(out, head.method, &[slash, rest], Version::Http11);
        push_header(out, b"Host", absolute.authority);
        remade = remade.with(Known::Host);
    } else {
        request_line(out, head.method, &[head.target], Version::Http11);
    }
    head.copy_headers(out, |header| !remade.contains(header.known));
    match head.body {
        BodyLength::Length(length) => push_content_length(out, length),
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        // A request never lasts until the connection closes.
        BodyLength::None | BodyLength::UntilClose => {}
    }
    encode_via(head.headers, head.version, out);
    out.extend_from_slice(service_line);
    out.extend_from_slice(b"l5d-reqid: ");
    context.encode_reqid(out);
    out.extend_from_slice(b"\r\n");
}

/// Ends the head of a forwarded request with what belongs to one attempt.
///
/// `client_lines` are the whole `l5d-dst-client` and `l5d-dst-residual` lines.
pub fn encode_attempt(client_lines: &[u8], context: &TraceContext, out: &mut Vec<u8>) {
    out.extend_from_slice(client_lines);
    out.extend_from_slice(b"l5d-ctx-trace: ");
    context.encode(out);
    out.extend_from_slice(b"\r\n\r\n");
}

/// The line `l5d-dst-service`, `-client` or `-residual` with a printed path.
#[must_use]
pub fn destination_line(name: &str, path: &str) -> String {
    format!("{name}: {path}\r\n")
}

/// What the caller is told about a response beside what the destination said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyFraming {
    /// How the body goes out.
    pub body: BodyLength,
    /// What happens to the connection.
    pub connection: ConnectionLine,
}

/// The `Connection` line of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLine {
    /// None: an HTTP/1.1 connection stays open.
    Absent,
    /// `keep-alive`, which an HTTP/1.0 caller has to be told.
    KeepAlive,
    /// `close`.
    Close,
}

impl ConnectionLine {
    /// The whole line, or nothing.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::KeepAlive => "Connection: keep-alive\r\n",
            Self::Close => "Connection: close\r\n",
        }
    }
}

/// Appends an interim response (1xx) on its way back to the caller.
pub fn encode_interim(head: &ResponseHead<'_, '_>, out: &mut Vec<u8>) {
    status_line(out, Version::Http11, head.status, head.reason);
    head.copy_headers(out, |header| !RESPONSE_REMADE.contains(header.known));
    encode_via(head.headers, head.version, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of a response on its way back to the caller.
pub fn encode_response(head: &ResponseHead<'_, '_>, success: bool, framing: ReplyFraming, out: &mut Vec<u8>) {
    status_line(out, Version::Http11, head.status, head.reason);
    // The length of a body that is not sent (to HEAD, or with 304) is the destination's to tell.
    let remade = if head.body == BodyLength::None {
        RESPONSE_REMADE
    } else {
        RESPONSE_REMADE.with(Known::ContentLength)
    };
    head.copy_headers(out, |header| !remade.contains(header.known));
    match framing.body {
        BodyLength::Length(length) => push_content_length(out, length),
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        BodyLength::None | BodyLength::UntilClose => {}
    }
    encode_via(head.headers, head.version, out);
    out.extend_from_slice(if success {
        b"l5d-success-class: 1.0\r\n"
    } else {
        b"l5d-success-class: 0.0\r\n"
    });
    out.extend_from_slice(framing.connection.line().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// One `Via` line: all that came, in order, and this proxy with the version it received.
fn encode_via(headers: &[Header<'_>], version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Via: ");
    for via in headers.iter().filter(|header| header.known == Known::Via && !header.value.is_empty()) {
        out.extend_from_slice(via.value);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(match version {
        Version::Http10 => b"1.0 ",
        Version::Http11 => b"1.1 ",
    });
    out.extend_from_slice(PSEUDONYM.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
