use super::*;
use crate::http1::{HeaderSlots, Limits, Parsed, parse_request, parse_response};

const CTX_TRACE: &str = "l5d-ctx-trace: AAAAAAAAAAcAAAAAAAAABwAAAAAAAAAHAAAAAAAAAAA=\r\n";

/// The forwarded head of `raw`, from a service and a client that leave no residual.
fn forwarded(raw: &str) -> String {
    let context = TraceContext::root(crate::trace::SpanId::new(7).unwrap());
    let mut slots = HeaderSlots::new();
    let Ok(Parsed::Complete { head, .. }) = parse_request(raw.as_bytes(), &Limits::default(), &mut slots)
    else {
        panic!("{raw:?} is no request");
    };
    let mut out = Vec::new();
    encode_request(&head, destination_line("l5d-dst-service", "/svc/web").as_bytes(), &context, &mut out);
    encode_attempt(destination_line("l5d-dst-client", "/$/inet/127.1/80").as_bytes(), &context, &mut out);
    String::from_utf8(out).unwrap()
}

/// The lines of a forwarded head that are neither `Via` nor `l5d-*`.
fn carried(raw: &str) -> Vec<String> {
    let forwarded = forwarded(raw);
    let lines = forwarded.strip_suffix("\r\n\r\n").unwrap().split("\r\n");
    lines.filter(|line| !line.starts_with("l5d-") && !line.starts_with("Via: ")).map(str::to_owned).collect()
}

#[test]
fn a_request_goes_on_with_its_headers_and_where_it_is_in_the_system() {
    let raw = "GET /a?b HTTP/1.0\r\nHost: web\r\nX-Mixed:  Case \r\nVia: 1.1 one\r\nCookie: a=b\r\nVia: 1.0 two\r\n\r\n";
    assert_eq!(
        forwarded(raw),
        format!(
            "GET /a?b HTTP/1.1\r\nHost: web\r\nX-Mixed:  Case \r\nCookie: a=b\r\n\
             Via: 1.1 one, 1.0 two, 1.0 ringspan\r\nl5d-dst-service: /svc/web\r\nl5d-reqid: 0000000000000007\r\n\
             l5d-dst-client: /$/inet/127.1/80\r\n{CTX_TRACE}\r\n"
        )
    );
}

#[test]
fn what_an_earlier_hop_or_a_caller_says_about_this_hop_does_not_go_on() {
    let alike = forwarded("GET / HTTP/1.1\r\nHost: web\r\nl5d-unknown: 1\r\n\r\n");
    let raw = "GET / HTTP/1.1\r\nHost: web\r\nl5d-dst-service: /old\r\nL5D-Dst-Client: /old\r\n\
        l5d-dst-residual: /old\r\nl5d-reqid: 0000000000000001\r\nl5d-sample: 1.0\r\nl5d-ctx-trace: nonsense\r\n\
        l5d-unknown: 1\r\nTE: trailers\r\n\r\n";
    assert_eq!(forwarded(raw), alike);
}

#[test]
fn an_absolute_target_becomes_origin_form_and_its_authority_the_only_host() {
    for (line, first, host) in [
        ("GET http://a:81/b?c HTTP/1.1", "GET /b?c HTTP/1.1", "Host: a:81"),
        ("GET http://a HTTP/1.1", "GET / HTTP/1.1", "Host: a"),
        ("GET http://a?b HTTP/1.1", "GET /?b HTTP/1.1", "Host: a"),
        ("OPTIONS http://a HTTP/1.1", "OPTIONS * HTTP/1.1", "Host: a"),
    ] {
        assert_eq!(
            carried(&format!("{line}\r\nHost: other\r\nX-A: 1\r\n\r\n")),
            [first, host, "X-A: 1"],
            "{line}"
        );
    }
}

#[test]
fn a_request_is_framed_once_and_only_when_it_has_a_body() {
    for (received, sent) in [
        ("", &[][..]),
        ("Content-Length: 007\r\n", &["content-length: 7"]),
        ("content-length: 0\r\n", &["content-length: 0"]),
        ("Transfer-Encoding: Chunked\r\nTrailer: X-Sum\r\n", &["Transfer-Encoding: chunked"]),
        ("Expect: 100-continue\r\nContent-Length: 1\r\n", &["content-length: 1"]),
        // What a caller lists in Connection cannot unframe its own body.
        ("Connection: content-length, x\r\nContent-Length: 1\r\nX: 1\r\n", &["content-length: 1"]),
    ] {
        let lines = carried(&format!("POST / HTTP/1.1\r\nHost: web\r\n{received}\r\n"));
        assert_eq!(lines[..2], ["POST / HTTP/1.1", "Host: web"], "{received}");
        assert_eq!(&lines[2..], sent, "{received}");
    }
}

/// The head that the caller gets of `raw`, which answers `method`, with the destination's framing.
fn returned(raw: &str, method: &str, success: bool, body: Option<BodyLength>) -> String {
    let mut slots = HeaderSlots::new();
    let Ok(Parsed::Complete { head, .. }) =
        parse_response(raw.as_bytes(), &Limits::default(), method, &mut slots)
    else {
        panic!("{raw:?} is no response");
    };
    let framing = ReplyFraming { body: body.unwrap_or(head.body), connection: ConnectionLine::Absent };
    let mut out = Vec::new();
    encode_response(&head, success, framing, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_response_goes_back_with_its_reason_and_the_class_it_was_given() {
    for (success, class) in [(true, "1.0"), (false, "0.0")] {
        assert_eq!(
            returned(
                "HTTP/1.0 418 Short and stout\r\nServer: pot\r\nContent-Length: 3\r\nl5d-success-class: 0.5\r\n\
                 Connection: x-b\r\nX-B: 1\r\nVia: 1.1 kettle\r\n\r\n",
                "GET",
                success,
                None
            ),
            format!(
                "HTTP/1.1 418 Short and stout\r\nServer: pot\r\ncontent-length: 3\r\nVia: 1.1 kettle, 1.0 ringspan\r\n\
                 l5d-success-class: {class}\r\n\r\n"
            )
        );
    }
}

#[test]
fn a_length_without_a_body_is_told_where_it_may_be() {
    for (method, status, length) in [
        ("HEAD", "200 OK", "Content-Length: 5\r\n"),
        ("GET", "304 Not Modified", "Content-Length: 5\r\n"),
        ("GET", "204 No Content", ""),
    ] {
        let raw = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n");
        let head =
            format!("HTTP/1.1 {status}\r\n{length}Via: 1.1 ringspan\r\nl5d-success-class: 1.0\r\n\r\n");
        assert_eq!(returned(&raw, method, true, None), head);
    }
}

#[test]
fn a_response_is_framed_as_told() {
    for (received, framing, sent) in [
        ("Transfer-Encoding: chunked\r\n", BodyLength::Chunked, "Transfer-Encoding: chunked\r\n"),
        ("Transfer-Encoding: chunked\r\n", BodyLength::UntilClose, ""),
        ("", BodyLength::Chunked, "Transfer-Encoding: chunked\r\n"),
        ("", BodyLength::UntilClose, ""),
        ("Content-Length: 0\r\n", BodyLength::Length(0), "content-length: 0\r\n"),
    ] {
        let raw = format!("HTTP/1.1 200 OK\r\n{received}\r\n");
        let head = format!("HTTP/1.1 200 OK\r\n{sent}Via: 1.1 ringspan\r\nl5d-success-class: 1.0\r\n\r\n");
        assert_eq!(returned(&raw, "GET", true, Some(framing)), head);
    }
}
