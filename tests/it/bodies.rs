//! Large bodies: byte for byte, at any pace, in memory that stays as it is.

mod form;
mod pattern;

use crate::support::raw::get_request;
use crate::support::{Gate, Proxy, Raw, Relay};
use form::{Form, LARGE_CHUNKS, ODD_CHUNKS, SMALL_CHUNKS, Writer, serve};
use pattern::{MIB, Pattern};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How large a large body is: 1 GiB, or as many MiB as the environment says.
fn large() -> u64 {
    let mib = std::env::var("RINGSPAN_BODY_MIB").ok();
    mib.map_or(1024, |text| text.parse().expect("RINGSPAN_BODY_MIB is a number")) * MIB
}

/// How much more memory the proxy may take while a body passes through: the kernel's page accounting and the
/// buffers of a few connections, but nothing that grows with the body.
const FLAT_KIB: u64 = 4 * 1024;

/// Watches the memory of the proxy while a body passes.
struct Memory<'a> {
    proxy: &'a Proxy,
    before: u64,
    next: u64,
}

impl<'a> Memory<'a> {
    /// Measures after the buffers that a request needs have been used for the first time.
    fn of(proxy: &'a Proxy) -> Self {
        Self { proxy, before: proxy.resident_kib(), next: 8 * MIB }
    }

    /// To be called with how much has passed.
    fn watch(&mut self, passed: u64) {
        if passed >= self.next {
            self.next = passed + 32 * MIB;
            let now = self.proxy.resident_kib();
            assert!(now <= self.before + FLAT_KIB, "from {} to {now} KiB after {passed} bytes", self.before);
        }
    }
}

/// Downloads `length` bytes, sent as `form`, and watches the memory meanwhile.
fn download(form: Form, version: &str, length: u64) {
    let relay = Relay::scripted(move |connection| serve(connection, form));
    let mut caller = relay.caller();
    let request = |length: u64| format!("GET /{length} HTTP/{version}\r\nhost: web\r\n\r\n");
    // The first one makes every buffer that the second one needs.
    relay.caller().exchange(request(MIB));
    caller.send(request(length));
    let head = caller.head();
    let mut memory = Memory::of(&relay.proxy);
    let mut body = io::BufReader::with_capacity(256 * 1024, caller.reader());
    if head.header("transfer-encoding").is_some() {
        Pattern::new().check_chunked(&mut body, length, |passed| memory.watch(passed));
    } else {
        Pattern::new().check(&mut body, length, usize::MAX, |passed| memory.watch(passed));
    }
}

/// Uploads `length` bytes as `form`, and watches the memory meanwhile.
fn upload(form: Form, length: u64) {
    let relay = Relay::scripted(|connection| serve(connection, Form::Length));
    let mut caller = relay.caller();
    let mut send = |length: u64, memory: Option<Memory<'_>>| {
        let mut passed = Watched { stream: caller.socket(), passed: 0, memory };
        let line = format!("POST /4 HTTP/1.1\r\nhost: web\r\nx-length: {length}\r\n");
        caller.send(line + &form.head(length));
        form.send(&mut passed, length).unwrap();
        let response = caller.response();
        assert_eq!((response.status(), response.body.len()), (200, 4));
    };
    send(MIB, None);
    send(length, Some(Memory::of(&relay.proxy)));
    assert_eq!(relay.origin.connections(), 1);
}

/// A caller's socket that watches the memory of the proxy as it is written to.
struct Watched<'a> {
    stream: TcpStream,
    passed: u64,
    memory: Option<Memory<'a>>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.passed += count as u64;
        if let Some(memory) = &mut self.memory {
            memory.watch(self.passed);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_gibibyte_of_response_passes_byte_for_byte_in_flat_memory() {
    download(Form::Length, "1.1", large());
}

#[test]
fn a_gibibyte_of_chunked_response_passes_byte_for_byte_in_flat_memory() {
    download(LARGE_CHUNKS, "1.1", large());
}

#[test]
fn a_gibibyte_of_request_passes_byte_for_byte_in_flat_memory() {
    upload(Form::Length, large());
}

#[test]
fn a_gibibyte_of_chunked_request_passes_byte_for_byte_in_flat_memory() {
    upload(LARGE_CHUNKS, large());
}

#[test]
fn every_form_of_body_passes_byte_for_byte() {
    for form in [Form::Close, SMALL_CHUNKS, ODD_CHUNKS] {
        for version in ["1.1", "1.0"] {
            download(form, version, 64 * MIB + 12_345);
        }
    }
    for form in [SMALL_CHUNKS, ODD_CHUNKS] {
        upload(form, 64 * MIB + 12_345);
    }
}

#[test]
fn lengths_about_the_sizes_of_buffers_pass_byte_for_byte() {
    let relay = Relay::scripted(|connection| serve(connection, Form::Length));
    let mut caller = relay.caller();
    for around in [1_u64, 16 * 1024, 32 * 1024, 64 * 1024] {
        for length in around.saturating_sub(200)..around + 5 {
            caller.send(format!("POST /{length} HTTP/1.1\r\nhost: web\r\ncontent-length: {length}\r\n\r\n"));
            Form::Length.send(&mut caller.socket(), length).unwrap();
            let response = caller.response();
            assert_eq!(response.body.len() as u64, length);
            Pattern::new().expect(&response.body);
        }
    }
    assert_eq!(relay.origin.connections(), 1);
}

#[test]
fn both_bodies_of_an_exchange_pass_at_once() {
    // The destination sends back what it gets, without waiting for the end of it.
    let relay = Relay::scripted(|mut connection| {
        let head = connection.head().unwrap();
        let length: u64 = head.header("content-length").unwrap().parse().unwrap();
        connection.send(format!("HTTP/1.1 200 OK\r\n{}", Form::Length.head(length))).unwrap();
        let mut left = length;
        let mut piece = vec![0; 64 * 1024];
        while left > 0 {
            let count = connection.reader().read(&mut piece).unwrap();
            left -= count as u64;
            connection.send(&piece[..count]).unwrap();
        }
    });
    let length = 64 * MIB;
    let mut caller = relay.caller();
    caller.send(format!("POST / HTTP/1.1\r\nhost: web\r\n{}", Form::Length.head(length)));
    let mut socket = caller.socket();
    let sender = thread::spawn(move || Form::Length.send(&mut socket, length));
    assert_eq!(caller.head().status(), 200);
    Pattern::new().check(caller.reader(), length, usize::MAX, |_| {});
    sender.join().unwrap().unwrap();
}

#[test]
fn a_reader_of_small_pieces_gets_every_byte() {
    for form in [Form::Length, ODD_CHUNKS, Form::Close] {
        let relay = Relay::scripted(move |connection| serve(connection, form));
        let mut caller = relay.caller();
        let length = 4 * MIB + 1;
        caller.send(get_request(&format!("/{length}"), ""));
        let head = caller.head();
        let mut stream = io::BufReader::with_capacity(777, caller.reader());
        if head.header("transfer-encoding").is_some() {
            Pattern::new().check_chunked(&mut stream, length, |_| {});
        } else {
            Pattern::new().check(&mut stream, length, 333, |_| {});
        }
    }
}

#[test]
fn a_writer_of_small_pieces_gets_every_byte_across() {
    let relay = Relay::scripted(|mut connection| {
        while let Some(head) = connection.head() {
            let length = head.header("content-length").unwrap().parse().unwrap();
            Pattern::new().check(connection.reader(), length, usize::MAX, |_| {});
            connection.send(format!("HTTP/1.1 200 OK\r\n{}", Form::Length.head(length))).unwrap();
            Pattern::new().send(&mut Writer(&mut connection), length, 11).unwrap();
        }
    });
    let length = 100_003;
    let mut caller = relay.caller();
    caller.send(format!("POST / HTTP/1.1\r\nhost: web\r\n{}", Form::Length.head(length)));
    Pattern::new().send(&mut caller.socket(), length, 7).unwrap();
    assert_eq!(caller.head().status(), 200);
    Pattern::new().check(caller.reader(), length, usize::MAX, |_| {});
}

/// Writes to `stream` until it has taken nothing for a while; how much it took.
fn fill(stream: &TcpStream, limit: u64) -> u64 {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut stream, mut pattern) = (stream, Pattern::new());
    let mut taken = 0;
    while taken < limit {
        match stream.write(pattern.next(64 * 1024)) {
            Ok(count) => {
                taken += count as u64;
                pattern.at = taken;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    taken
}

/// More than fits into all socket buffers on the way, which is some ten MiB each.
const ENDLESS: u64 = 512 * MIB;
const STOPPED: u64 = 128 * MIB;

#[test]
fn a_caller_that_does_not_read_stops_the_destination() {
    let (taken, stopped) = (Arc::new(AtomicU64::new(0)), Gate::default());
    let (count, stop) = (Arc::clone(&taken), stopped.clone());
    let relay = Relay::scripted(move |mut connection| {
        connection.request();
        let _ = connection.send(format!("HTTP/1.1 200 OK\r\n{}", Form::Length.head(ENDLESS)));
        let sent = fill(connection.reader().get_ref(), ENDLESS);
        count.store(sent, Ordering::Release);
        stop.open();
        // The rest of it, at the caller's pace.
        let mut rest = Pattern::new();
        rest.at = sent;
        let socket = connection.reader().get_ref();
        socket.set_write_timeout(None).unwrap();
        let _ = rest.send(&mut &*socket, ENDLESS, 64 * 1024);
    });
    let before = relay.proxy.resident_kib();
    let mut caller = relay.caller();
    caller.send(get_request("/", ""));
    stopped.wait("the destination stops");
    let taken = taken.load(Ordering::Acquire);
    assert!(taken < STOPPED, "the destination could send {taken} bytes to nobody");
    let after = relay.proxy.resident_kib();
    assert!(after <= before + FLAT_KIB, "from {before} to {after} KiB");
    // Other callers are served all the while, and this one gets everything once it reads.
    assert_eq!(caller.head().status(), 200);
    Pattern::new().check(caller.reader(), ENDLESS, usize::MAX, |_| {});
}

#[test]
fn a_destination_that_does_not_read_stops_the_caller() {
    let go_on = Gate::default();
    let wait = go_on.clone();
    let relay = Relay::scripted(move |mut connection| {
        let Some(head) = connection.head() else { return };
        if head.first_line.starts_with("POST") {
            wait.wait("the caller stops");
            Pattern::new().check(connection.reader(), ENDLESS, usize::MAX, |_| {});
        }
        let _ = connection.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
    });
    let before = relay.proxy.resident_kib();
    let mut caller = relay.caller();
    caller.send(format!("POST / HTTP/1.1\r\nhost: web\r\n{}", Form::Length.head(ENDLESS)));
    let taken = fill(&caller.socket(), ENDLESS);
    assert!(taken < STOPPED, "{taken} bytes went to a destination that reads nothing");
    let after = relay.proxy.resident_kib();
    assert!(after <= before + FLAT_KIB, "from {before} to {after} KiB");
    assert_eq!(relay.caller().exchange(get_request("/", "")).status(), 200, "another caller is served");
    go_on.open();
    let socket = caller.socket();
    socket.set_write_timeout(None).unwrap();
    let mut rest = Pattern::new();
    rest.at = taken;
    rest.send(&mut &socket, ENDLESS, 64 * 1024).unwrap();
    assert_eq!(caller.response().text(), "fine");
}

#[test]
fn many_callers_that_do_not_read_take_little_memory() {
    const CALLERS: u64 = 50;
    let relay = Relay::scripted(move |connection| serve(connection, Form::Length));
    relay.caller().exchange(get_request(&format!("/{MIB}"), ""));
    let before = relay.proxy.resident_kib();
    let mut callers: Vec<Raw> = (0..CALLERS).map(|_| relay.caller()).collect();
    for caller in &mut callers {
        caller.receive_little();
        caller.send(get_request(&format!("/{}", 32 * MIB), ""));
        assert_eq!(caller.head().status(), 200);
    }
    // Each holds a buffer for reading and one for writing.
    let after = relay.proxy.resident_kib();
    assert!(after <= before + FLAT_KIB + CALLERS * 100, "from {before} to {after} KiB");
}
