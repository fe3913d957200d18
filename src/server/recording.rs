//! What a sampled request leaves behind while it is served: the notes of its server span and of the client span
//! of the attempt that is under way (tracing.md 3 and 9). An unsampled request has none of this.

use super::callers::Caller;
use crate::clock::Monotonic;
use crate::http::{Known, Version};
use crate::http1::{RequestHead, ResponseHead};
use crate::router::{Fault, Leaf};
use crate::trace::{Note, Notes, Site, SpanBuffer, SpanHead, SpanName, Tag, TraceContext};
use std::net::SocketAddr;

/// The notes of one request's spans. Reused from request to request.
#[derive(Debug, Default)]
pub(super) struct Recording {
    server: Notes,
    client: Notes,
    /// Where the tags of an attempt begin, after those of the request that every attempt has.
    attempt: usize,
}

impl Recording {
    /// Begins with what the request says.
    pub(super) fn begin(&mut self, head: &RequestHead<'_, '_>) {
        self.server.clear();
        self.server.tag(Tag::HttpReqMethod, head.method.as_bytes());
        self.server.tag(Tag::HttpUri, head.target);
        self.client.begin_like(&self.server);
        self.client.tag(Tag::HttpReqVersion, version(head.version));
        if let Some(host) = head.host {
            self.client.tag(Tag::HttpReqHost, host);
        }
        for header in head.headers {
            match header.known {
                Known::ContentType => self.client.tag(Tag::HttpReqContentType, header.value),
                Known::ContentLength => self.client.tag(Tag::HttpReqContentLength, header.value),
                Known::TransferEncoding => self.client.tag(Tag::HttpReqTransferEncoding, header.value),
                _ => {}
            }
        }
        self.attempt = self.client.tags_len();
    }

    /// The name is bound to `leaf`.
    pub(super) fn bound(&mut self, leaf: &Leaf, at_us: u64) {
        self.server.annotate(Note::NamerSuccess, at_us);
        self.server.tag(Tag::Client, leaf.client().id().as_bytes());
        self.server.tag(Tag::Residual, leaf.residual().as_bytes());
    }

    /// An attempt begins: the notes of an earlier one go.
    pub(super) fn begin_attempt(&mut self, is_retry: bool, at_us: u64) {
        self.client.rewind(self.attempt);
        if is_retry {
            self.server.annotate(Note::FinagleRetry, at_us);
        }
    }

    /// The request head was written.
    pub(super) fn sent(&mut self, at_us: u64) {
        self.client.annotate(Note::WireSend, at_us);
    }

    /// The response head was read.
    pub(super) fn received(&mut self, head: &ResponseHead<'_, '_>, success: bool, at_us: u64) {
        self.client.annotate(Note::WireReceive, at_us);
        self.client.tag_number(Tag::HttpRspStatus, u64::from(head.status));
        self.client.tag(Tag::HttpRspVersion, version(head.version));
        for header in head.headers {
            match header.known {
                Known::ContentType => self.client.tag(Tag::HttpRspContentType, header.value),
                Known::ContentLength => self.client.tag(Tag::HttpRspContentLength, header.value),
                Known::TransferEncoding => self.client.tag(Tag::HttpRspTransferEncoding, header.value),
                _ => {}
            }
        }
        if success {
            self.client.tag(Tag::L5dSuccess, b"1.0");
        } else {
            self.client.annotate(Note::L5dFailure, at_us);
            self.client.tag(Tag::Error, head.reason);
        }
        self.server.tag_number(Tag::HttpRspStatus, u64::from(head.status));
    }

    /// The attempt failed without a response.
    pub(super) fn attempt_failed(&mut self, problem: &str, may_retry: bool, at_us: u64) {
        self.client.annotate(if may_retry { Note::L5dRetryable } else { Note::L5dFailure }, at_us);
        self.client.annotate_text(format!("Client Receive Error: {problem}").as_bytes(), at_us);
        self.client.tag(Tag::Error, problem.as_bytes());
    }

    /// The router answers `fault` itself.
    pub(super) fn answered(&mut self, fault: &Fault, at_us: u64) {
        self.server.tag(Tag::RouterFailure, fault.stage().name().as_bytes());
        self.server.tag_number(Tag::HttpRspStatus, u64::from(fault.status()));
        // Without a client span nothing else would tell viewers that the request failed.
        let text = fault.to_string();
        self.server.tag(Tag::Error, text.lines().next().unwrap_or_default().as_bytes());
        match fault {
            Fault::BindingTimeout { .. } => self.server.annotate(Note::FinagleTimeout, at_us),
            Fault::Unbound(text) => self.server.tag(Tag::NamerFailure, text.as_bytes()),
            // The look-up itself has worked; it found no destination.
            Fault::Unroutable { .. } => self.server.annotate(Note::NamerSuccess, at_us),
            _ => {}
        }
    }

    /// The caller went away before it was answered.
    pub(super) fn abandoned(&mut self) {
        self.server.tag(Tag::RouterFailure, b"Service");
        self.server.tag(Tag::Error, b"the caller went away");
    }

    /// The client span of an attempt is over.
    pub(super) fn record_client(
        &self,
        spans: &SpanBuffer,
        leaf: &Leaf,
        context: TraceContext,
        times: (Monotonic, Monotonic),
        ends: (Option<SocketAddr>, SocketAddr),
    ) {
        let head = SpanHead {
            context,
            start: times.0,
            end: times.1,
            // The machine's own address, as on the server span, so that the two can be joined; no port.
            local: ends.0.map(|address| SocketAddr::new(address.ip(), 0)),
            remote: Some(ends.1),
            name: SpanName::Request,
        };
        spans.record(leaf.site(), &head, &self.client);
    }

    /// The server span is over. Without a `site` of a service, the method names it.
    pub(super) fn record_server(
        &self,
        spans: &SpanBuffer,
        site: (&Site, bool),
        context: TraceContext,
        times: (Monotonic, Monotonic),
        caller: &Caller,
    ) {
        let (site, is_identified) = site;
        let head = SpanHead {
            context,
            start: times.0,
            end: times.1,
            local: caller.local_address(),
            remote: caller.peer_address(),
            name: if is_identified { SpanName::OfSite } else { SpanName::Method },
        };
        spans.record(site, &head, &self.server);
    }
}

const fn version(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}
