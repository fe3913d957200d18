//! The trace viewer: a page with its script and style, built into the binary.
//!
//! One page serves both the list and a single trace; the script looks at its own address to know which. It asks the
//! query API for everything, so the page itself never changes and holds nothing that came from outside.

use super::shared::Shared;
use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// The page's requests. Its addresses are those of Zipkin's own page, so that links to one open the other.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(async || redirect()))
        .route("/zipkin", get(async || redirect()))
        .route("/zipkin/", get(async || page()))
        .route("/zipkin/traces/{id}", get(async || page()))
        .route("/zipkin/viewer.js", get(async || asset("text/javascript; charset=utf-8", VIEWER_JS)))
        .route("/zipkin/viewer.css", get(async || asset("text/css; charset=utf-8", VIEWER_CSS)))
        .route("/zipkin/icon.svg", get(async || asset("image/svg+xml", ICON_SVG)))
}

fn page() -> Response {
    asset("text/html; charset=utf-8", INDEX_HTML)
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Another version of ringspan has other assets under the same names.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}

fn redirect() -> Response {
    let body = "<!doctype html><title>ringspan</title><a href=\"/zipkin/\">Traces</a>\n";
    let headers = [(LOCATION, "/zipkin/"), (CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::FOUND, headers, body).into_response()
}

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const INDEX_HTML: &str = include_str!("assets/index.html");
const VIEWER_JS: &str = include_str!("assets/viewer.js");
const VIEWER_CSS: &str = include_str!("assets/viewer.css");
const ICON_SVG: &str = include_str!("assets/icon.svg");
