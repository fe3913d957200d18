use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::{Read, Write};
use std::net::TcpStream;

const LIMIT: usize = 10 * 1_024 * 1_024;

fn start() -> Collector {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    Collector::start(&CollectorParams::default(), listener, Clock::start()).unwrap()
}

fn span(trace: u64) -> String {
    let clock = Clock::start();
    let timestamp = clock.wall_us(clock.now());
    format!(
        r#"{{"traceId":"{trace:016x}","id":"{trace:016x}","timestamp":{timestamp},"localEndpoint":{{"serviceName":"app"}}}}"#
    )
}

fn head(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: collector\r\nconnection: close\r\n{headers}\r\n")
}

/// Sends a request and reads everything that comes back.
fn exchange(collector: &Collector, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(collector.local_addr()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    read(stream)
}

fn read(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn post(collector: &Collector, headers: &str, body: &[u8]) -> String {
    let headers = format!("{headers}content-length: {}\r\n", body.len());
    exchange(collector, &head("POST", "/api/v2/spans", &headers), body)
}

fn get(collector: &Collector, target: &str) -> String {
    exchange(collector, &head("GET", target, ""), b"")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[track_caller]
fn check_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:.200}");
}

#[test]
fn what_was_posted_is_found_whichever_way_it_was_posted() {
    let collector = start();
    let list = |trace| format!("[{}]", span(trace));
    check_status(&post(&collector, "", list(1).as_bytes()), 202);
    check_status(&post(&collector, "content-encoding: gzip\r\n", &gzip(list(2).as_bytes())), 202);
    let chunked =
        format!("5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", &list(3)[..5], list(3).len() - 5, &list(3)[5..]);
    let answer = exchange(
        &collector,
        &head("POST", "/api/v2/spans", "transfer-encoding: chunked\r\n"),
        chunked.as_bytes(),
    );
    check_status(&answer, 202);
    let large = format!("[{}]", (100..1_000).map(span).collect::<Vec<_>>().join(","));
    check_status(&post(&collector, "", large.as_bytes()), 202);

    let answer = get(&collector, "/zipkin/api/v2/traces?serviceName=app&limit=2000");
    check_status(&answer, 200);
    for trace in [1, 2, 3, 100, 999] {
        assert!(answer.contains(&format!(r#""id":"{trace:016x}""#)), "trace {trace}");
    }
    assert!(get(&collector, "/api/v2/services").ends_with(r#"["app"]"#));
    collector.shutdown();
}

#[test]
fn a_bad_span_keeps_the_good_ones_of_its_list_out() {
    let collector = start();
    check_status(&post(&collector, "", format!("[{},{{}}]", span(1)).as_bytes()), 400);
    check_status(&get(&collector, "/api/v2/trace/1"), 404);
    collector.shutdown();
}

#[test]
fn bodies_are_taken_up_to_the_limit_and_not_beyond() {
    let collector = start();
    let padded = |length: usize| [b"[".as_slice(), &vec![b' '; length - 2], b"]"].concat();
    check_status(&post(&collector, "", &padded(LIMIT)), 202);
    check_status(&post(&collector, "", &padded(LIMIT + 1)), 413);
    check_status(&post(&collector, "content-encoding: gzip\r\n", &gzip(&padded(LIMIT))), 202);
    check_status(&post(&collector, "content-encoding: gzip\r\n", &gzip(&padded(LIMIT + 1))), 413);
    let chunk = [format!("{:x}\r\n", LIMIT + 1).as_bytes(), &padded(LIMIT + 1), b"\r\n0\r\n\r\n"].concat();
    let answer =
        exchange(&collector, &head("POST", "/api/v2/spans", "transfer-encoding: chunked\r\n"), &chunk);
    check_status(&answer, 413);
    collector.shutdown();
}

#[test]
fn who_asks_first_is_told_before_it_sends_too_much() {
    let collector = start();
    let expect = |length: usize| {
        let headers = format!("expect: 100-continue\r\ncontent-length: {length}\r\n");
        let mut stream = TcpStream::connect(collector.local_addr()).unwrap();
        stream.write_all(head("POST", "/api/v2/spans", &headers).as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        (String::from_utf8(first.to_vec()).unwrap(), stream)
    };
    assert_eq!(expect(LIMIT + 1).0, "HTTP/1.1 413");
    let (first, mut stream) = expect(2);
    assert_eq!(first, "HTTP/1.1 100");
    stream.write_all(b"[]").unwrap();
    assert!(read(stream).contains("HTTP/1.1 202 "));
    collector.shutdown();
}

#[test]
fn requests_it_does_not_know_are_refused() {
    let collector = start();
    for (answer, status) in [
        (post(&collector, "content-type: application/x-protobuf\r\n", b"\n\x01"), 415),
        (post(&collector, "content-encoding: br\r\n", b"[]"), 415),
        (exchange(&collector, &head("POST", "/zipkin/api/v2/spans", "content-length: 2\r\n"), b"[]"), 405),
        (get(&collector, "/api/v2/spans"), 400),
        (get(&collector, "/api/v2/trace/xyz"), 400),
        (get(&collector, "/api/v2/traceMany?traceIds="), 400),
        (get(&collector, "/nothing"), 404),
    ] {
        check_status(&answer, status);
    }
    collector.shutdown();
}

#[test]
fn the_viewer_allows_nothing_inline_and_nothing_from_elsewhere() {
    let collector = start();
    assert!(get(&collector, "/").contains("\r\nlocation: /zipkin/\r\n"));
    for target in
        ["/zipkin/", "/zipkin/traces/abc", "/zipkin/viewer.js", "/zipkin/viewer.css", "/zipkin/icon.svg"]
    {
        let answer = get(&collector, target);
        check_status(&answer, 200);
        let policy = answer.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let links = body.replace("http://www.w3.org/2000/svg", "");
        assert!(!links.contains("http://") && !links.contains("https://"), "{target} names another site");
    }
    collector.shutdown();
}

#[test]
fn shutdown_lets_a_request_in_flight_finish_and_does_not_wait_for_idle_connections() {
    let collector = start();
    let address = collector.local_addr();
    let idle = TcpStream::connect(address).unwrap();
    let list = format!("[{}]", span(1));
    let mut posting = TcpStream::connect(address).unwrap();
    let headers = format!("expect: 100-continue\r\ncontent-length: {}\r\n", list.len());
    posting.write_all(head("POST", "/api/v2/spans", &headers).as_bytes()).unwrap();
    posting.read_exact(&mut [0; 25]).unwrap();

    let stopping = std::thread::spawn(move || collector.shutdown());
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    posting.write_all(list.as_bytes()).unwrap();
    assert!(read(posting).starts_with("HTTP/1.1 202 "));
    stopping.join().unwrap();
    drop(idle);
}
