//! The answers' common forms: JSON, plain text for errors, and streams of traces.

use super::store::{Cursor, Store, Texts, Trace};
use crate::zipkin::v2::encode_span;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_lite::stream;
use std::convert::Infallible;
use std::sync::Arc;

/// An error: its status, and a plain text that says what is wrong.
pub(super) fn error(status: StatusCode, text: impl Into<String>) -> Response {
    (status, typed("text/plain; charset=utf-8"), text.into()).into_response()
}

/// A JSON document.
pub(super) fn json(body: impl Into<Body>) -> Response {
    (typed("application/json"), body.into()).into_response()
}

/// A sorted list of names. Few names are never cached, so that a first user sees a new service at once.
pub(super) fn names(names: &[String]) -> Response {
    let mut response = json(serde_json::Value::from(names).to_string());
    if names.len() > UNCACHED_NAMES {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300, must-revalidate"));
    }
    response
}

/// A list of traces, each a list of spans.
pub(super) fn traces(traces: Vec<Arc<Trace>>, store: &Store) -> Response {
    stream_of(Writer { shape: Shape::Traces, ..Writer::new(traces, store) })
}

/// A trace: a list of spans.
pub(super) fn trace(trace: Arc<Trace>, store: &Store) -> Response {
    stream_of(Writer { shape: Shape::OneTrace, ..Writer::new(vec![trace], store) })
}

/// Sends what fits into one piece as it is, and everything else piece by piece as the other side takes it: an answer
/// may be far larger than what should wait in memory.
fn stream_of(mut writer: Writer) -> Response {
    let first = writer.next().unwrap_or_default();
    match writer.state {
        State::Done => json(first),
        _ => {
            let pieces = std::iter::once(first).chain(writer).map(Ok::<_, Infallible>);
            json(Body::from_stream(stream::iter(pieces)))
        }
    }
}

fn typed(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// Writes traces as JSON, a piece at a time.
struct Writer {
    shape: Shape,
    traces: std::vec::IntoIter<Arc<Trace>>,
    texts: Texts,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Traces,
    OneTrace,
}

enum State {
    /// Nothing is written yet.
    Start,
    /// The spans of a trace up to the cursor are written.
    Trace(Arc<Trace>, Cursor),
    /// The last bracket is written.
    Done,
}

impl Writer {
    fn new(traces: Vec<Arc<Trace>>, store: &Store) -> Self {
        Self { shape: Shape::Traces, traces: traces.into_iter(), texts: store.texts(), state: State::Start }
    }

    /// Begins the next trace, or ends the list.
    fn next_trace(&mut self, is_first: bool, out: &mut Vec<u8>) {
        let is_list = self.shape == Shape::Traces;
        match self.traces.next() {
            Some(trace) => {
                let before: &[u8] = match (is_list, is_first) {
                    (true, true) => b"[[",
                    (true, false) => b",[",
                    (false, _) => b"[",
                };
                out.extend(before);
                self.state = State::Trace(trace, Cursor::default());
            }
            None => {
                if is_list {
                    out.extend(if is_first { b"[]".as_slice() } else { b"]" });
                }
                self.state = State::Done;
            }
        }
    }
}

impl Iterator for Writer {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < PIECE_BYTES {
            match &mut self.state {
                State::Start => self.next_trace(true, &mut out),
                State::Trace(trace, cursor) => {
                    let is_first = cursor.is_start();
                    match trace.next_span(cursor, &self.texts) {
                        Some(span) => {
                            if !is_first {
                                out.push(b',');
                            }
                            encode_span(&span, &mut out);
                        }
                        None => {
                            out.push(b']');
                            self.next_trace(false, &mut out);
                        }
                    }
                }
                State::Done => break,
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

/// A piece is sent once it has this many bytes; with the span that crossed the line it may have a few more.
const PIECE_BYTES: usize = 32 * 1_024;

/// Up to this many names are sent without leave to cache them.
const UNCACHED_NAMES: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::store::Batch;
    use super::*;
    use crate::zipkin::v2::decode_list;

    fn store_of(spans: &[(u64, u64)]) -> (Store, Vec<Arc<Trace>>) {
        let store = Store::new(100_000);
        for (trace, id) in spans {
            let json = format!(r#"[{{"traceId":"{trace:x}","id":"{id:x}","timestamp":{trace}000}}]"#);
            let mut batch = Batch::default();
            decode_list(json.as_bytes(), |span| store.record(&span, &mut batch)).unwrap();
            store.store(&batch);
        }
        let traces = store.newest_first(0, u64::MAX).collect();
        (store, traces)
    }

    fn text(writer: Writer) -> String {
        String::from_utf8(writer.flatten().collect()).unwrap()
    }

    #[test]
    fn traces_are_lists_of_lists_of_spans() {
        let (store, traces) = store_of(&[]);
        assert_eq!(text(Writer::new(traces, &store)), "[]");
        let (store, traces) = store_of(&[(1, 1), (2, 1), (1, 2)]);
        let span =
            |trace, id| format!(r#"{{"traceId":"{trace:016x}","id":"{id:016x}","timestamp":{trace}000}}"#);
        let expected = format!("[[{}],[{},{}]]", span(2, 1), span(1, 1), span(1, 2));
        assert_eq!(text(Writer::new(traces.clone(), &store)), expected);
        let one = Writer { shape: Shape::OneTrace, ..Writer::new(vec![traces[1].clone()], &store) };
        assert_eq!(text(one), format!("[{},{}]", span(1, 1), span(1, 2)));
    }

    #[test]
    fn a_long_answer_goes_out_in_pieces() {
        let (store, traces) = store_of(&(1..2_000).map(|id| (1 + id % 7, id)).collect::<Vec<_>>());
        let pieces: Vec<_> = Writer::new(traces.clone(), &store).collect();
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 200));
        let parsed: Vec<Vec<serde_json::Value>> =
            serde_json::from_str(&text(Writer::new(traces, &store))).unwrap();
        assert_eq!((parsed.len(), parsed.concat().len()), (7, 1_999));
    }
}
