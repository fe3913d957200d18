//! `POST /api/v2/spans`: a body of bounded size, unpacked, decoded and stored. All of its spans, or none.

use super::answer;
use super::shared::Shared;
use super::store::{Batch, Store};
use crate::zipkin::v2::{DecodeError, decode_list};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::MultiGzDecoder;
use futures_lite::StreamExt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Why a POST was refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0} is not supported: post Zipkin v2 spans as JSON")]
    Format(String),
    #[error("Content-Encoding {0} is not supported: use gzip or none")]
    Encoding(String),
    #[error("Request Entity Too Large: the limit is {} bytes, before and after unpacking", BODY_LIMIT_BYTES)]
    TooLarge,
    #[error("Cannot gunzip spans")]
    Gunzip,
    #[error("the body could not be read: {0}")]
    Read(axum::Error),
    #[error("the request took too long")]
    TooSlow,
    #[error("the collector is too busy, or about to end: try again")]
    Unavailable,
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

/// Answers `POST /api/v2/spans`: 202 once the spans are stored.
pub(super) async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match take_in(&shared, request).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(refusal) => answer::error(refusal.status(), refusal.to_string()),
    }
}

async fn take_in(shared: &Arc<Shared>, request: Request) -> Result<(), Refusal> {
    let (head, body) = request.into_parts();
    check_format(&head.headers)?;
    let encoding = encoding(&head.headers)?;
    let declared = header(&head.headers, &CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > BODY_LIMIT_BYTES) {
        if header(&head.headers, &EXPECT).is_none() {
            drain(body).await;
        }
        return Err(Refusal::TooLarge);
    }
    // All bodies that are being read or wait to be decoded share one budget.
    let expected = declared.unwrap_or(BODY_LIMIT_BYTES);
    let reserved =
        timeout(REQUEST_TIMEOUT, shared.reserve(expected)).await.map_err(|_| Refusal::Unavailable)?;
    let body = timeout(REQUEST_TIMEOUT, read(body, expected)).await.map_err(|_| Refusal::TooSlow)??;
    if encoding == Encoding::Identity && body.len() <= SMALL_BODY_BYTES {
        return store(&shared.store, &body);
    }
    let store_in = Arc::clone(&shared.store);
    let decoded = shared.decode(move || {
        let _reserved = reserved;
        match encoding {
            Encoding::Identity => store(&store_in, &body),
            Encoding::Gzip => store(&store_in, &gunzip(&body)?),
        }
    });
    decoded.await.unwrap_or(Err(Refusal::Unavailable))
}

/// Protobuf and thrift have content types of their own; anything else, or none, is JSON.
fn check_format(headers: &HeaderMap) -> Result<(), Refusal> {
    let content_type = header(headers, &CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" | "application/x-thrift" => Err(Refusal::Format(media_type)),
        _ => Ok(()),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let encoding = header(headers, &CONTENT_ENCODING).unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        _ => Err(Refusal::Encoding(encoding)),
    }
}

/// The whole body, which is expected to have `expected` bytes and must not have more than the limit.
async fn read(body: Body, expected: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(expected.min(FIRST_BUFFER_BYTES));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Refusal::Read)?;
        if bytes.len() + piece.len() > BODY_LIMIT_BYTES {
            drop(bytes);
            drain_stream(pieces).await;
            return Err(Refusal::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Reads and forgets a body that is too large, up to a point: a sender that is still writing when the connection closes
/// may never see the answer.
async fn drain(body: Body) {
    drain_stream(body.into_data_stream()).await;
}

async fn drain_stream(mut pieces: axum::body::BodyDataStream) {
    let drained = async {
        let mut left = DRAIN_LIMIT_BYTES;
        while let Some(Ok(piece)) = pieces.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
    };
    // Whether it was all drained or not, the answer is the same.
    let _ = timeout(REQUEST_TIMEOUT, drained).await;
}

fn gunzip(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(BODY_LIMIT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(limit).read_to_end(&mut unpacked).map_err(|_| Refusal::Gunzip)?;
    if unpacked.len() > BODY_LIMIT_BYTES { Err(Refusal::TooLarge) } else { Ok(unpacked) }
}

fn store(store: &Store, list: &[u8]) -> Result<(), Refusal> {
    let mut batch = Batch::default();
    decode_list(list, |span| store.record(&span, &mut batch))?;
    store.store(&batch);
    Ok(())
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Format(_) | Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Gunzip | Self::Read(_) | Self::Decode(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The largest body, packed and unpacked alike: the limit of Zipkin's HTTP library.
const BODY_LIMIT_BYTES: usize = 10 * 1_024 * 1_024;

/// How much of a body that is too large is read before it is refused.
const DRAIN_LIMIT_BYTES: usize = 2 * BODY_LIMIT_BYTES;

/// Memory set aside for a body before its first byte is here.
const FIRST_BUFFER_BYTES: usize = 64 * 1_024;

/// A plain body up to this size is decoded where it was read: handing it over would cost more than decoding it.
const SMALL_BODY_BYTES: usize = 16 * 1_024;

/// How long a request may wait for its turn, and then again for its body: Zipkin's own request timeout.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(11);

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn unpacking_stops_at_the_limit() {
        let bomb = gzip(&vec![b' '; BODY_LIMIT_BYTES + 1]);
        assert!(bomb.len() < BODY_LIMIT_BYTES / 100);
        assert!(matches!(gunzip(&bomb), Err(Refusal::TooLarge)));
        assert_eq!(gunzip(&gzip(&vec![b' '; BODY_LIMIT_BYTES])).unwrap().len(), BODY_LIMIT_BYTES);
    }

    #[test]
    fn only_whole_gzip_is_unpacked() {
        let packed = gzip(b"[]");
        assert_eq!(gunzip(&[packed.clone(), packed.clone()].concat()).unwrap(), b"[][]");
        for end in 1..packed.len() {
            assert!(matches!(gunzip(&packed[..end]), Err(Refusal::Gunzip)), "cut at {end}");
        }
    }
}
