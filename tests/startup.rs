//! The process as its operator sees it: what it prints, how it exits, and what a signal does.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Long enough for a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

fn ringspan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringspan"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end with `input` on standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = ringspan().args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// One router in front of `destination`, on one shard; the admin server on a port that the kernel chooses.
fn config(port: u16, destination: SocketAddr, grace_ms: u32) -> String {
    format!(
        "[admin]\nport = 0\nshutdownGraceMs = {grace_ms}\n[runtime]\nshards = 1\n[[routers]]\nprotocol = 'http'\n\
         label = 'in'\ndtab = '/svc => /$/inet/127.1/{}'\nservers = [{{ port = {port} }}]\n",
        destination.port()
    )
}

/// A running ringspan, killed when the test ends without having ended it.
struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    admin: SocketAddr,
    router: SocketAddr,
}

impl Running {
    fn start(config: &str) -> Self {
        let mut child = ringspan().arg("-").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut serving = |what: &str| loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before it served {what}");
            if let Some(address) = line.trim_end().strip_prefix(&format!("serving {what} on ")) {
                break address.parse().unwrap();
            }
        };
        let (admin, router) = (serving("admin http"), serving("in"));
        Self { child, stderr, admin, router }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for a line on stderr that contains `text`.
    fn says(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended without saying {text}");
        }
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request and reads until the other side closes.
fn ask(address: SocketAddr, line: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "{line} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// A destination that accepts one connection and reads one head.
fn accept_head(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

fn destination() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port that nobody listens on, below those that the kernel gives to other tests' connections meanwhile.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = base + TRIED.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const OK_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

#[test]
fn a_check_opens_nothing_and_says_ok() {
    let taken = destination().0;
    let text = config(taken.local_addr().unwrap().port(), destination().1, 1_000);
    let output = run(&["check", "-"], &text);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ok\n"[..]), "{output:?}");
}

#[test]
fn mistakes_have_exit_codes_of_their_own() {
    for (arguments, input, code, said) in [
        (&["/no/such/file.toml"][..], "", 2, "config is not a file: /no/such/file.toml"),
        (&["-"], "", 2, "At least one router must be specified in the configuration."),
        (&["check", "-"], "[admin]\nprot = 1\n", 2, "prot"),
        (&[], "", 64, "Usage: ringspan [OPTIONS] <CONFIG>"),
        (&["--no-such-option", "-"], "", 64, "--no-such-option"),
    ] {
        let output = run(arguments, input);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    let help = run(&["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes:"));
}

#[test]
fn all_ports_in_use_are_told_at_once_also_those_of_another_instance() {
    let (taken, address) = destination();
    let running = Running::start(&config(0, address, 1_000));
    let text = format!(
        "{}\n[collector]\nport = {}\n",
        config(running.router.port(), address, 1_000),
        taken.local_addr().unwrap().port()
    );
    let output = run(&["-"], &text);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    for (owner, port, key) in [
        ("in", running.router.port(), "routers[0].servers[0].port"),
        ("collector", address.port(), "collector.port"),
    ] {
        let clash = format!(
            "error: {owner}: 127.0.0.1:{port} is in use by another process\n    stop it (ss -ltnp 'sport = \
             :{port}' shows it) or change {key}\n"
        );
        assert!(said.contains(&clash), "{said}");
    }
    assert!(!said.contains("serving"), "{said}");
}

#[test]
fn a_restart_at_once_gets_the_port_again_though_connections_are_in_time_wait() {
    let (listener, address) = destination();
    let port = free_port();
    for _ in 0..2 {
        let running = Running::start(&config(port, address, 1_000));
        // `connection: close` makes the proxy's side close first, which is the side that TIME_WAIT stays on.
        let caller = std::thread::spawn(move || ask(([127, 0, 0, 1], port).into(), "GET /"));
        accept_head(&listener).write_all(OK_RESPONSE).unwrap();
        assert!(caller.join().unwrap().ends_with("\r\n\r\nhi"));
        running.signal("TERM");
        assert_eq!(running.exit_code(), Some(0));
    }
}

#[test]
fn every_way_to_ask_for_the_end_lets_a_request_in_flight_finish() {
    for way in ["TERM", "INT", "POST"] {
        let (listener, address) = destination();
        let mut running = Running::start(&config(0, address, 20_000));
        let router = running.router;
        let caller = std::thread::spawn(move || ask(router, "GET /slow"));
        let mut pending = accept_head(&listener);
        if way == "POST" {
            assert!(ask(running.admin, "POST /admin/shutdown?grace=20.seconds").ends_with("quitting\n"));
        } else {
            running.signal(way);
            running.says(&format!("Received SIG{way}"));
        }
        // The listener closes at once, while the request goes on.
        while TcpStream::connect(router).is_ok() {
            std::thread::yield_now();
        }
        pending.write_all(OK_RESPONSE).unwrap();
        assert!(caller.join().unwrap().ends_with("\r\n\r\nhi"), "{way}");
        assert_eq!(running.exit_code(), Some(0), "{way}");
    }
}

#[test]
fn what_does_not_finish_within_the_grace_is_cut_and_told() {
    let (listener, address) = destination();
    let mut running = Running::start(&config(0, address, 1_000));
    let mut caller = connect(running.router);
    caller.write_all(b"GET /stuck HTTP/1.1\r\nhost: web\r\n\r\n").unwrap();
    let _pending = accept_head(&listener);
    running.signal("TERM");
    running.says("1 connections were cut");
    assert_eq!(running.exit_code(), Some(1));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let (listener, address) = destination();
        let mut running = Running::start(&config(0, address, 600_000));
        let mut caller = connect(running.router);
        caller.write_all(b"GET /stuck HTTP/1.1\r\nhost: web\r\n\r\n").unwrap();
        let _pending = accept_head(&listener);
        running.signal("TERM");
        running.says("Received SIGTERM");
        running.signal(signal);
        assert_eq!(running.exit_code(), Some(code));
    }
}

#[test]
fn with_logging_off_an_orderly_run_says_nothing() {
    let port = free_port();
    let text = config(0, destination().1, 1_000).replacen("port = 0", &format!("port = {port}"), 1);
    let mut child = ringspan().args(["--log-level", "off", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    assert!(ask(([127, 0, 0, 1], port).into(), "POST /admin/shutdown").ends_with("quitting\n"));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
