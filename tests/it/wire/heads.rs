//! How large a head may be, and that the limits are where the configuration puts them.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Origin, Proxy, Raw, Relay, inet};

/// A request whose line is `line` bytes long, without its line end, and whose header section `headers`.
fn sized(line: usize, headers: usize) -> String {
    let fixed = "GET / HTTP/1.1".len();
    let host = "host: web\r\n";
    let filler = headers.checked_sub(host.len() + "x: \r\n".len()).map(|len| "y".repeat(len));
    let target = "a".repeat(line - fixed);
    format!("GET /{target} HTTP/1.1\r\n{host}x: {}\r\n\r\n", filler.unwrap())
}

/// Like [`sized`], a response.
fn sized_response(line: usize, headers: usize) -> String {
    let reason = "r".repeat(line - "HTTP/1.1 200 ".len());
    let length = "content-length: 0\r\n";
    let filler = "y".repeat(headers - length.len() - "x: \r\n".len());
    format!("HTTP/1.1 200 {reason}\r\n{length}x: {filler}\r\n\r\n")
}

#[test]
fn request_heads_are_served_up_to_the_limits_and_refused_one_byte_later() {
    let relay = Relay::answering(OK);
    for (line, headers, status) in [
        (4096, 100, 200),
        (4097, 100, 414),
        (100, 8192, 200),
        (100, 8193, 431),
        (4096, 8192, 200),
        (4097, 8193, 414),
    ] {
        let mut caller = relay.caller();
        let request = sized(line, headers);
        let response = caller.exchange(&request);
        assert_eq!(response.status(), status, "line of {line}, headers of {headers}");
        if status != 200 {
            assert_eq!(response.header("connection"), Some("close"));
            caller.expect_end();
        }
        // However the bytes come.
        let mut caller = relay.caller();
        for piece in request.as_bytes().chunks(1009) {
            if caller.try_send(piece).is_err() {
                break;
            }
        }
        assert_eq!(caller.response().status(), status, "line of {line}, headers of {headers}, in pieces");
    }
}

#[test]
fn a_head_that_never_ends_is_refused_at_the_limit() {
    let relay = Relay::answering(OK);
    for (start, status) in [("GET /", 414), ("GET / HTTP/1.1\r\nhost: web\r\nx-long: ", 431)] {
        let mut caller = relay.caller();
        caller.send(start);
        let mut sent = 0;
        while sent < 1024 * 1024 && caller.try_send([b'a'; 1024]).is_ok() {
            sent += 1024;
        }
        assert_eq!(caller.response().status(), status);
    }
    assert_eq!(relay.origin.requests().len(), 0);
}

#[test]
fn as_many_header_lines_as_the_limit_are_served_and_not_one_more() {
    let relay = Relay::answering(OK);
    for (count, status) in [(128, 200), (129, 431)] {
        let fields: String = (1..count).map(|number| format!("x-{number}: {number}\r\n")).collect();
        assert_eq!(relay.caller().exchange(get_request("/", &fields)).status(), status, "{count} lines");
    }
    assert_eq!(relay.origin.request().header("x-127"), Some("127"));
}

#[test]
fn response_heads_have_the_same_limits() {
    for (line, headers, status) in
        [(4096, 100, 200), (4097, 100, 502), (100, 8192, 200), (100, 8193, 502), (4096, 8192, 200)]
    {
        let relay = Relay::answering(sized_response(line, headers));
        let mut caller = relay.caller();
        let response = caller.exchange(get_request("/", ""));
        assert_eq!(response.status(), status, "line of {line}, headers of {headers}");
        assert_eq!(response.header("l5d-err").is_some(), status == 502);
        // The caller's connection is no worse for it.
        assert_eq!(caller.exchange(get_request("/", "")).status(), status);
    }
}

#[test]
fn the_limits_are_the_configured_ones() {
    let origin = Origin::answering(OK);
    let config = format!(
        "admin = {{ port = 0 }}\n[[routers]]\nprotocol = \"http\"\nlabel = \"router\"\ndtab = '/svc => {}'\n\
         servers = [{{ port = 0 }}]\nmaxHeadersKB = 100\nmaxInitialLineKB = 1\n",
        inet(origin.address())
    );
    let proxy = Proxy::start(&config);
    for (line, headers, status) in [(1024, 102_400, 200), (1025, 100, 414), (100, 102_401, 431)] {
        let response = Raw::connect(proxy.router()).exchange(sized(line, headers));
        assert_eq!(response.status(), status, "line of {line}, headers of {headers}");
    }
}
