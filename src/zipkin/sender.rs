//! Posting spans to a Zipkin collector over HTTP: the only file that knows the HTTP client.

use super::ZipkinParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Request, Response, StatusCode, Url, redirect};
use std::io::Write as _;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Bytes of an answer that are read, so that its connection can be used again; one with more is closed.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Bytes of an answer that are kept to say why spans were refused.
const MAX_REASON_BYTES: usize = 200;

/// A connection that is idle for this long is closed: before the collector does it, just when the next body is sent.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// The longest time that a collector can put us off by `Retry-After`.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Sends bodies to one collector.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    url: Url,
    host: Option<HeaderValue>,
    compress: bool,
}

/// A body, ready to be posted any number of times.
#[derive(Debug)]
pub struct Parcel {
    request: Request,
    bytes: usize,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The collector took the spans.
    Accepted,
    /// It never will: the same bytes must not be sent again.
    Refused(String),
    /// It might later.
    NotNow {
        /// How long the collector asks us to wait.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
}

/// A collector that cannot be spoken to, whatever is tried.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The host and port do not make a URL.
    #[error("{0} is no host of a collector")]
    Host(String),
    /// The Host header has characters that no header can have.
    #[error("{0:?} is no value of a Host header")]
    HostHeader(String),
    /// The HTTP client does not start.
    #[error("the HTTP client does not start: {0}")]
    Client(#[from] reqwest::Error),
}

impl Sender {
    /// A sender with `connections` kept alive at most, each attempt bounded by `timeout`.
    ///
    /// # Errors
    ///
    /// When the parameters do not make a URL or a header, or the HTTP client does not start.
    pub fn new(params: &ZipkinParams, timeout: Duration, connections: usize) -> Result<Self, SenderError> {
        let host = match params.host.parse::<Ipv6Addr>() {
            Ok(ip) => format!("[{ip}]"),
            Err(_) => params.host.clone(),
        };
        let no_host = || SenderError::Host(format!("{host}:{}", params.port));
        let url =
            Url::parse(&format!("http://{host}:{}/api/v2/spans", params.port)).map_err(|_| no_host())?;
        if url.path() != "/api/v2/spans" || url.query().is_some() || !url.username().is_empty() {
            return Err(no_host());
        }
        let header =
            |value: &String| HeaderValue::from_str(value).map_err(|_| SenderError::HostHeader(value.clone()));
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            .pool_max_idle_per_host(connections)
            .pool_idle_timeout(IDLE_CONNECTION)
            .tcp_nodelay(true)
            .build()?;
        let host = params.host_header.as_ref().map(header).transpose()?;
        Ok(Self { client, url, host, compress: params.compress })
    }

    /// Makes a body ready for posting.
    #[must_use]
    pub fn pack(&self, json: Vec<u8>) -> Parcel {
        let mut request = Request::new(reqwest::Method::POST, self.url.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(host) = &self.host {
            request.headers_mut().insert(HOST, host.clone());
        }
        let body = match self.compress.then(|| gzip(&json)).flatten() {
            Some(zipped) => {
                request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                zipped
            }
            None => json,
        };
        let bytes = body.len();
        *request.body_mut() = Some(body.into());
        Parcel { request, bytes }
    }

    /// Posts a parcel once.
    pub async fn post(&self, parcel: &Parcel) -> Verdict {
        // A body of bytes in memory can always be cloned, and its bytes are then shared.
        let Some(request) = parcel.request.try_clone() else {
            return Verdict::Refused("the request cannot be repeated".to_owned());
        };
        match self.client.execute(request).await {
            Ok(response) => judge(response).await,
            Err(error) => Verdict::NotNow { after: None, why: describe(&error) },
        }
    }

    /// Where the parcels go, for messages.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }
}

impl Parcel {
    /// Bytes of the body as it is sent.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A status in the 200s says that the spans are there, whatever then happens to the rest of the answer.
async fn judge(response: Response) -> Verdict {
    let status = response.status();
    let after = retry_after(&response);
    let reason = read_bounded(response).await;
    if status.is_success() {
        return Verdict::Accepted;
    }
    let why = format!("{status}{}{reason}", if reason.is_empty() { "" } else { ": " });
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        Verdict::NotNow { after, why }
    } else {
        Verdict::Refused(why)
    }
}

/// The seconds of a `Retry-After` on a 429 or 503, at most [`MAX_RETRY_AFTER`]. A date is not read: our own delays
/// serve as well.
fn retry_after(response: &Response) -> Option<Duration> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// Reads the answer's body, for its connection's sake, and returns the start of its text.
async fn read_bounded(mut response: Response) -> String {
    let mut read = 0;
    let mut reason = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        let room = MAX_REASON_BYTES - reason.len();
        reason.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if read > MAX_ANSWER_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&reason);
    // One line of a log is one line.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The error and its causes; the client's own text leaves out why a connection failed.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Writing to memory does not fail; should it, the body goes out as it is.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}
