//! Requests that get no response of a destination: the texts, which are Linkerd's, and the headers beside them.

use crate::names::host_name;
use crate::support::origin::{OK, Refusing};
use crate::support::raw::get_request;
use crate::support::{Message, Origin, Proxy, Raw, Relay, eventually, inet, one_router, one_router_with};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// The message in an answer of the proxy: in the body and, encoded, in `l5d-err`.
#[track_caller]
fn explanation(response: &Message, status: u16) -> String {
    assert_eq!(response.status(), status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.header("content-length"), Some(response.body.len().to_string().as_str()));
    assert_eq!(response.header("l5d-err").map(decode).as_deref(), Some(response.text().as_str()));
    // The answer is the proxy's own, not one that came through it.
    assert_eq!((response.header("via"), response.header("l5d-success-class")), (None, None));
    response.text()
}

/// Undoes the form encoding of `l5d-err`.
fn decode(encoded: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_name_that_leads_nowhere_is_explained_with_the_dtab() {
    for dtab in [
        "",
        "/svc => ~",
        "/svc => !",
        "/svc => $",
        "/svc => /$/nil",
        "/svc => /$/fail",
        "/svc => /nowhere",
        "/other => /$/inet/127.1/80; /svc/web => /nowhere | ~",
        "/svc => 3 * /a & 1 * ~",
    ] {
        let proxy = Proxy::start(&one_router_with(dtab, ""));
        let mut caller = Raw::connect(proxy.router());
        let entries: Vec<String> = dtab
            .split(';')
            .filter(|entry| !entry.is_empty())
            .map(|entry| format!("  {}", entry.trim().replace("3 * /a & 1 * ~", "3.00*/a & ~")))
            .collect();
        let expected = format!(
            "Unable to route request!\n\nservice name: /svc/web\ndtab:\n\nbase dtab:\n{}\noverride dtab:\n\n",
            entries.join("\n")
        );
        for _ in 0..2 {
            let response = caller.exchange(get_request("/", ""));
            assert_eq!(explanation(&response, 502), expected);
            assert_eq!((response.header("l5d-retryable"), response.header("connection")), (None, None));
        }
    }
}

#[test]
fn a_destination_that_refuses_connections_is_named() {
    let refusing = Refusing::new();
    let proxy = Proxy::start(&one_router(refusing.address, ""));
    let mut caller = Raw::connect(proxy.router());
    let address = refusing.address;
    for _ in 0..2 {
        let response = caller.exchange(get_request("/", ""));
        assert_eq!(
            explanation(&response, 502),
            format!(
                "Unable to establish connection to {address}.\n\nservice name: /svc/web\n\
                 client name: {}\naddresses: [{address}]\nselected address: {address}\n",
                inet(address)
            )
        );
        assert_eq!(response.header("connection"), None, "the caller's connection goes on");
    }
}

#[test]
fn a_destination_that_came_from_a_host_name_is_named_with_it() {
    let Some(host) = host_name() else { return };
    let refusing = Refusing::new();
    let port = refusing.address.port();
    let proxy = Proxy::start(&one_router_with(&format!("/svc => /$/inet/{host}/{port}"), ""));
    let response = Raw::connect(proxy.router()).exchange(get_request("/", ""));
    let address = format!("{host}/127.0.0.1:{port}");
    assert_eq!(
        explanation(&response, 502),
        format!(
            "Unable to establish connection to {address}.\n\nservice name: /svc/web\n\
             client name: /$/inet/{host}/{port}\naddresses: [{address}]\nselected address: {address}\n"
        )
    );
}

#[test]
fn a_request_without_a_name_is_refused_with_where_it_came_from() {
    let relay = Relay::answering(OK);
    for (request, line, closes) in [
        ("GET /a?b HTTP/1.1\r\n\r\n", "GET /a?b", false),
        ("GET /a HTTP/1.1\r\nhost:\r\n\r\n", "GET /a", false),
        ("GET /a HTTP/1.0\r\n\r\n", "GET /a", true),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS *", false),
    ] {
        let mut caller = relay.caller();
        let from = caller.local_address();
        let response = caller.exchange(request);
        assert_eq!(
            explanation(&response, 400),
            format!("Unknown destination: Request(\"{line}\", from /{from}) / Host header is absent")
        );
        if closes {
            caller.expect_end();
        } else {
            assert_eq!(caller.exchange(get_request("/", "")).status(), 200, "the connection goes on");
        }
    }
}

#[test]
fn a_name_that_cannot_be_bound_is_answered_with_the_reason() {
    for (dtab, expected) in [
        ("/svc => /$/nosuch/x", "Unknown namer: nosuch for path: /$/nosuch/x/web"),
        ("/svc => /$/inet/127.1/65536", "port out of range: 65536 for path: /$/inet/127.1/65536/web"),
        ("/svc => /svc", "Max recursion level: 100 reached in Namer lookup"),
    ] {
        // A dtab that leads in a circle is a mistake that is found at load, but not behind other names.
        let dtab = if dtab == "/svc => /svc" { "/svc => /a; /a => /b; /b => /a" } else { dtab };
        let proxy = Proxy::start(&one_router_with(dtab, ""));
        let response = Raw::connect(proxy.router()).exchange(get_request("/", ""));
        assert_eq!(explanation(&response, 502), expected);
    }
}

/// A destination whose connections are never accepted, and never refused.
struct BlackHole {
    listener: TcpListener,
    /// They fill the kernel's queue of connections, so that it ignores the next ones.
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: a system call without pointers. Listening again changes the length of the queue.
        assert_eq!(unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) }, 0);
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        eventually("a full queue", || {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => {
                    waiting.push(stream);
                    None
                }
                Err(_) => Some(()),
            }
        });
        Self { listener, _waiting: waiting }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

#[test]
fn a_connection_that_does_not_come_about_ends_with_the_binding_timeout() {
    let hole = BlackHole::new();
    let name = inet(hole.address());
    let config = one_router(hole.address(), "").replace("label =", "bindingTimeoutMs = 300\nlabel =");
    let proxy = Proxy::start(&config);
    let mut caller = Raw::connect(proxy.router());
    let response = caller.exchange(get_request("/", ""));
    assert_eq!(
        explanation(&response, 502),
        format!("Exceeded 300.milliseconds binding timeout while connecting to {name} for name: /svc/web")
    );
    assert_eq!(response.header("connection"), None);
}

#[test]
fn a_connection_that_does_not_come_about_within_a_second_is_given_up() {
    let hole = BlackHole::new();
    let proxy = Proxy::start(&one_router(hole.address(), ""));
    let response = Raw::connect(proxy.router()).exchange(get_request("/", ""));
    let text = explanation(&response, 502);
    assert!(text.starts_with(&format!("Unable to establish connection to {}.", hole.address())), "{text}");
}

#[test]
fn a_caller_that_leaves_while_a_connection_is_attempted_leaves_nothing_behind() {
    let hole = BlackHole::new();
    let proxy = Proxy::start(&one_router(hole.address(), ""));
    let mut caller = Raw::connect(proxy.router());
    caller.send(get_request("/", ""));
    drop(caller);
    let metrics = proxy.metrics_when("the caller's connection has ended", |metrics| {
        metrics.count("rt/router/server/127.0.0.1/0/requests") == 1
            && metrics.count("rt/router/server/127.0.0.1/0/connections") == 0
    });
    assert_eq!(metrics.count("rt/router/server/127.0.0.1/0/pending"), 0);
}

/// A name that no resolver knows; how soon and how the machine's one says so differs.
#[test]
fn a_host_name_that_cannot_be_resolved_is_a_fault_and_no_hang() {
    let config = one_router_with("/svc => /$/inet/no-such-name.invalid/80", "")
        .replace("label =", "bindingTimeoutMs = 500\nlabel =");
    let proxy = Proxy::start(&config);
    let mut caller = Raw::connect(proxy.router());
    for _ in 0..2 {
        let text = explanation(&caller.exchange(get_request("/", "")), 502);
        let known = [
            "Unable to route request!\n\nservice name: /svc/web\n",
            "no-such-name.invalid: ",
            "Exceeded 500.milliseconds binding timeout while connecting to /$/inet/no-such-name.invalid/80 for name: /svc/web",
        ];
        assert!(known.iter().any(|start| text.starts_with(start)), "{text}");
    }
}

#[test]
fn an_answer_to_head_has_the_length_and_no_body() {
    let refusing = Refusing::new();
    let proxy = Proxy::start(&one_router(refusing.address, ""));
    let mut caller = Raw::connect(proxy.router());
    for _ in 0..3 {
        caller.send("HEAD / HTTP/1.1\r\nhost: web\r\n\r\n");
        let response = caller.response_to_head();
        assert_eq!(response.status(), 502);
        let message = decode(response.header("l5d-err").unwrap());
        assert_eq!(response.header("content-length"), Some(message.len().to_string().as_str()));
    }
}

#[test]
fn a_request_with_a_body_that_cannot_be_sent_ends_its_connection() {
    let refusing = Refusing::new();
    let proxy = Proxy::start(&one_router(refusing.address, ""));
    for body in
        ["content-length: 5\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
    {
        let mut caller = Raw::connect(proxy.router());
        caller.send(format!("POST / HTTP/1.1\r\nhost: web\r\n{body}"));
        let _ = caller.try_send(get_request("/smuggled", ""));
        let response = caller.response();
        assert_eq!((response.status(), response.header("connection")), (502, Some("close")));
        caller.expect_end();
    }
}

#[test]
fn a_caller_that_is_still_uploading_can_read_the_answer() {
    let refusing = Refusing::new();
    let proxy = Proxy::start(&one_router(refusing.address, ""));
    let mut caller = Raw::connect(proxy.router());
    caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 600000\r\n\r\nsome");
    assert_eq!(caller.response().status(), 502);
    // Many callers read only when all is sent: closing now would answer what they send with a reset, and the reset
    // may overtake the answer.
    for _ in 0..8 {
        caller.send([b'x'; 64 * 1024]);
    }
    assert_eq!(caller.reader().read(&mut [0; 64]).unwrap(), 0, "an orderly end");
}

#[test]
fn an_explanation_too_long_for_a_header_is_cut_there_and_whole_in_the_body() {
    let entries: Vec<String> =
        (0..400).map(|number| format!("/some/rather/long/prefix/{number} => /x/{number}")).collect();
    let proxy = Proxy::start(&one_router_with(&entries.join("; "), ""));
    let response = Raw::connect(proxy.router()).exchange(get_request("/", ""));
    let (text, header) = (response.text(), decode(response.header("l5d-err").unwrap()));
    assert!(text.contains("/x/0\n") && text.contains("/x/399\n"), "{text}");
    assert!(header.len() > 1000 && text.starts_with(&header), "{header}");
    // The next hop has to take it.
    assert!(response.header("l5d-err").unwrap().len() <= 4096);
}

#[test]
fn a_fault_of_the_last_router_comes_through_those_before_it() {
    let refusing = Refusing::new();
    let last = Proxy::start(&one_router(refusing.address, ""));
    let first = Proxy::start(&one_router(last.router(), ""));
    let response = Raw::connect(first.router()).exchange(get_request("/", ""));
    assert_eq!(response.status(), 502);
    let direct = Raw::connect(last.router()).exchange(get_request("/", ""));
    assert_eq!((response.text(), response.header("l5d-err")), (direct.text(), direct.header("l5d-err")));
    assert_eq!(
        (response.header("via"), response.header("l5d-success-class")),
        (Some("1.1 ringspan"), Some("0.0"))
    );
}

#[test]
fn one_destination_that_fails_does_no_harm_to_requests_for_another() {
    let refusing = Refusing::new();
    let good = Origin::answering(OK);
    let dtab = format!("/svc/bad => {}; /svc/web => {}", inet(refusing.address), inet(good.address()));
    let proxy = Proxy::start(&one_router_with(&dtab, ""));
    let mut caller = Raw::connect(proxy.router());
    for _ in 0..5 {
        assert_eq!(caller.exchange("GET / HTTP/1.1\r\nhost: bad\r\n\r\n").status(), 502);
        assert_eq!(caller.exchange(get_request("/", "")).status(), 200);
    }
}
