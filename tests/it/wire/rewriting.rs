//! What the proxy changes in heads on their way through, and what it leaves alone.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Message, Relay, inet};

/// All lines but those that the proxy adds of its own accord.
fn carried(message: &Message) -> Vec<(&str, &str)> {
    let fields = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    fields.filter(|(name, _)| !name.starts_with("l5d-") && *name != "Via").collect()
}

#[test]
fn header_lines_keep_their_order_and_their_spelling() {
    let relay = Relay::answering(
        "HTTP/1.1 200 OK\r\nSERVER: x\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nX-Empty:\r\ncontent-length: 0\r\n\
         ETag: \"w,x\"\r\n\r\n",
    );
    let response = relay.caller().exchange(
        "GET / HTTP/1.1\r\nHOST: web\r\nX-b: 2\r\nx-A:1\r\nX-Empty:\r\nx-b: \t spaced  out\t \r\n\
         !#$%&'*+-.^_`|~0aZ: odd\r\nCookie: a=1; b=2\r\ncookie: c=3\r\nUser-Agent: \"quoted, and\\more\"\r\n\r\n",
    );
    let request = relay.origin.request();
    let expected = [
        ("HOST", "web"),
        ("X-b", "2"),
        ("x-A", "1"),
        ("X-Empty", ""),
        ("x-b", "spaced  out"),
        ("!#$%&'*+-.^_`|~0aZ", "odd"),
        ("Cookie", "a=1; b=2"),
        ("cookie", "c=3"),
        ("User-Agent", "\"quoted, and\\more\""),
    ];
    assert_eq!(carried(&request), expected);
    let mut expected = vec![
        ("SERVER", "x"),
        ("Set-Cookie", "a=1; Path=/"),
        ("set-cookie", "b=2"),
        ("X-Empty", ""),
        ("ETag", "\"w,x\""),
    ];
    expected.push(("content-length", "0"));
    assert_eq!(carried(&response), expected);
}

#[test]
fn bytes_above_ascii_pass_unchanged_in_values_and_reason_phrases() {
    let relay = Relay::scripted(|mut connection| {
        let mut head = [0; 41];
        std::io::Read::read_exact(connection.reader(), &mut head).unwrap();
        assert_eq!(&head, b"GET / HTTP/1.1\r\nhost: web\r\nx-name: caf\xe9\r\n");
        let _ =
            connection.send(b"HTTP/1.1 200 d\xe9j\xe0 vu\r\nx-back: \xff\xfe\r\ncontent-length: 0\r\n\r\n");
    });
    let mut caller = relay.caller();
    caller.send(b"GET / HTTP/1.1\r\nhost: web\r\nx-name: caf\xe9\r\n\r\n");
    let expected = b"HTTP/1.1 200 d\xe9j\xe0 vu\r\nx-back: \xff\xfe\r\n";
    assert_eq!(caller.read_exact(expected.len()), expected);
}

#[test]
fn status_and_reason_phrase_are_kept() {
    for line in
        ["200 OK", "200 All is well", "299 ", "404 Not There", "418 I'm a teapot", "503 x", "999 Other"]
    {
        let relay = Relay::answering(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"));
        let response = relay.caller().exchange(get_request("/", ""));
        assert_eq!(response.first_line, format!("HTTP/1.1 {line}"));
        let class = if line < "500" { "1.0" } else { "0.0" };
        assert_eq!(response.header("l5d-success-class"), Some(class), "{line}");
    }
}

#[test]
fn method_and_target_are_forwarded_as_they_are() {
    for line in [
        "GET / HTTP/1.1",
        "PURGE /a HTTP/1.1",
        "m-s_e!x /a HTTP/1.1",
        "GET /a/%2e%2e/%41//b;p?q=%2F&r=a+b&s HTTP/1.1",
        "GET /a/../b/./c HTTP/1.1",
        "GET //two?u=http://other/#  HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /\"<>\\^`{|} HTTP/1.1",
    ] {
        let line = line.replace("/#  ", "/ ");
        let relay = Relay::answering(OK);
        let response = relay.caller().exchange(format!("{line}\r\nhost: web\r\n\r\n"));
        assert_eq!((response.status(), relay.origin.request().first_line), (200, line));
    }
}

#[test]
fn an_absolute_target_names_the_service_and_is_forwarded_in_origin_form() {
    for (line, forwarded) in [
        ("GET http://web/x?y=1 HTTP/1.1", "GET /x?y=1 HTTP/1.1"),
        ("GET http://web HTTP/1.1", "GET / HTTP/1.1"),
        ("GET http://web?q=1 HTTP/1.1", "GET /?q=1 HTTP/1.1"),
        ("OPTIONS http://web HTTP/1.1", "OPTIONS * HTTP/1.1"),
    ] {
        let relay = Relay::answering(OK);
        let response = relay.caller().exchange(format!("{line}\r\nHost: wrong.example\r\n\r\n"));
        assert_eq!(response.status(), 200, "{line}");
        let request = relay.origin.request();
        assert_eq!(request.first_line, forwarded);
        assert_eq!(request.all("host").collect::<Vec<_>>(), ["web"], "{line}");
        assert_eq!(request.header("l5d-dst-service"), Some("/svc/web"), "{line}");
    }
}

#[test]
fn hop_by_hop_fields_end_at_the_proxy() {
    const FIELDS: &str = "Connection: X-Hop, keep-alive , x-other\r\nX-Hop: 1\r\nX-Keep: 2\r\nKeep-Alive: timeout=5\r\n\
        Te: trailers\r\nX-OTHER: 3\r\nUpgrade: h2c\r\nTrailer: x\r\nProxy-Authenticate: Basic\r\n\
        Proxy-Authorization: Basic eDp5\r\nConnection: HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n";
    let relay = Relay::answering(format!("HTTP/1.1 200 OK\r\n{FIELDS}content-length: 0\r\n\r\n"));
    let response = relay.caller().exchange(get_request("/", FIELDS));
    assert_eq!(carried(&relay.origin.request()), [("host", "web"), ("X-Keep", "2")]);
    assert_eq!(carried(&response), [("X-Keep", "2"), ("content-length", "0")]);
}

#[test]
fn what_travels_end_to_end_cannot_be_removed_by_listing_it_in_connection() {
    let relay = Relay::answering(
        "HTTP/1.1 200 OK\r\nConnection: Set-Cookie, Content-Length\r\nSet-Cookie: a\r\ncontent-length: 2\r\n\r\nok",
    );
    let response = relay.caller().exchange(
        "POST / HTTP/1.1\r\nhost: web\r\nConnection: Host, Content-Length, Authorization, l5d-reqid, x-b3-traceid\r\n\
         Authorization: x\r\nx-b3-traceid: 1\r\ncontent-length: 2\r\n\r\nhi",
    );
    let request = relay.origin.request();
    assert_eq!(
        (request.header("host"), request.header("authorization"), request.header("x-b3-traceid")),
        (Some("web"), Some("x"), Some("1"))
    );
    assert_eq!(request.text(), "hi");
    assert_eq!((response.header("set-cookie"), response.text().as_str()), (Some("a"), "ok"));
}

#[test]
fn via_names_every_hop_in_order_on_one_line() {
    for (came, version, went) in [
        ("", "1.1", "1.1 ringspan"),
        ("", "1.0", "1.0 ringspan"),
        ("Via: 1.0 fred\r\n", "1.1", "1.0 fred, 1.1 ringspan"),
        (
            "VIA: 1.0 fred, 1.1 p.example:8080 (note, with comma)\r\nX-A: b\r\nvia: 2 third\r\n",
            "1.1",
            "1.0 fred, 1.1 p.example:8080 (note, with comma), 2 third, 1.1 ringspan",
        ),
        ("Via:\r\n", "1.1", "1.1 ringspan"),
    ] {
        let relay = Relay::answering(format!("HTTP/{version} 200 OK\r\n{came}content-length: 0\r\n\r\n"));
        let response = relay.caller().exchange(format!("GET / HTTP/{version}\r\nhost: web\r\n{came}\r\n"));
        assert_eq!(
            relay.origin.request().all("via").collect::<Vec<_>>(),
            [went],
            "to the destination: {came}"
        );
        assert_eq!(response.all("via").collect::<Vec<_>>(), [went], "to the caller: {came}");
        assert!(response.first_line.starts_with("HTTP/1.1 "), "the proxy speaks its own version");
    }
}

#[test]
fn the_destination_is_told_the_service_the_client_and_what_the_name_left_over() {
    let relay = Relay::answering(OK);
    let stale = "l5d-dst-service: /old\r\nL5D-Dst-Client: /old\r\nl5d-dst-residual: /old\r\nl5d-reqid: 1\r\nl5d-sample: 1.0\r\n";
    relay.caller().exchange(get_request("/", stale));
    let request = relay.origin.request();
    for (name, value) in [
        ("l5d-dst-service", "/svc/web".to_owned()),
        ("l5d-dst-client", inet(relay.origin.address())),
        ("l5d-dst-residual", "/web".to_owned()),
    ] {
        assert_eq!(request.all(name).collect::<Vec<_>>(), [value.as_str()], "{name}");
    }
    let [reqid] = request.all("l5d-reqid").collect::<Vec<_>>()[..] else { panic!("{request:?}") };
    assert!(reqid.len() == 16 && reqid.bytes().all(|byte| byte.is_ascii_hexdigit()), "{reqid}");
    assert_eq!(request.header("l5d-sample"), None);
    assert_eq!(request.all("l5d-ctx-trace").count(), 1);
}

#[test]
fn the_caller_is_told_whether_the_response_is_a_success() {
    for (status, class) in [(200, "1.0"), (404, "1.0"), (500, "0.0"), (503, "0.0")] {
        let relay = Relay::answering(format!(
            "HTTP/1.1 {status} x\r\nl5d-success-class: 9\r\ncontent-length: 0\r\n\r\n"
        ));
        let response = relay.caller().exchange(get_request("/", ""));
        assert_eq!(response.all("l5d-success-class").collect::<Vec<_>>(), [class], "{status}");
    }
}
