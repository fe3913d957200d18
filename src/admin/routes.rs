//! The pages of the admin server.

use super::metrics::{Form, render};
use super::{Sources, parse_grace};
use crate::metrics::ProcessGauges;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use std::sync::Arc;

const JSON: &str = "application/json;charset=UTF-8";

/// Every page, for the index.
const PATHS: [&str; 6] =
    ["/admin", "/admin/index.txt", "/admin/metrics.json", "/admin/ping", "/admin/shutdown", "/config.json"];

/// What a browser sees for an unknown path.
const NOT_FOUND: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>ringspan admin</title>\
<h1>404: there is no such page</h1><p>Those that exist are listed in <a href=\"/admin\">/admin</a>.</p></html>\n";

type Pairs = Query<Vec<(String, String)>>;

pub(super) fn router(sources: Arc<Sources>) -> Router {
    Router::new()
        .route("/admin", get(index))
        .route("/admin/index.txt", get(index))
        .route("/admin/ping", any(|| async { ([(CONTENT_TYPE, "text/plain")], "pong") }))
        .route("/admin/metrics.json", get(metrics))
        .route("/admin/shutdown", post(shutdown))
        .route("/config.json", get(config))
        .fallback(not_found)
        .with_state(sources)
}

/// `uri` with repeated slashes of its path made one.
pub(super) fn collapse_slashes(uri: Uri) -> Uri {
    if !uri.path().contains("//") {
        return uri;
    }
    let mut path = String::with_capacity(uri.path().len());
    for letter in uri.path().chars() {
        if letter != '/' || !path.ends_with('/') {
            path.push(letter);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    path.parse().unwrap_or(uri)
}

async fn index() -> Response {
    ([(CONTENT_TYPE, "text/plain")], PATHS.join("\n") + "\n").into_response()
}

async fn metrics(State(sources): State<Arc<Sources>>, Query(query): Pairs) -> Response {
    let form = Form::of(query.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let uptime = sources.clock.now().since(sources.started).as_millis();
    let process = ProcessGauges::read(u64::try_from(uptime).unwrap_or(u64::MAX));
    let snapshot = sources.metrics.snapshot((sources.spans)().as_ref(), &process);
    match render(snapshot, &form) {
        Ok(body) => ([(CONTENT_TYPE, JSON)], body).into_response(),
        Err(body) => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, JSON)], body).into_response(),
    }
}

async fn config(State(sources): State<Arc<Sources>>) -> Response {
    ([(CONTENT_TYPE, JSON)], sources.config_json.to_string()).into_response()
}

async fn shutdown(State(sources): State<Arc<Sources>>, headers: HeaderMap, Query(query): Pairs) -> Response {
    // A browser says when a page of another site makes it ask: such a page must not stop the proxy.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site") {
        return (StatusCode::FORBIDDEN, "another site's page may not shut this down\n").into_response();
    }
    let asked = query.iter().find(|(key, _)| key == "grace");
    match asked.map(|(_, grace)| parse_grace(grace)).transpose() {
        Ok(grace) => {
            (sources.shutdown)(grace);
            "quitting\n".into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn not_found(headers: HeaderMap) -> Response {
    let accepts_html = headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/html")));
    if accepts_html {
        (StatusCode::NOT_FOUND, Html(NOT_FOUND)).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_slashes_are_one() {
        for (given, expected) in [
            ("/admin/ping", "/admin/ping"),
            ("//admin///ping", "/admin/ping"),
            ("/admin//ping?a=//b", "/admin/ping?a=//b"),
            ("/", "/"),
        ] {
            assert_eq!(collapse_slashes(given.parse().unwrap()), expected, "{given}");
        }
    }
}
