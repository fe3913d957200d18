//! One exchange on one connection to a destination: request out, response back, both bodies at once.

use super::attempt::Attempt;
use super::outcome::{Done, NoResponse, Problem, Response, reply_body};
use super::pending::Pending;
use super::relay::{Framing, Transfer, TransferError};
use super::request::{After, Request, connection_line, record_server};
use crate::client::Connection;
use crate::clock::Monotonic;
use crate::http::Version;
use crate::http1::encode::CONTINUE;
use crate::http1::{BodyDecoder, BodyLength, HeaderSlots, Parsed, parse_response};
use crate::net::ReadBuffer;
use crate::router::rewrite::{ReplyFraming, encode_attempt, encode_interim, encode_response};
use crate::trace::{self, TraceContext};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

/// An exchange under way.
pub(super) struct Exchange<'a> {
    attempt: Attempt<'a>,
    connection: &'a Connection,
    context: TraceContext,
    /// When the attempt began ([`Attempt::moment`]).
    begun: Monotonic,
    pending: Pending<'a>,
    /// The request on its way to the destination.
    sending: Transfer<'a>,
    send_error: Option<io::Error>,
    is_sent: bool,
    /// What the destination has sent.
    answer: ReadBuffer,
    interim: usize,
    /// The response head for the caller, once there is one; before that, interim ones.
    reply: Vec<u8>,
}

impl<'a> Exchange<'a> {
    /// Encodes what is left of the request head; writes nothing yet.
    pub(super) fn begin(
        attempt: Attempt<'a>,
        connection: &'a Connection,
        (begun, is_retry): (Monotonic, bool),
        request: &mut Request<'_>,
    ) -> Self {
        let shared = &attempt.server.shared;
        let context = trace::send(&request.context, shared.spans.samplers(), &mut *shared.rng.borrow_mut());
        let mut head = std::mem::take(&mut request.head);
        head.truncate(request.common);
        encode_attempt(attempt.leaf.lines(), &context, &mut head);
        if let Some(recording) = &mut request.recording {
            recording.begin_attempt(is_retry, shared.clock.wall_us(begun));
        }
        let framing = if request.body == BodyLength::Chunked { Framing::Chunked } else { Framing::AsIs };
        let decoder = BodyDecoder::new(request.body);
        Self {
            attempt,
            connection,
            context,
            begun,
            pending: Pending::start(attempt.leaf.client().metrics()),
            sending: Transfer::new(
                &attempt.caller.stream,
                connection,
                &shared.buffers,
                decoder,
                framing,
                head,
            ),
            send_error: None,
            is_sent: false,
            answer: ReadBuffer::default(),
            interim: 0,
            reply: shared.buffers.take_write(),
        }
    }

    /// Sends the request and relays the response.
    pub(super) async fn run(
        mut self,
        input: &mut ReadBuffer,
        request: &mut Request<'_>,
    ) -> Result<Done, NoResponse> {
        if request.expects_continue(input) && self.attempt.caller.stream.write_all(CONTINUE).await.is_err() {
            return Err(self.fail(Problem::CallerGone, false, request));
        }
        let response = loop {
            match poll_fn(|cx| self.poll_response(cx, input, request)).await {
                Ok(Some(response)) => break response,
                Ok(None) if self.attempt.caller.stream.write_all(&self.reply).await.is_ok() => {
                    self.reply.clear();
                }
                Ok(None) => return Err(self.fail(Problem::CallerGone, false, request)),
                Err((problem, is_lost)) => return Err(self.fail(problem, is_lost, request)),
            }
        };
        let shared = &self.attempt.server.shared;
        // The client span ends with the head of its response, which is read once: its end is the time of `wr`.
        let ended = response.received;
        self.pending.responded(response.status, ended.since(self.begun));
        self.record_client(request, ended);
        let decoder = BodyDecoder::new(response.body);
        let reply = std::mem::take(&mut self.reply);
        let (from, to) = (self.connection, &self.attempt.caller.stream);
        let mut reply = Transfer::new(from, to, &shared.buffers, decoder, response.framing, reply);
        // Read before the write, or the caller could have the answer before the span of its sender ends.
        let mut answered = ended;
        let mut result = poll_fn(|cx| {
            let written = reply.poll_head(cx, &mut self.answer);
            if written.is_pending() {
                answered = shared.clock.now();
            }
            written
        })
        .await;
        let latency = answered.since(request.started);
        if matches!(result, Err(TransferError::Receiver(_))) {
            request.pending.failed(latency);
        } else {
            request.pending.responded(response.status, latency);
        }
        record_server(self.attempt.server, self.attempt.caller, request, answered);
        if result.is_ok() && !reply.is_done() {
            result = poll_fn(|cx| {
                self.keep_sending(cx, input)?;
                let moved = reply.poll_body(cx, &mut self.answer);
                if moved.is_pending() && self.is_caller_gone(cx, input) {
                    return Poll::Ready(Err(TransferError::Receiver(
                        io::ErrorKind::ConnectionAborted.into(),
                    )));
                }
                moved
            })
            .await;
        }
        shared.buffers.give_write(reply.into_output());
        let done = self.conclude(response, &result, input);
        self.put_back(request);
        Ok(done)
    }

    /// Decides what becomes of both connections once the response is over.
    fn conclude(&self, response: Response, result: &Result<(), TransferError>, input: &ReadBuffer) -> Done {
        let sent = self.sending.is_done();
        let after = match result {
            Ok(()) if !response.closing && sent => After::KeepAlive,
            // The caller may still be sending, or have sent more than this request.
            Ok(()) if !sent || !input.is_empty() => After::Linger,
            Ok(()) => After::Close,
            Err(error) => {
                tracing::debug!("{}: the response ended early: {error}", self.attempt.address());
                if response.until_close {
                    // Nothing but a reset tells this caller that the response is not complete.
                    self.attempt.caller.stream.reset_on_drop();
                }
                After::Close
            }
        };
        let reusable = result.is_ok()
            && sent
            && response.keep_alive
            && response.body != BodyLength::UntilClose
            && self.answer.is_empty();
        Done { after, reusable }
    }

    /// Moves the request until a final response head has come; none if only interim responses have, which are to
    /// be written before this is called again. The flag beside a problem tells that the connection was lost before
    /// anything of a response came.
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadBuffer,
        request: &mut Request<'_>,
    ) -> Poll<Result<Option<Response>, (Problem, bool)>> {
        if let Err(problem) = self.poll_sending(cx, input, request) {
            return Poll::Ready(Err((problem, false)));
        }
        let shared = &self.attempt.server.shared;
        let limit = self.attempt.server.router.params().limits.longest_head();
        while let Poll::Ready(filled) =
            self.connection.poll_fill(cx, &mut self.answer, &shared.buffers, limit)
        {
            let lost = match filled {
                Ok(1..) => match self.take_response(request) {
                    Ok(None) if self.reply.is_empty() => continue,
                    Ok(response) => return Poll::Ready(Ok(response)),
                    Err(problem) => return Poll::Ready(Err((problem, false))),
                },
                Ok(0) => self.send_error.take().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()),
                Err(error) => error,
            };
            let is_lost = self.answer.is_empty() && self.interim == 0;
            return Poll::Ready(Err((Problem::Destination(self.explain_lost(&lost)), is_lost)));
        }
        if self.is_caller_gone(cx, input) {
            return Poll::Ready(Err((Problem::CallerGone, false)));
        }
        Poll::Pending
    }

    fn poll_sending(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut ReadBuffer,
        request: &mut Request<'_>,
    ) -> Result<(), Problem> {
        if self.send_error.is_none() && !self.sending.is_done() {
            match self.sending.poll_body(cx, input) {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(TransferError::Sender(_))) => return Err(Problem::CallerGone),
                Poll::Ready(Err(TransferError::Framing(error))) => {
                    return Err(Problem::BadBody(error.to_string()));
                }
                // A destination may answer without reading all of the request: the answer counts.
                Poll::Ready(Err(TransferError::Receiver(error))) => self.send_error = Some(error),
            }
        }
        if !self.is_sent && self.sending.is_flushed() {
            self.is_sent = true;
            if let Some(recording) = &mut request.recording {
                let clock = self.attempt.server.shared.clock;
                recording.sent(clock.wall_us(clock.now()));
            }
        }
        Ok(())
    }

    /// Goes on with the request while the response is relayed already. A destination that no longer reads may
    /// still answer; a caller that breaks off has lost the rest of its answer, which might never end otherwise.
    fn keep_sending(&mut self, cx: &mut Context<'_>, input: &mut ReadBuffer) -> Result<(), TransferError> {
        if self.send_error.is_none() && !self.sending.is_done() {
            match self.sending.poll_body(cx, input) {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(TransferError::Receiver(error))) => self.send_error = Some(error),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the response head apart if it is complete, and encodes the caller's.
    fn take_response(&mut self, request: &mut Request<'_>) -> Result<Option<Response>, Problem> {
        let server = self.attempt.server;
        loop {
            let mut slots = HeaderSlots::new();
            let limits = &server.router.params().limits;
            let parsed = parse_response(self.answer.unread(), limits, request.method.name(), &mut slots);
            let (head, consumed) = match parsed {
                Ok(Parsed::Complete { head, consumed }) => (head, consumed),
                Ok(Parsed::NeedMore) => return Ok(None),
                Err(error) => return Err(self.invalid(error.reason)),
            };
            if head.status >= 200 {
                let success = head.status < 500;
                let clock = server.shared.clock;
                let received = clock.now();
                if let Some(recording) = &mut request.recording {
                    recording.received(&head, success, clock.wall_us(received));
                }
                let (body, framing) = reply_body(request.version, head.body);
                // A destination that closes before it has the whole request leaves the caller with the rest of it.
                let keep = request.keep_alive
                    && body != BodyLength::UntilClose
                    && (head.keep_alive || self.sending.has_ended())
                    && !server.callers.is_draining();
                let connection = connection_line(request.version, keep);
                encode_response(&head, success, ReplyFraming { body, connection }, &mut self.reply);
                let until_close = body == BodyLength::UntilClose;
                let (status, body, keep_alive) = (head.status, head.body, head.keep_alive);
                self.answer.consume(consumed);
                return Ok(Some(Response {
                    received,
                    status,
                    body,
                    framing,
                    until_close,
                    keep_alive,
                    closing: !keep,
                }));
            }
            if head.status == 101 {
                return Err(self.invalid("switching protocols without Upgrade"));
            }
            // `Expect` was answered here. What else a destination says in advance goes on (RFC 9110 15.2), except to
            // callers of the version that knows no interim responses.
            if head.status != 100 && request.version == Version::Http11 {
                encode_interim(&head, &mut self.reply);
            }
            self.answer.consume(consumed);
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(self.invalid("too many interim responses"));
            }
        }
    }

    fn is_caller_gone(&self, cx: &mut Context<'_>, input: &mut ReadBuffer) -> bool {
        let shared = &self.attempt.server.shared;
        let limit = self.attempt.server.router.params().limits.longest_head();
        // While the request is being sent, the transfer itself reads.
        while self.sending.has_ended() && input.unread().len() < limit {
            match self.attempt.caller.stream.poll_fill(cx, input, &shared.buffers, limit) {
                Poll::Pending => return false,
                // The next request, pipelined.
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return true,
            }
        }
        false
    }

    fn invalid(&self, reason: &str) -> Problem {
        Problem::Destination(format!("{} sent an invalid response: {reason}", self.attempt.address()))
    }

    fn explain_lost(&self, error: &io::Error) -> String {
        let address = self.attempt.address();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("{address} closed the connection before it answered"),
            _ => format!("the connection to {address} failed before it answered: {error}"),
        }
    }

    fn fail(mut self, problem: Problem, is_lost: bool, request: &mut Request<'_>) -> NoResponse {
        let clock = self.attempt.server.shared.clock;
        let ended = clock.now();
        let unsent = self.sending.is_untouched();
        self.pending.failed(ended.since(self.begun));
        if let Some(recording) = &mut request.recording {
            let text = match &problem {
                Problem::Destination(text) | Problem::BadBody(text) => text,
                Problem::CallerGone => "the caller went away",
            };
            recording.attempt_failed(text, is_lost && unsent, clock.wall_us(ended));
        }
        self.record_client(request, ended);
        self.put_back(request);
        NoResponse { is_lost, unsent, problem }
    }

    fn record_client(&self, request: &Request<'_>, ended: Monotonic) {
        if let Some(recording) = &request.recording {
            let Attempt { server, caller, leaf, destination, .. } = self.attempt;
            let ends = (caller.local_address(), destination.address());
            recording.record_client(&server.shared.spans, leaf, self.context, (self.begun, ended), ends);
        }
    }

    /// Gives all buffers back; the request gets its head again, for another attempt.
    fn put_back(mut self, request: &mut Request<'_>) {
        let buffers = &self.attempt.server.shared.buffers;
        request.head = self.sending.into_output();
        self.answer.clear(buffers);
        buffers.give_write(self.reply);
    }
}

/// Interim responses (1xx) that are read before the final one has to come.
const MAX_INTERIM: usize = 16;

#[cfg(test)]
mod tests;
