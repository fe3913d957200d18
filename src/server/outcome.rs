//! How an exchange with a destination ends, and what is known of the response in between.

use super::attempt::Failure;
use super::relay::Framing;
use super::request::After;
use crate::clock::Monotonic;
use crate::http::Version;
use crate::http1::BodyLength;
use crate::router::Fault;

/// An exchange that ended with a response.
pub(super) struct Done {
    pub(super) after: After,
    /// The connection to the destination can serve another request.
    pub(super) reusable: bool,
}

/// An exchange that ended without one.
#[derive(Debug)]
pub(super) struct NoResponse {
    /// The destination ended the connection, or it failed, before anything of a response came.
    pub(super) is_lost: bool,
    /// Nothing of the request was written.
    pub(super) unsent: bool,
    pub(super) problem: Problem,
}

/// Why there is no response; the texts are for the caller.
#[derive(Debug)]
pub(super) enum Problem {
    /// Of the destination's making.
    Destination(String),
    /// The caller's body is not framed as its head said.
    BadBody(String),
    CallerGone,
}

/// A response head that was read, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Response {
    /// When the head was complete.
    pub(super) received: Monotonic,
    pub(super) status: u16,
    pub(super) body: BodyLength,
    pub(super) framing: Framing,
    /// The caller is told the end of the body by the end of its connection.
    pub(super) until_close: bool,
    /// The destination keeps its connection open.
    pub(super) keep_alive: bool,
    /// The caller was told that its connection ends.
    pub(super) closing: bool,
}

impl NoResponse {
    pub(super) fn into_failure(self) -> Failure {
        match self.problem {
            Problem::Destination(problem) => {
                Failure::Fault(Fault::BrokenExchange { problem, unsent: self.unsent })
            }
            Problem::BadBody(problem) => Failure::Fault(Fault::BrokenBody(problem)),
            Problem::CallerGone => Failure::CallerGone,
        }
    }
}

/// How a body of a destination goes out to a caller of `version`: who knows no chunks gets it until the close.
pub(super) const fn reply_body(version: Version, body: BodyLength) -> (BodyLength, Framing) {
    match (version, body) {
        (Version::Http11, BodyLength::Chunked | BodyLength::UntilClose) => {
            (BodyLength::Chunked, Framing::Chunked)
        }
        (Version::Http10, BodyLength::Chunked | BodyLength::UntilClose) => {
            (BodyLength::UntilClose, Framing::AsIs)
        }
        (_, body) => (body, Framing::AsIs),
    }
}
