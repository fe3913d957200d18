//! Sends one request to one address: gets a connection, tries once more when an idle one turned out to be closed,
//! and keeps the connection afterwards if it is still good.

use super::Server;
use super::callers::Caller;
use super::exchange::Exchange;
use super::outcome::NoResponse;
use super::request::{After, Request};
use crate::client::{Connection, Destination};
use crate::clock::Monotonic;
use crate::net::{ReadBuffer, connect};
use crate::router::{Fault, Leaf, Service, Target, Waiting};
use std::io;
use std::time::Duration;

/// What an attempt is made with.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) server: &'a Server,
    pub(super) caller: &'a Caller,
    pub(super) service: &'a Service,
    pub(super) leaf: &'a Leaf,
    pub(super) destination: &'a Destination,
    /// When the destination was picked ([`Attempt::moment`]).
    pub(super) picked: Monotonic,
}

/// Why a request has no response of a destination.
#[derive(Debug)]
pub(super) enum Failure {
    /// The router answers this itself.
    Fault(Fault),
    /// There is nobody left to answer.
    CallerGone,
}

impl Attempt<'_> {
    /// Sends the request and relays the response.
    ///
    /// An idle connection that the destination has closed meanwhile is replaced by a fresh one, if nothing of a
    /// response was seen and the request can be sent again (RFC 9112 9.3.1).
    pub(super) async fn run(
        self,
        input: &mut ReadBuffer,
        request: &mut Request<'_>,
    ) -> Result<After, Failure> {
        if let Some(connection) = self.destination.checkout() {
            match self.exchange(connection, (self.picked, false), input, request).await {
                Err(NoResponse { is_lost: true, unsent, .. }) if request.can_be_sent_again(unsent) => {}
                ended => return ended.map_err(|problem| problem.into_failure()),
            }
            let connection = self.connect(request).await.map_err(Failure::Fault)?;
            let begun = Self::moment(self.server, request);
            let ended = self.exchange(connection, (begun, true), input, request).await;
            return ended.map_err(NoResponse::into_failure);
        }
        let connection = self.connect(request).await.map_err(Failure::Fault)?;
        let begun = Self::moment(self.server, request);
        self.exchange(connection, (begun, false), input, request).await.map_err(NoResponse::into_failure)
    }

    /// Now, for what is recorded; without a recording, when the request began, which saves reading the clock.
    pub(super) fn moment(server: &Server, request: &Request<'_>) -> Monotonic {
        match request.recording {
            Some(_) => server.shared.clock.now(),
            None => request.started,
        }
    }

    /// One exchange on `connection`, which goes back to the pool if it is still good. `begin` tells when the attempt
    /// began and whether it is a second one.
    async fn exchange(
        self,
        connection: Connection,
        begin: (Monotonic, bool),
        input: &mut ReadBuffer,
        request: &mut Request<'_>,
    ) -> Result<After, NoResponse> {
        let done = Exchange::begin(self, &connection, begin, request).run(input, request).await?;
        if done.reusable {
            self.destination.checkin(connection);
        }
        Ok(done.after)
    }

    async fn connect(self, request: &Request<'_>) -> Result<Connection, Fault> {
        let shared = &self.server.shared;
        let binding_timeout = self.server.router.params().binding_timeout;
        let left = binding_timeout.saturating_sub(shared.clock.now().since(request.started));
        let metrics = self.leaf.client().metrics();
        let limit = left.min(CONNECT_TIMEOUT);
        match connect(self.destination.address(), &shared.readiness, &shared.deadlines, limit).await {
            Ok(stream) => Ok(Connection::new(stream, metrics)),
            Err(error) => {
                metrics.connect_failed();
                tracing::debug!("{}: {error}", self.address());
                if error.kind() == io::ErrorKind::TimedOut && left < CONNECT_TIMEOUT {
                    let waiting = Waiting::Connecting(self.leaf.client().id().to_owned());
                    let service = self.service.name().to_owned();
                    return Err(Fault::BindingTimeout { limit: binding_timeout, waiting, service });
                }
                Err(Fault::Unconnected(Box::new(self.target())))
            }
        }
    }

    /// The destination's address as explanations print it.
    pub(super) fn address(self) -> String {
        self.leaf.client().print(self.destination.address())
    }

    fn target(self) -> Target {
        let client = self.leaf.client();
        Target {
            service: self.service.name().to_owned(),
            client: client.id().to_owned(),
            addresses: client.print_all(),
            selected: self.address(),
        }
    }
}

/// Finagle's, which Linkerd cannot configure either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
