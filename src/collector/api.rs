//! The collector's requests: Zipkin's query API under both of its prefixes, the POST, health, and the viewer.

use super::params::Params;
use super::query::Query;
use super::shared::Shared;
use super::store::Store;
use super::{answer, ingest, viewer};
use crate::zipkin::v2::TraceId;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use std::collections::HashSet;
use std::sync::Arc;

/// Every request the collector answers.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest("/api/v2", queries())
        // Spans are taken on this path only, as by Zipkin: POST under /zipkin is 405.
        .route("/api/v2/spans", post(ingest::receive))
        .nest("/zipkin/api/v2", queries())
        .route("/health", get(health))
        .merge(viewer::routes())
        .fallback(async || answer::error(StatusCode::NOT_FOUND, "not found"))
        .with_state(shared)
}

fn queries() -> Router<Arc<Shared>> {
    Router::new()
        .route("/services", get(services))
        .route("/spans", get(span_names))
        .route("/remoteServices", get(remote_services))
        .route("/traces", get(traces))
        .route("/trace/{id}", get(trace))
        .route("/traceMany", get(trace_many))
}

async fn services(State(shared): State<Arc<Shared>>) -> Response {
    ask(&shared, |store| Ok(answer::names(&store.services()))).await
}

async fn span_names(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    ask(&shared, move |store| {
        let service = service_name(&uri)?;
        Ok(answer::names(&store.span_names(&service)))
    })
    .await
}

async fn remote_services(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    ask(&shared, move |store| {
        let service = service_name(&uri)?;
        Ok(answer::names(&store.remote_services(&service)))
    })
    .await
}

async fn traces(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    // Rounded up, so that a span of this very millisecond is found.
    let now_ms = shared.clock.wall_us(shared.clock.now()).div_ceil(1_000);
    ask(&shared, move |store| {
        let query = Query::parse(&Params::of(&uri), now_ms)?;
        let mut scan = store.newest_first(query.start_ms(), query.end_ms());
        let mut found = Vec::new();
        while found.len() < query.limit()
            && let Some(trace) = scan.next()
        {
            if query.matches(trace.began_us(), trace.spans(scan.texts())) {
                found.push(trace);
            }
        }
        Ok(answer::traces(found, store))
    })
    .await
}

async fn trace(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    ask(&shared, move |store| {
        let id = TraceId::parse(id.trim()).map_err(|error| error.to_string())?;
        Ok(match store.trace(id) {
            Some(trace) => answer::trace(trace, store),
            None => answer::error(StatusCode::NOT_FOUND, format!("{id} not found")),
        })
    })
    .await
}

async fn trace_many(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    ask(&shared, move |store| {
        let params = Params::of(&uri);
        let list = params.required("traceIds")?;
        if list.is_empty() {
            return Err("traceIds parameter is empty".to_owned());
        }
        if !list.contains(',') {
            return Err("Use /api/v2/trace/{traceId} endpoint to retrieve a single trace".to_owned());
        }
        let mut ids = HashSet::new();
        for text in list.split(',') {
            if !ids.insert(TraceId::parse(text).map_err(|error| error.to_string())?) {
                return Err(format!("redundant traceId: {text}"));
            }
        }
        Ok(answer::traces(ids.into_iter().filter_map(|id| store.trace(id)).collect(), store))
    })
    .await
}

/// The body is the one Zipkin has for its own store in memory, because health checks look for it.
async fn health() -> Response {
    answer::json(
        r#"{"status":"UP","zipkin":{"status":"UP","details":{"InMemoryStorage{}":{"status":"UP"}}}}"#,
    )
}

fn service_name(uri: &Uri) -> Result<String, String> {
    Ok(Params::of(uri).required("serviceName")?.to_lowercase())
}

/// Runs a query off this thread. Its error is the text of a 400 answer.
async fn ask(
    shared: &Shared,
    query: impl FnOnce(&Store) -> Result<Response, String> + Send + 'static,
) -> Response {
    match shared.query(query).await {
        Some(Ok(response)) => response,
        Some(Err(text)) => answer::error(StatusCode::BAD_REQUEST, text),
        None => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "the query did not end"),
    }
}
