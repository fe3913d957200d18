//! Where names lead: dtabs, alternates, unions, host names, and many names at once.

use crate::support::origin::OK;
use crate::support::raw::get_request;
use crate::support::{Message, Origin, Proxy, Raw, Relay, inet, one_router_with, own_ip};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

/// A name of this machine that has to be looked up, unlike `localhost`, and leads to 127.0.0.1: one of the hosts
/// file. None on a machine without one; the tests that need it pass then.
pub(crate) fn host_name() -> Option<String> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.flat_map(|line| line.split_whitespace().skip(1).map(str::to_owned));
    let found = names.filter(|name| name != "localhost" && !name.contains(':')).find(|name| {
        let addresses = (name.as_str(), 80).to_socket_addrs();
        addresses.is_ok_and(|mut all| all.all(|address| address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)))
    });
    if found.is_none() {
        eprintln!("the hosts file of this machine has no second name for 127.0.0.1: nothing tested");
    }
    found
}

/// A destination that says who it is.
fn named(name: &'static str) -> Origin {
    Origin::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len()))
}

/// Asks for `host` on a connection of its own.
#[track_caller]
fn ask(proxy: &Proxy, host: &str) -> Message {
    Raw::connect(proxy.router()).exchange(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"))
}

#[test]
fn the_last_entry_that_fits_and_has_an_answer_decides() {
    let (one, two) = (named("one"), named("two"));
    let (to_one, to_two) = (inet(one.address()), inet(two.address()));
    for (dtab, host, expected) in [
        (format!("/svc => {to_one}"), "web", "one"),
        (format!("/svc => {to_one}; /svc => {to_two}"), "web", "two"),
        (format!("/svc => {to_one}; /svc/web => {to_two}"), "web", "two"),
        (format!("/svc => {to_one}; /svc/web => {to_two}"), "other", "one"),
        (format!("/svc/web => {to_two}; /svc => {to_one}"), "web", "one"),
        (format!("/svc => {to_one}; /svc/web => ~"), "web", "one"),
        (format!("/svc => {to_one}; /svc/web => /nowhere"), "web", "one"),
        (format!("/svc/* => {to_one}"), "web", "one"),
        (format!("/a/b => {to_two}; /svc/web => /a/b"), "web", "two"),
        (format!("/a/web => {to_two}; /svc => /a"), "web", "two"),
        // A Host is one label, byte by byte, port and capital letters included.
        (format!("/svc/web:8080 => {to_two}; /svc/web => {to_one}"), "web:8080", "two"),
        (format!("/svc/Web => {to_two}; /svc/web => {to_one}"), "Web", "two"),
    ] {
        let proxy = Proxy::start(&one_router_with(&dtab, ""));
        assert_eq!(ask(&proxy, host).text(), expected, "{host} with {dtab}");
    }
}

#[test]
fn alternates_are_tried_in_order_until_one_is_found() {
    let (one, two) = (named("one"), named("two"));
    let (to_one, to_two) = (inet(one.address()), inet(two.address()));
    for (tree, expected) in [
        (format!("{to_one} | {to_two}"), Some("one")),
        (format!("/nowhere | {to_two}"), Some("two")),
        (format!("~ | /nowhere | ~ | {to_two} | {to_one}"), Some("two")),
        (format!("(~ | /nowhere) | {to_two}"), Some("two")),
        // Found, with nothing in it; and a failure: neither goes on to the next.
        (format!("$ | {to_two}"), None),
        (format!("! | {to_two}"), None),
        (format!("/$/nil | {to_two}"), None),
        (format!("/$/fail | {to_two}"), None),
        ("~ | /nowhere".to_owned(), None),
    ] {
        let proxy = Proxy::start(&one_router_with(&format!("/svc => {tree}"), ""));
        let response = ask(&proxy, "web");
        match expected {
            Some(name) => assert_eq!(response.text(), name, "{tree}"),
            None => assert_eq!(response.status(), 502, "{tree}"),
        }
    }
}

#[test]
fn a_destination_that_is_down_is_found_all_the_same() {
    // Whether it answers is no matter of names: the second one is not tried.
    let down = crate::support::origin::Refusing::new();
    let two = named("two");
    let tree = format!("{} | {}", inet(down.address), inet(two.address()));
    let proxy = Proxy::start(&one_router_with(&format!("/svc => {tree}"), ""));
    assert_eq!(ask(&proxy, "web").status(), 502);
}

/// Counts of the answers to `count` requests on one connection, by text.
fn counts(proxy: &Proxy, names: &[&str], count: usize) -> Vec<usize> {
    let mut caller = Raw::connect(proxy.router());
    let mut counts = vec![0; names.len()];
    for _ in 0..count {
        let text = caller.exchange(get_request("/", "")).text();
        counts[names.iter().position(|name| *name == text).unwrap_or_else(|| panic!("{text}"))] += 1;
    }
    counts
}

#[test]
fn unions_share_requests_by_weight() {
    let (one, two, three) = (named("one"), named("two"), named("three"));
    let names = ["one", "two", "three"];
    let (one, two, three) = (inet(one.address()), inet(two.address()), inet(three.address()));
    // The bounds are five and more standard deviations away: one run in a million goes astray.
    for (tree, expected) in [
        (format!("{one} & {two}"), [0.5, 0.5, 0.0]),
        (format!("0.7 * {one} & 0.2 * {two} & 0.1 * {three}"), [0.7, 0.2, 0.1]),
        (format!("3 * {one} & 1 * ({two} & {three})"), [0.75, 0.125, 0.125]),
        (format!("0 * {one} & 1 * {two}"), [0.0, 1.0, 0.0]),
        // What leads nowhere takes no share, not even a part of one.
        (format!("9 * /nowhere & 1 * {two}"), [0.0, 1.0, 0.0]),
        (format!("5 * ~ & 1 * {one} & 1 * {three} & 7 * !"), [0.5, 0.0, 0.5]),
    ] {
        let proxy = Proxy::start(&one_router_with(&format!("/svc => {tree}"), ""));
        let total = 2_000_u32;
        let got = counts(&proxy, &names, usize::try_from(total).unwrap());
        for (name, (count, share)) in names.iter().zip(got.iter().zip(expected)) {
            let (count, total): (f64, f64) = (u32::try_from(*count).unwrap().into(), total.into());
            let tolerance = 5.5 * (total * share * (1.0 - share)).sqrt();
            assert!((count - total * share).abs() <= tolerance, "{tree}: {name} got {got:?}");
        }
    }
}

#[test]
fn a_branch_without_replicas_fails_its_share() {
    // Empty is an answer, so that its share of the requests has no destination.
    let one = named("one");
    let proxy = Proxy::start(&one_router_with(&format!("/svc => 1 * {} & 1 * $", inet(one.address())), ""));
    let mut caller = Raw::connect(proxy.router());
    let failed = (0..500).filter(|_| caller.exchange(get_request("/", "")).status() == 502).count();
    assert!((150..350).contains(&failed), "{failed} of 500");
}

#[test]
fn a_host_name_is_resolved() {
    let Some(host) = host_name() else { return };
    for host in [host.as_str(), "localhost"] {
        let origin = named("found");
        let port = origin.address().port();
        let proxy = Proxy::start(&one_router_with(&format!("/svc => /$/inet/{host}/{port}"), ""));
        let mut caller = Raw::connect(proxy.router());
        for _ in 0..3 {
            assert_eq!(caller.exchange(get_request("/", "")).text(), "found", "{host}");
        }
        let client = format!("/$/inet/{host}/{port}");
        assert_eq!(origin.requests()[0].header("l5d-dst-client"), Some(client.as_str()));
    }
}

#[test]
fn callers_that_ask_at_once_for_a_name_that_is_being_resolved_are_all_served() {
    let Some(host) = host_name() else { return };
    let origin = named("found");
    let dtab = format!("/svc => /$/inet/{host}/{}", origin.address().port());
    // Of several shards, too.
    let proxy = Proxy::start(&one_router_with(&dtab, "").replace("shards = 1", "shards = 2"));
    let mut callers: Vec<Raw> = (0..50).map(|_| Raw::connect(proxy.router())).collect();
    for (number, caller) in callers.iter_mut().enumerate() {
        caller.send(format!("GET / HTTP/1.1\r\nhost: web-{number}\r\n\r\n"));
    }
    for caller in &mut callers {
        assert_eq!(caller.response().text(), "found");
    }
}

#[test]
fn every_inet_spelling_of_an_address_leads_there() {
    let origin = named("found");
    let port = origin.address().port();
    for host in ["127.0.0.1", "127.1", "127.0.1", "2130706433"] {
        let proxy = Proxy::start(&one_router_with(&format!("/svc => /$/inet/{host}/{port}"), ""));
        assert_eq!(ask(&proxy, "web").text(), "found", "{host}");
    }
    let proxy = Proxy::start(&one_router_with(&format!("/svc => /$/inet/{port}"), ""));
    assert_eq!(ask(&proxy, "web").text(), "found", "without a host");
}

#[test]
fn what_a_name_leaves_over_is_the_residual() {
    for (dtab, host, residual) in [
        ("/svc => TO", "web", Some("/web")),
        ("/svc/web => TO", "web", None),
        ("/svc/web => TO/a/b", "web", Some("/a/b")),
        ("/svc => TO/x", "web", Some("/x/web")),
        // A label that cannot be written plainly is escaped whole.
        ("/svc => TO", "caf%c3%a9!", Some(r"/\x63\x61\x66\x25\x63\x33\x25\x61\x39\x21")),
    ] {
        let origin = Origin::answering(OK);
        let proxy = Proxy::start(&one_router_with(&dtab.replace("TO", &inet(origin.address())), ""));
        assert_eq!(ask(&proxy, host).status(), 200);
        assert_eq!(origin.request().header("l5d-dst-residual"), residual, "{dtab}");
    }
}

#[test]
fn the_prefix_of_names_is_the_configured_one() {
    let origin = named("found");
    let config = one_router_with(&format!("/host => {}", inet(origin.address())), "")
        .replace("label =", "dstPrefix = \"/host\"\nlabel =");
    let proxy = Proxy::start(&config);
    assert_eq!(ask(&proxy, "web").text(), "found");
    assert_eq!(origin.request().header("l5d-dst-service"), Some("/host/web"));
}

#[test]
fn any_number_of_names_is_served_from_bounded_memory() {
    const NAMES: usize = 12_000;
    let relay = Relay::answering(OK);
    let mut caller = relay.caller();
    let mut ask_for = |names: std::ops::Range<usize>| {
        for number in names {
            let filler = "n".repeat(200);
            let request = format!("GET / HTTP/1.1\r\nhost: {filler}-{number}\r\n\r\n");
            assert_eq!(caller.exchange(request).status(), 200);
        }
    };
    // The caches fill first, and the allocator settles.
    ask_for(0..3_000);
    let before = relay.proxy.resident_kib();
    ask_for(3_000..NAMES);
    let after = relay.proxy.resident_kib();
    assert!(after < before + 4 * 1024, "from {before} to {after} KiB");
    // All of them lead to one client, over one connection.
    assert_eq!(relay.origin.connections(), 1);
}

#[test]
fn any_number_of_destinations_is_served_from_bounded_memory() {
    // The caller chooses the port, of an address where nothing listens.
    let proxy = Proxy::start(&one_router_with(&format!("/svc => /$/inet/{}", own_ip()), ""));
    let mut caller = Raw::connect(proxy.router());
    let mut ask_for = |ports: std::ops::Range<u16>| {
        for port in ports {
            let response = caller.exchange(format!("GET / HTTP/1.1\r\nhost: {port}\r\n\r\n"));
            assert_eq!(response.status(), 502, "{}", response.text());
        }
    };
    ask_for(1..3_000);
    let before = proxy.resident_kib();
    ask_for(3_000..9_000);
    let after = proxy.resident_kib();
    assert!(after < before + 4 * 1024, "from {before} to {after} KiB");
}
