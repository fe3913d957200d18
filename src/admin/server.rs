//! The connections of the admin server, within limits.

use super::Sources;
use super::routes::{collapse_slashes, router};
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A shorter grace than this is raised to it.
pub const LEAST_GRACE: Duration = Duration::from_secs(1);

/// Connections at a time; more wait in the listener's backlog until one ends.
const CONNECTIONS: usize = 1_024;
/// Longest head of a request, and the room for its buffer.
const HEAD_BYTES: usize = 16 * 1_024;
/// From the end of a response to the end of the next request's head: idle connections end here too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests in flight have this long to end when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// After a failed accept (out of files), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin pages on `listener` until `stop`, then finishes the requests in flight.
pub async fn serve(listener: TcpListener, sources: Arc<Sources>, stop: impl Future<Output = ()>) {
    let router = router(sources);
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, router.clone(), stopped.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the admin server cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    drop(stopping);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, finished).await.is_err() {
        tracing::debug!("admin requests were cut");
    }
}

/// One connection, until it ends or the other half of `stopped` is gone.
async fn converse(stream: TcpStream, router: axum::Router, mut stopped: watch::Receiver<()>) {
    // Small answers must not wait for the acknowledgement of an earlier one; that it fails means the caller
    // is gone, which reading will tell.
    let _ = stream.set_nodelay(true);
    let pages = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut parts, body) = request.into_parts();
        parts.uri = collapse_slashes(parts.uri);
        pages.call(Request::from_parts(parts, Body::new(body)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return log_end(result),
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    log_end(connection.await);
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "an admin connection ended badly");
    }
}

#[cfg(test)]
mod tests;
