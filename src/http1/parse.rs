//! Bytes to message heads. httparse checks the syntax; what it lets pass and RFC 9112 does not is refused here:
//! bare LF line ends, targets that are no targets, and everything `facts.rs` and `body.rs` find.

use super::Limits;
use super::body::{BodyLength, request_length, response_length};
use super::copy::offset_in;
use super::facts::Facts;
use super::head::{HeadError, Header, HeaderSlots, MAX_HEADERS, Parsed, RequestHead, ResponseHead};
use crate::http::{AbsoluteTarget, Known, KnownSet, Version, classify};
use std::mem::MaybeUninit;

/// Empty lines tolerated before a request line: some callers end a body with one (RFC 9112 2.2).
pub const MAX_EMPTY_LINES: usize = 4;

const LINE_TOO_LONG: HeadError = HeadError { status: 414, reason: "initial line too long" };
const HEADERS_TOO_LONG: HeadError = HeadError { status: 431, reason: "header section too long" };
const TOO_MANY_HEADERS: HeadError = HeadError { status: 431, reason: "too many header lines" };
const BARE_LINE_FEED: HeadError = HeadError::bad("line end without CR");
const MALFORMED_VERSION: HeadError = HeadError::bad("malformed HTTP version");
const INVALID_TARGET: HeadError = HeadError::bad("invalid request target");

/// Where httparse writes header lines before they are classified.
type RawSlots<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_HEADERS];

/// Parses the head of a request at the start of `input`.
///
/// # Errors
///
/// The request is not valid HTTP/1.x, uses what the proxy does not support, or exceeds `limits`: answer with the
/// error's status and close the connection.
#[inline]
pub fn parse_request<'b, 's>(
    input: &'b [u8],
    limits: &Limits,
    slots: &'s mut HeaderSlots<'b>,
) -> Result<Parsed<RequestHead<'b, 's>>, HeadError> {
    let Some(start) = skip_empty_lines(input)? else {
        return Ok(Parsed::NeedMore);
    };
    let input_head = input.get(start..).unwrap_or_default();
    let mut raw: RawSlots<'b> = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(input_head, &mut raw) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return need_more(input_head, limits),
        Err(httparse::Error::Version) => return refuse_version(input_head, limits),
        Err(error) => return Err(refusal(error)),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(HeadError::bad("malformed request line"));
    };
    let lines = check_lines(input_head, length, request.headers, limits)?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let absolute = check_target(method, target)?;
    let headers = slots.fill(request.headers.iter().map(classified));
    let facts = Facts::gather(headers)?;
    let head = RequestHead {
        method,
        target: target.as_bytes(),
        absolute,
        version,
        headers,
        host: absolute.map(|target| target.authority).or(facts.host),
        body: request_length(version, &facts)?,
        keep_alive: facts.keep_alive(version),
        // RFC 9110 10.1.1: the expectation of an HTTP/1.0 caller must be ignored.
        expect_continue: facts.expect_continue && version == Version::Http11,
        lines: lines.headers,
        hop_by_hop: facts.hop_by_hop,
    };
    Ok(Parsed::Complete { head, consumed: start + length })
}

/// Parses the head of a response to a request with `request_method` at the start of `input`. Interim responses
/// (1xx) come out like any other, without a body.
///
/// # Errors
///
/// The response is not valid HTTP/1.x, is framed in a way the proxy does not support, or exceeds `limits`: close
/// the connection.
#[inline]
pub fn parse_response<'b, 's>(
    input: &'b [u8],
    limits: &Limits,
    request_method: &str,
    slots: &'s mut HeaderSlots<'b>,
) -> Result<Parsed<ResponseHead<'b, 's>>, HeadError> {
    // httparse would skip empty lines; after a response they are bytes that belong to nothing.
    if let Some(b'\r' | b'\n') = input.first() {
        return Err(HeadError::bad("empty line before the status line"));
    }
    let mut raw: RawSlots<'b> = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut response, input, &mut raw) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return need_more(input, limits),
        Err(error) => return Err(refusal(error)),
    };
    let (Some(status @ 100..), Some(minor)) = (response.code, response.version) else {
        return Err(HeadError::bad("malformed status line"));
    };
    let lines = check_lines(input, length, response.headers, limits)?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let headers = slots.fill(response.headers.iter().map(classified));
    let facts = Facts::gather(headers)?;
    let body = response_length(version, status, request_method, &facts)?;
    let without_length = if matches!(status, 100..=199 | 204) {
        KnownSet::of(&[Known::ContentLength])
    } else {
        KnownSet::default()
    };
    let head = ResponseHead {
        version,
        status,
        // Taken from the line itself: httparse gives an empty phrase when one holds bytes above 0x7F.
        reason: lines.first.get(STATUS_LINE_START..).unwrap_or_default(),
        headers,
        body,
        keep_alive: facts.keep_alive(version) && body != BodyLength::UntilClose,
        lines: lines.headers,
        hop_by_hop: facts.hop_by_hop.union(without_length),
    };
    Ok(Parsed::Complete { head, consumed: length })
}

/// Length of `HTTP/1.1 200 `.
const STATUS_LINE_START: usize = 13;

#[inline]
fn classified<'b>(header: &httparse::Header<'b>) -> Header<'b> {
    let name = header.name.as_bytes();
    Header { known: classify(name), name, value: header.value }
}

/// Where the request line begins; `None` when the input ends before that shows.
#[inline]
fn skip_empty_lines(input: &[u8]) -> Result<Option<usize>, HeadError> {
    let mut start = 0;
    for _ in 0..=MAX_EMPTY_LINES {
        match input.get(start..).unwrap_or_default() {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => start += 2,
            [b'\r' | b'\n', ..] => return Err(HeadError::bad("malformed empty line")),
            _ => return Ok(Some(start)),
        }
    }
    Err(HeadError::bad("too many empty lines"))
}

/// A head cut into its first line, without its line end, and its header lines, with theirs.
struct Lines<'b> {
    first: &'b [u8],
    headers: &'b [u8],
}

/// Cuts a complete head of `length` bytes into lines, and checks that they end in CRLF and keep the limits.
///
/// httparse takes a bare LF for a line end, and refuses every other CR and LF. So each line begins behind an LF,
/// and looking at the byte before that is enough.
#[inline]
fn check_lines<'b>(
    input: &'b [u8],
    length: usize,
    headers: &[httparse::Header<'b>],
    limits: &Limits,
) -> Result<Lines<'b>, HeadError> {
    let Some(lines) = input.get(..length).and_then(|head| head.strip_suffix(b"\r\n")) else {
        return Err(BARE_LINE_FEED);
    };
    if !lines.ends_with(b"\r\n") {
        return Err(BARE_LINE_FEED);
    }
    for header in headers {
        let line = offset_in(input, header.name.as_bytes());
        if lines.get(line.wrapping_sub(2)) != Some(&b'\r') {
            return Err(BARE_LINE_FEED);
        }
    }
    let first_end = headers.first().map_or(lines.len(), |header| offset_in(input, header.name.as_bytes()));
    let (first, headers) = lines.split_at_checked(first_end).ok_or(BARE_LINE_FEED)?;
    let first = first.strip_suffix(b"\r\n").ok_or(BARE_LINE_FEED)?;
    if first.len() > limits.initial_line {
        return Err(LINE_TOO_LONG);
    }
    if headers.len() > limits.headers {
        return Err(HEADERS_TOO_LONG);
    }
    Ok(Lines { first, headers })
}

/// Checks the form of a request target (RFC 9112 3.2); gives its parts when it is in absolute form.
#[inline]
fn check_target<'b>(method: &str, target: &'b str) -> Result<Option<AbsoluteTarget<'b>>, HeadError> {
    let bytes = target.as_bytes();
    // httparse has seen to control characters and blanks. A fragment is for the sender's eyes (RFC 9110 4.1).
    // Looks at every byte rather than stopping at the first bad one, which lets the compiler use vectors.
    if bytes.iter().fold(false, |bad, &byte| bad | (byte == b'#') | (byte >= 0x7F)) {
        return Err(INVALID_TARGET);
    }
    if method == "CONNECT" {
        // Refused here because what follows may be the payload of a tunnel rather than a request.
        return Err(HeadError { status: 501, reason: "CONNECT is not supported" });
    }
    match bytes {
        [b'/', ..] => Ok(None),
        b"*" if method == "OPTIONS" => Ok(None),
        _ => AbsoluteTarget::parse(bytes).map(Some).ok_or(INVALID_TARGET),
    }
}

/// What to say about an unfinished head: that it is too long already, or that more is needed.
fn need_more<T>(input: &[u8], limits: &Limits) -> Result<Parsed<T>, HeadError> {
    over_limit(input, limits).map_or(Ok(Parsed::NeedMore), Err)
}

/// The limit that an unfinished head exceeds, whatever may follow.
fn over_limit(input: &[u8], limits: &Limits) -> Option<HeadError> {
    let Some(line_feed) = input.iter().position(|&byte| byte == b'\n') else {
        // The last byte may be the CR of the line end.
        return (input.len() > limits.initial_line.saturating_add(1)).then_some(LINE_TOO_LONG);
    };
    let line = input.get(..line_feed).unwrap_or_default();
    if line.strip_suffix(b"\r").unwrap_or(line).len() > limits.initial_line {
        return Some(LINE_TOO_LONG);
    }
    // The last byte may be the CR of the empty line.
    let headers = input.len() - line_feed - 1;
    (headers > limits.headers.saturating_add(1)).then_some(HEADERS_TOO_LONG)
}

/// Turns httparse's complaint into ours.
#[cold]
fn refusal(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => TOO_MANY_HEADERS,
        httparse::Error::HeaderName => HeadError::bad("invalid header name"),
        httparse::Error::HeaderValue => HeadError::bad("invalid header value"),
        httparse::Error::NewLine => HeadError::bad("invalid line end"),
        httparse::Error::Status => HeadError::bad("malformed status line"),
        httparse::Error::Token => HeadError::bad("malformed request line"),
        httparse::Error::Version => MALFORMED_VERSION,
    }
}

/// Tells a version of HTTP we do not speak (505) from what is no version at all (400). Which of the two must not
/// depend on how much of the line has arrived, so the end of the line is waited for.
#[cold]
fn refuse_version<T>(input: &[u8], limits: &Limits) -> Result<Parsed<T>, HeadError> {
    const PATTERN: &[u8] = b"HTTP/d.d";
    let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
    let version = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    let fits = version.len() <= PATTERN.len()
        && version.iter().zip(PATTERN).all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            _ => byte == expected,
        });
    if fits && end.is_none() {
        need_more(input, limits)
    } else if fits && version.len() == PATTERN.len() {
        Err(HeadError { status: 505, reason: "unsupported HTTP version" })
    } else {
        Err(MALFORMED_VERSION)
    }
}

#[cfg(test)]
mod tests;
