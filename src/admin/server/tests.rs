use super::*;
use crate::clock::Clock;
use crate::metrics::{Metrics, Scope, SpanTotals};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use tokio::sync::oneshot;

/// The graces that shutdowns asked for.
type Asked = Arc<Mutex<Vec<Option<Duration>>>>;

/// Runs `test` against an admin server on a port and a thread of its own.
fn with_server<T>(test: impl FnOnce(SocketAddr, Asked) -> T) -> T {
    let asked = Asked::default();
    let shutdowns = Arc::clone(&asked);
    let clock = Clock::start();
    let metrics = Metrics::new(1);
    metrics.registries()[0]
        .scope(Scope::Service { router: "in".to_owned(), name: "/svc/web".to_owned() })
        .request_started();
    let sources = Sources {
        metrics: Arc::new(metrics),
        spans: Box::new(|| Some(SpanTotals { recorded: 3, sent: 3, ..SpanTotals::default() })),
        config_json: serde_json::json!({ "admin": { "port": 0 } }),
        clock,
        started: clock.now(),
        shutdown: Box::new(move |grace| shutdowns.lock().unwrap().push(grace)),
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            serve(listener, Arc::new(sources), async { drop(stopped.await) }).await;
        });
    });
    let result = test(address, asked);
    drop(stop);
    server.join().unwrap();
    result
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends `requests` over one connection and reads until the server closes it.
fn exchange(address: SocketAddr, requests: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(requests.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
    exchange(address, &format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"))
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn ping_answers_any_method() {
    with_server(|address, _| {
        for method in ["GET", "POST", "DELETE", "PURGE"] {
            let response = ask(address, &format!("{method} /admin/ping"), "");
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            assert!(response.contains("content-length: 4\r\n"), "{response}");
            assert!(response.contains("content-type: text/plain\r\n"), "{response}");
            assert_eq!(body(&response), "pong");
        }
        let response = ask(address, "HEAD //admin//ping", "");
        assert!(response.contains("content-length: 4\r\n"), "{response}");
        assert_eq!(body(&response), "");
    });
}

#[test]
fn a_connection_serves_one_request_after_another() {
    with_server(|address, _| {
        let request = "GET /admin/ping HTTP/1.1\r\nhost: x\r\n\r\n";
        let last = "GET /admin/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let responses = exchange(address, &format!("{request}{request}{last}"));
        assert_eq!(responses.matches("pong").count(), 3, "{responses}");
    });
}

#[test]
fn metrics_and_configuration_are_json() {
    with_server(|address, _| {
        for (line, status, expected) in [
            ("GET /admin/metrics.json", 200, "\"rt/in/service/svc/web/pending\":1.0"),
            ("GET /admin/metrics.json", 200, "\"telemetry/zipkin/spans_recorded\":3"),
            ("GET /admin/metrics.json?tree=1", 200, "\"spans_sent\":{\"counter\":3}"),
            ("GET /admin/metrics.json?q=rt%2Fin%2Fservice", 200, "{\"svc/web/failures\":0,"),
            ("GET /admin/metrics.json?q=x", 404, "{\"error\":\"No such subtree: x\"}"),
            ("GET /config.json", 200, "{\"admin\":{\"port\":0}}"),
        ] {
            let response = ask(address, line, "");
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {response}");
            assert!(
                response.contains("content-type: application/json;charset=UTF-8\r\n"),
                "{line}: {response}"
            );
            assert!(body(&response).contains(expected), "{line}: {response}");
        }
    });
}

#[test]
fn shutdown_wants_post_and_passes_the_grace_on() {
    with_server(|address, asked| {
        for (line, headers, status, expected) in [
            ("GET /admin/shutdown", "", 405, ""),
            (
                "POST /admin/shutdown?grace=bogus",
                "",
                400,
                "could not parse 'grace' parameter: bogus is not a valid duration",
            ),
            (
                "POST /admin/shutdown",
                "sec-fetch-site: cross-site\r\n",
                403,
                "another site's page may not shut this down\n",
            ),
        ] {
            let response = ask(address, line, headers);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {response}");
            assert_eq!(body(&response), expected);
        }
        assert!(ask(address, "GET /admin/shutdown", "").contains("\r\nallow: POST\r\n"));
        assert!(asked.lock().unwrap().is_empty());
        for line in ["POST /admin/shutdown", "POST /admin/shutdown?grace=5.seconds"] {
            assert_eq!(body(&ask(address, line, "")), "quitting\n");
        }
        assert_eq!(*asked.lock().unwrap(), [None, Some(Duration::from_secs(5))]);
    });
}

#[test]
fn an_unknown_path_is_a_page_only_for_browsers() {
    with_server(|address, _| {
        let plain = ask(address, "GET /no/such/page", "");
        assert!(plain.starts_with("HTTP/1.1 404 "), "{plain}");
        assert_eq!(body(&plain), "");
        let page = ask(address, "GET /no/such/page", "accept: text/html,*/*\r\n");
        assert!(page.starts_with("HTTP/1.1 404 ") && page.contains("content-type: text/html"), "{page}");
        assert!(body(&page).contains("href=\"/admin\""), "{page}");
        assert!(body(&ask(address, "GET /admin", "")).contains("/admin/metrics.json\n"));
    });
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    with_server(|address, _| {
        let filler = format!("x: {}\r\n", "y".repeat(2 * HEAD_BYTES));
        let mut stream = connect(address);
        let request = format!("GET /admin/ping HTTP/1.1\r\nhost: x\r\n{filler}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 431");
    });
}

#[test]
fn an_idle_connection_does_not_delay_the_stop() {
    let idle = with_server(|address, _| {
        let mut stream = connect(address);
        stream.write_all(b"GET /admin/ping HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    });
    // The server has ended while this side of the connection was still open.
    drop(idle);
}
