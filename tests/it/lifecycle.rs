//! Shutdown loses nothing that was taken, and a restart can follow at once.

use crate::support::chain::{self, PORTS};
use crate::support::origin;
use crate::support::{
    Gate, Origin, PATIENCE, Proxy, Raw, eventually, on_fixed_ports, one_router, own_ip, raw,
};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::thread;

/// `config` with another grace for shutdown.
fn with_grace(config: &str, milliseconds: u32) -> String {
    config.replace("[admin]\n", &format!("[admin]\nshutdownGraceMs = {milliseconds}\n"))
}

/// A destination that answers `/slow` when the gate opens, and everything else at once.
fn slow(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::with(move |request| {
        if request.first_line.contains("/slow") {
            gate.wait("the test lets the destination answer");
        }
        origin::OK
    })
}

/// A request that the destination holds back.
#[track_caller]
fn in_flight(proxy: &Proxy, origin: &Origin) -> Raw {
    let before = origin.requests().len();
    let mut caller = Raw::connect(proxy.router());
    caller.send(raw::get_request("/slow", ""));
    origin.wait_for_requests(before + 1);
    caller
}

#[track_caller]
fn wait_until_refused(address: SocketAddr) {
    eventually("new connections are refused", || TcpStream::connect_timeout(&address, PATIENCE).err());
}

#[track_caller]
fn wait_for_words(proxy: &Proxy, words: &str) {
    eventually(&format!("{words:?} on stderr"), || proxy.stderr().contains(words).then_some(()));
}

/// Whether a connection that ended is remembered for this listener: whoever ends one first has to.
fn has_time_wait(listener: SocketAddr) -> bool {
    let SocketAddr::V4(listener) = listener else { panic!("{listener} is no IPv4 address") };
    let local = format!("{:08X}:{:04X}", u32::from(*listener.ip()).swap_bytes(), listener.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next() == Some(&local) && columns.nth(1) == Some("06")
    })
}

#[test]
fn a_restart_at_once_gets_its_ports_though_old_connections_linger() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let config = on_fixed_ports(ip, origin.address());
    let router = SocketAddr::from((ip, 9000));
    for round in 0..2 {
        let proxy = Proxy::start(&config);
        let mut caller = Raw::connect(router);
        assert_eq!(caller.exchange(raw::get_request("/", "")).status(), 200, "round {round}");
        proxy.signal(libc::SIGTERM);
        // The proxy ends the idle connection first, which leaves it in TIME_WAIT.
        caller.expect_end();
        drop(caller);
        assert_eq!(proxy.wait().code(), 0, "round {round}");
        // The kernel may leave out a line while the table changes.
        eventually("a connection in TIME_WAIT", || has_time_wait(router).then_some(()));
    }
}

#[test]
fn requests_in_flight_are_finished_before_the_end_and_no_new_ones_are_taken() {
    for (signal, name) in [(libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT")] {
        let gate = Gate::default();
        let origin = slow(&gate);
        let proxy = Proxy::start(&one_router(origin.address(), ""));
        let (router, admin) = (proxy.router(), proxy.admin());
        let mut idle = Raw::connect(router);
        assert_eq!(idle.exchange(raw::get_request("/", "")).status(), 200);
        let mut fresh = Raw::connect(router);
        let mut caller = in_flight(&proxy, &origin);
        proxy.signal(signal);
        idle.expect_end();
        fresh.expect_end();
        wait_until_refused(router);
        assert!(proxy.is_running(), "a request is in flight");
        gate.open();
        let response = caller.response();
        assert_eq!((response.status(), response.text().as_str()), (200, "fine"), "{name}");
        assert_eq!(response.header("connection"), Some("close"), "{name}");
        caller.expect_end();
        let ended = proxy.wait();
        assert_eq!((ended.code(), ended.stdout.as_str()), (0, ""), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("Received {name}. Shutting down")), "{}", ended.stderr);
        assert!(!ended.stderr.contains("cut"), "{}", ended.stderr);
        wait_until_refused(admin);
    }
}

#[test]
fn bodies_on_their_way_are_finished_before_the_end() {
    let (begun, rest) = (Gate::default(), Gate::default());
    let (first_half, second_half) = (begun.clone(), rest.clone());
    let origin = Origin::scripted(move |mut connection| {
        let Some(head) = connection.head() else { return };
        first_half.open();
        // The caller sends its second half after the shutdown began, and so does the destination.
        let request = connection.body_of(head).unwrap();
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
        second_half.wait("the test lets the second half go");
        connection.send(format!("6\r\nsecond\r\n{:x}\r\n", request.body.len())).unwrap();
        connection.send(&request.body).unwrap();
        connection.send("\r\n0\r\n\r\n").unwrap();
    });
    let proxy = Proxy::start(&one_router(origin.address(), ""));
    let router = proxy.router();
    let mut caller = Raw::connect(router);
    caller.send("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 8\r\n\r\nhalf");
    begun.wait("the request reaches the destination");
    proxy.signal(libc::SIGTERM);
    wait_until_refused(router);
    caller.send("rest");
    rest.open();
    let response = caller.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "firstsecondhalfrest"));
    caller.expect_end();
    assert_eq!(proxy.wait().code(), 0);
}

/// Callers that go on asking at `router` until their connections end, while `proxy` is told to end. All that is
/// answered must be answered well.
#[track_caller]
fn check_shutdown_under_load(proxy: Proxy, router: SocketAddr, origin: &Origin) {
    let answers: Vec<Vec<u16>> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(move || {
                    let mut caller = Raw::connect(router);
                    let mut answers = Vec::new();
                    while caller.try_send(raw::get_request("/", "")).is_ok() {
                        let Some(response) = caller.try_response_or_reset() else { break };
                        answers.push(response.status());
                    }
                    answers
                })
            })
            .collect();
        origin.wait_for_requests(200);
        proxy.signal(libc::SIGTERM);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let answers = answers.concat();
    let failed: Vec<&u16> = answers.iter().filter(|status| **status != 200).collect();
    assert!(failed.is_empty(), "of {} answers: {failed:?}", answers.len());
    let ended = proxy.wait();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
}

#[test]
fn callers_see_only_good_answers_while_it_shuts_down() {
    let origin = Origin::answering(origin::OK);
    let proxy = Proxy::start(&one_router(origin.address(), "").replace("shards = 1", "shards = 2"));
    let router = proxy.router();
    check_shutdown_under_load(proxy, router, &origin);
}

#[test]
fn callers_of_routers_in_a_row_see_only_good_answers_while_they_shut_down() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let proxy = Proxy::start(&chain::config(ip, origin.address(), 2, ""));
    check_shutdown_under_load(proxy, (ip, PORTS[0]).into(), &origin);
}

#[test]
fn a_router_that_another_one_sends_to_is_the_last_to_stop() {
    let (gate, ip) = (Gate::default(), own_ip());
    let origin = slow(&gate);
    let proxy = Proxy::start(&chain::config(ip, origin.address(), 2, ""));
    let routers = PORTS.map(|port| SocketAddr::from((ip, port)));
    let mut caller = Raw::connect(routers[0]);
    caller.send(raw::get_request("/slow", ""));
    origin.wait_for_requests(1);
    proxy.signal(libc::SIGTERM);
    wait_until_refused(routers[0]);
    for inner in &routers[1..] {
        assert_eq!(raw::get(*inner, "/").status(), 200, "a request in flight might need it");
    }
    gate.open();
    assert_eq!(caller.response().status(), 200);
    let ended = proxy.wait();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    for router in routers {
        wait_until_refused(router);
    }
}

#[test]
fn requests_that_outlast_the_grace_are_cut_and_told_of() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let proxy = Proxy::start(&with_grace(&one_router(origin.address(), ""), 0));
    let mut callers = [in_flight(&proxy, &origin), in_flight(&proxy, &origin)];
    proxy.signal(libc::SIGTERM);
    for caller in &mut callers {
        caller.expect_end();
    }
    let ended = proxy.wait();
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("2 connections were cut while they served a request"), "{}", ended.stderr);
    gate.open();
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    for (second, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let gate = Gate::default();
        let origin = slow(&gate);
        let proxy = Proxy::start(&with_grace(&one_router(origin.address(), ""), 3_600_000));
        let mut caller = in_flight(&proxy, &origin);
        proxy.signal(libc::SIGTERM);
        wait_for_words(&proxy, "Received SIGTERM. Shutting down");
        assert!(proxy.is_running());
        proxy.signal(second);
        caller.expect_end();
        let ended = proxy.wait();
        assert_eq!(ended.code(), code, "{}", ended.stderr);
        assert!(ended.stderr.contains("Exiting at once"), "{}", ended.stderr);
        gate.open();
    }
}

#[test]
fn the_admin_server_can_be_asked_for_the_end() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let proxy = Proxy::start(&one_router(origin.address(), ""));
    let ask = |head: &str| Raw::connect(proxy.admin()).exchange(format!("{head}\r\nhost: admin\r\n\r\n"));
    for (head, status) in [
        ("GET /admin/shutdown HTTP/1.1", 405),
        ("POST /admin/shutdown?grace=soon HTTP/1.1", 400),
        ("POST /admin/shutdown HTTP/1.1\r\nsec-fetch-site: cross-site", 403),
    ] {
        assert_eq!(ask(head).status(), status, "{head}");
    }
    assert_eq!(raw::get(proxy.router(), "/").status(), 200, "none of these ends anything");
    let mut caller = in_flight(&proxy, &origin);
    let answer = ask("POST /admin/shutdown HTTP/1.1");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "quitting\n"));
    wait_until_refused(proxy.router());
    gate.open();
    assert_eq!(caller.response().status(), 200);
    let ended = proxy.wait();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
}

#[test]
fn the_grace_that_the_admin_server_is_asked_for_counts() {
    let gate = Gate::default();
    let origin = slow(&gate);
    let proxy = Proxy::start(&with_grace(&one_router(origin.address(), ""), 3_600_000));
    let mut caller = in_flight(&proxy, &origin);
    let request = "POST /admin/shutdown?grace=1.second HTTP/1.1\r\nhost: admin\r\n\r\n";
    assert_eq!(Raw::connect(proxy.admin()).exchange(request).status(), 200);
    caller.expect_end();
    assert_eq!(proxy.wait().code(), 1);
    gate.open();
}
