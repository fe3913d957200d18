//! The conductor: one request from its head to its end.

use super::attempt::{Attempt, Failure};
use super::callers::Caller;
use super::pending::Pending;
use super::recording::Recording;
use super::{Server, Shared};
use crate::balance;
use crate::client::{Addresses, Destination};
use crate::clock::Monotonic;
use crate::http::{Known, Version};
use crate::http1::encode::rejection;
use crate::http1::{BodyLength, HeadError, HeadScan, HeaderSlots, Parsed, parse_request};
use crate::identifier::host_token;
use crate::net::{Expired, ReadBuffer};
use crate::router::rewrite::{ConnectionLine, encode_request};
use crate::router::{Fault, Leaf, Service, Waiting};
use crate::trace::{self, TraceContext};
use std::rc::Rc;

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next request may come.
    KeepAlive,
    /// It ends now.
    Close,
    /// It ends once the caller has had a chance to read the answer.
    Linger,
}

/// A request whose head has been read, in as much as it is needed later: nothing borrows the head any more.
pub(super) struct Request<'a> {
    pub(super) pending: Pending<'a>,
    pub(super) started: Monotonic,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    pub(super) expect_continue: bool,
    pub(super) body: BodyLength,
    pub(super) context: TraceContext,
    pub(super) recording: Option<Box<Recording>>,
    service: Result<Rc<Service>, Box<Fault>>,
    /// The forwarded head; its first `common` bytes are the same for every attempt.
    pub(super) head: Vec<u8>,
    pub(super) common: usize,
}

/// What of a method decides how its exchange goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// HEAD: answers have no body.
    Head,
    /// May be sent a second time without asking the caller (RFC 9110 9.2.2).
    Idempotent,
    /// Everything else.
    Other,
}

impl Method {
    fn of(name: &str) -> Self {
        match name {
            "HEAD" => Self::Head,
            "GET" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" => Self::Idempotent,
            _ => Self::Other,
        }
    }

    /// A name that the response parser takes the same decisions from.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Idempotent | Self::Other => "GET",
        }
    }
}

impl Request<'_> {
    /// Whether the caller waits for `100 Continue`, which it has to be told once, and only when nothing of the
    /// body has come: a request that cannot be served is answered without asking for its body.
    pub(super) fn expects_continue(&mut self, input: &ReadBuffer) -> bool {
        std::mem::take(&mut self.expect_continue) && !self.body.is_empty() && input.is_empty()
    }

    /// Whether a second attempt can do no harm after one that got no response.
    pub(super) const fn can_be_sent_again(&self, unsent: bool) -> bool {
        self.body.is_empty() && (unsent || !matches!(self.method, Method::Other))
    }
}

/// Serves one request, the beginning of which may be in `input`. Always answers, and always closes both spans.
pub(super) async fn serve(server: &Server, caller: &Caller, input: &mut ReadBuffer) -> After {
    let mut request = match read(server, caller, input).await {
        Ok(Some(request)) => request,
        Ok(None) => return After::Close,
        Err(error) => return reject(server, caller, &error).await,
    };
    let after = match forward(server, caller, input, &mut request).await {
        Ok(after) => after,
        Err(Failure::Fault(fault)) => answer(server, caller, &mut request, fault).await,
        Err(Failure::CallerGone) => abandon(server, caller, &mut request),
    };
    let shared = &server.shared;
    shared.buffers.give_write(request.head);
    if let Some(recording) = request.recording {
        shared.give_recording(recording);
    }
    after
}

/// Reads and takes apart a head. None when the connection ends first.
async fn read<'a>(
    server: &'a Server,
    caller: &Caller,
    input: &mut ReadBuffer,
) -> Result<Option<Request<'a>>, HeadError> {
    let limits = &server.router.params().limits;
    let mut scan = HeadScan::new();
    loop {
        if scan.is_worth_parsing(input.unread(), limits)
            && let Some((request, consumed)) = take_apart(server, input.unread())?
        {
            input.consume(consumed);
            return Ok(Some(request));
        }
        match caller.stream.fill(input, &server.shared.buffers, limits.longest_head()).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Ok(None),
        }
    }
}

/// Everything that needs the parsed head happens here, between two awaits: the head borrows the input, and the
/// storage for its headers would make every waiting connection five KiB larger.
fn take_apart<'a>(server: &'a Server, unread: &[u8]) -> Result<Option<(Request<'a>, usize)>, HeadError> {
    let shared = &server.shared;
    let mut slots = HeaderSlots::new();
    let (head, consumed) = match parse_request(unread, &server.router.params().limits, &mut slots)? {
        Parsed::Complete { head, consumed } => (head, consumed),
        Parsed::NeedMore => return Ok(None),
    };
    let started = shared.clock.now();
    let (inbound, sample) = (head.header(Known::L5dCtxTrace), head.header(Known::L5dSample));
    let context = trace::receive(inbound, sample, shared.spans.samplers(), &mut *shared.rng.borrow_mut());
    let mut encoded = shared.buffers.take_write();
    let service = match host_token(&head) {
        Ok(token) => {
            let service = server.router.service(token, started);
            encode_request(&head, service.line(), &context, &mut encoded);
            Ok(service)
        }
        Err(reason) => Err(Box::new(Fault::Unidentified {
            request: format!("{} {}", head.method, String::from_utf8_lossy(head.target)),
            peer: None,
            reason: reason.to_owned(),
        })),
    };
    let recording = shared.spans.takes(&context).then(|| {
        let mut recording = shared.take_recording();
        recording.begin(&head);
        recording
    });
    let request = Request {
        pending: Pending::start(&server.metrics),
        started,
        method: Method::of(head.method),
        version: head.version,
        keep_alive: head.keep_alive,
        expect_continue: head.expect_continue && head.version == Version::Http11,
        body: head.body,
        context,
        recording,
        service,
        common: encoded.len(),
        head: encoded,
    };
    Ok(Some((request, consumed)))
}

/// Answers what is no request at all; no router sees it and no span is recorded.
async fn reject(server: &Server, caller: &Caller, error: &HeadError) -> After {
    server.shared.registry.counters.bad_heads.inc();
    let mut output = server.shared.buffers.take_write();
    rejection(&mut output, error);
    let written = caller.stream.write_all(&output).await;
    server.shared.buffers.give_write(output);
    if written.is_ok() { After::Linger } else { After::Close }
}

/// Finds a destination and sends the request there.
async fn forward(
    server: &Server,
    caller: &Caller,
    input: &mut ReadBuffer,
    request: &mut Request<'_>,
) -> Result<After, Failure> {
    let service = match &request.service {
        Ok(service) => Rc::clone(service),
        Err(fault) => return Err(Failure::Fault((**fault).clone())),
    };
    let (leaf, destination) = acquire(server, request, &service).await.map_err(Failure::Fault)?;
    let picked = Attempt::moment(server, request);
    if let Some(recording) = &mut request.recording {
        recording.bound(&leaf, server.shared.clock.wall_us(picked));
    }
    let _in_flight = destination.begin();
    let attempt =
        Attempt { server, caller, service: &service, leaf: &leaf, destination: &destination, picked };
    attempt.run(input, request).await
}

/// Picks a client and one of its addresses, waiting for the first answer about its name if need be.
async fn acquire(
    server: &Server,
    request: &Request<'_>,
    service: &Service,
) -> Result<(Rc<Leaf>, Rc<Destination>), Fault> {
    let shared = &server.shared;
    let explain = || server.router.explain_dtab();
    let leaf = Rc::clone(service.pick(&mut *shared.rng.borrow_mut(), explain)?);
    let limit = server.router.params().binding_timeout;
    let destinations = match leaf.client().addresses() {
        Addresses::Known(destinations) => destinations,
        Addresses::Failed(text) => return Err(Fault::Unbound(text.to_string())),
        Addresses::Pending => {
            let left = limit.saturating_sub(shared.clock.now().since(request.started));
            match shared.deadlines.within(left, first_addresses(shared, &leaf)).await {
                Ok(destinations) => destinations?,
                Err(Expired) => {
                    let waiting = Waiting::Connecting(leaf.client().id().to_owned());
                    return Err(Fault::BindingTimeout { limit, waiting, service: service.name().to_owned() });
                }
            }
        }
    };
    let picked = balance::pick(
        destinations.len(),
        |index| destinations.get(index).map_or(u32::MAX, |destination| destination.load()),
        &mut *shared.rng.borrow_mut(),
    );
    match picked.and_then(|index| destinations.get(index)) {
        Some(destination) => Ok((leaf, Rc::clone(destination))),
        None => Err(service.unroutable(explain)),
    }
}

async fn first_addresses(shared: &Shared, leaf: &Leaf) -> Result<Rc<[Rc<Destination>]>, Fault> {
    loop {
        match leaf.client().addresses() {
            Addresses::Known(destinations) => return Ok(destinations),
            Addresses::Failed(text) => return Err(Fault::Unbound(text.to_string())),
            Addresses::Pending => shared.addresses_changed.changed().await,
        }
    }
}

/// Answers a request that got no response from a destination.
async fn answer(server: &Server, caller: &Caller, request: &mut Request<'_>, mut fault: Fault) -> After {
    let shared = &server.shared;
    if let Fault::Unidentified { peer, .. } = &mut fault {
        *peer = caller.peer_address();
    }
    if let Some(recording) = &mut request.recording {
        recording.answered(&fault, shared.clock.wall_us(shared.clock.now()));
    }
    // What is left of a body would have to be read to find the next request: the connection ends instead.
    let keep = request.keep_alive && request.body.is_empty() && !server.callers.is_draining();
    let connection = connection_line(request.version, keep);
    let mut output = shared.buffers.take_write();
    // The header section of the next hop has to hold it beside everything else.
    let err_limit = server.router.params().limits.headers / 2;
    fault.encode(&mut output, err_limit, request.method == Method::Head, connection.line());
    let answered = shared.clock.now();
    request.pending.responded(fault.status(), answered.since(request.started));
    record_server(server, caller, request, answered);
    let written = caller.stream.write_all(&output).await;
    shared.buffers.give_write(output);
    match written {
        Ok(()) if keep => After::KeepAlive,
        Ok(()) => After::Linger,
        Err(_) => After::Close,
    }
}

/// Closes the books on a request whose caller went away.
fn abandon(server: &Server, caller: &Caller, request: &mut Request<'_>) -> After {
    if let Some(recording) = &mut request.recording {
        recording.abandoned();
    }
    let ended = server.shared.clock.now();
    request.pending.failed(ended.since(request.started));
    record_server(server, caller, request, ended);
    After::Close
}

/// Closes the server span, if the request is recorded.
pub(super) fn record_server(server: &Server, caller: &Caller, request: &Request<'_>, ended: Monotonic) {
    if let Some(recording) = &request.recording {
        let shared = &server.shared;
        let site = match &request.service {
            Ok(service) => (service.site(), true),
            Err(_) => (server.router.unidentified(), false),
        };
        let times = (request.started, ended);
        recording.record_server(&shared.spans, site, request.context, times, caller);
    }
}

/// What a response has to say about the connection.
pub(super) const fn connection_line(version: Version, keep: bool) -> ConnectionLine {
    match (version, keep) {
        (_, false) => ConnectionLine::Close,
        (Version::Http10, true) => ConnectionLine::KeepAlive,
        (Version::Http11, true) => ConnectionLine::Absent,
    }
}
