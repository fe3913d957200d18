//! Start-up finds out what is wrong before anything serves, and says how to mend it.

use crate::support::origin::{self, Refusing};
use crate::support::{
    Launch, Origin, Proxy, Raw, collector, eventually, on_fixed_ports, one_router, own_ip, raw,
};
use std::net::{SocketAddr, TcpStream};

#[test]
fn a_second_instance_is_refused_and_the_first_goes_on_serving() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let config = on_fixed_ports(ip, origin.address()) + &format!("[collector]\nip = \"{ip}\"\nport = 9411\n");
    let first = Proxy::start(&config);
    let second = Launch::config(&config).run();
    assert_eq!((second.code(), second.stdout.as_str()), (4, ""), "{}", second.stderr);
    for part in [
        format!("router: {ip}:9000 is in use by another process"),
        "sport = :9000".to_owned(),
        "change routers[0].servers[0].port".to_owned(),
        format!("admin: {ip}:9990 is in use"),
        "change admin.port".to_owned(),
        format!("collector: {ip}:9411 is in use"),
        "change collector.port".to_owned(),
    ] {
        assert!(second.stderr.contains(&part), "{part:?} is not in {}", second.stderr);
    }
    assert!(!second.stderr.contains("serving"), "{}", second.stderr);
    // Half of the connections would go astray if the second one had ever listened.
    for _ in 0..8 {
        assert_eq!(raw::get((ip, 9000).into(), "/").status(), 200);
    }
    assert_eq!(first.stop().code(), 0);
}

#[test]
fn a_port_on_all_addresses_clashes_with_the_same_port_on_one() {
    let (origin, ip) = (Origin::answering(origin::OK), own_ip());
    let first = Proxy::start(&one_router(origin.address(), ""));
    let port = first.router().port();
    let everywhere = one_router(origin.address(), "")
        .replace("servers = [{ port = 0 }]", &format!("servers = [{{ ip = \"0.0.0.0\", port = {port} }}]"));
    let second = Launch::config(&everywhere).run();
    assert_eq!(second.code(), 4, "{}", second.stderr);
    let elsewhere = one_router(origin.address(), "")
        .replace("servers = [{ port = 0 }]", &format!("servers = [{{ ip = \"{ip}\", port = {port} }}]"));
    let third = Proxy::start(&elsewhere);
    assert_eq!(raw::get(third.router(), "/").status(), 200);
}

#[test]
fn an_address_of_another_machine_is_refused_with_what_to_change() {
    let config = one_router(SocketAddr::from(([127, 0, 0, 1], 1)), "")
        .replace("{ port = 0 }", "{ ip = \"192.0.2.1\", port = 9000 }");
    let ended = Launch::config(&config).run();
    assert_eq!(ended.code(), 4, "{}", ended.stderr);
    let expected = "router: 192.0.2.1:9000: this machine has no address 192.0.2.1";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("change routers[0].servers[0].ip"), "{}", ended.stderr);
}

#[test]
fn a_collector_alone_needs_no_router_and_no_ring() {
    let launch = Launch::config("[admin]\nport = 0\n[collector]\nport = 0\n");
    // What would keep any shard from starting does not matter here.
    let proxy = launch.limit(libc::RLIMIT_MEMLOCK, 0).start();
    let collector = proxy.address("collector");
    let span = r#"[{"traceId":"0000000000000001","id":"0000000000000001","name":"a","timestamp":1700000000000000,"duration":5,"localEndpoint":{"serviceName":"svc"}}]"#;
    let post = format!(
        "POST /api/v2/spans HTTP/1.1\r\nhost: c\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{span}",
        span.len()
    );
    assert_eq!(Raw::connect(collector).exchange(post).status(), 202);
    let found = eventually("the span in the collector", || {
        let answer = raw::get(collector, "/api/v2/trace/0000000000000001");
        (answer.status() == 200).then(|| answer.text())
    });
    let found: Vec<collector::Span> = serde_json::from_str(&found).unwrap();
    assert_eq!(found[0].service(), "svc");
    assert_eq!(raw::get(proxy.admin(), "/admin/ping").text(), "pong");
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn too_little_locked_memory_is_told_with_its_mends_before_anything_serves() {
    let config = one_router(SocketAddr::from(([127, 0, 0, 1], 1)), "");
    for arguments in [&["-"][..], &["check", "-"]] {
        let launch = Launch::new(arguments).stdin(&config).limit(libc::RLIMIT_MEMLOCK, 64 * 1024);
        let ended = launch.run();
        assert_eq!((ended.code(), ended.stdout.as_str()), (3, ""), "{arguments:?}: {}", ended.stderr);
        for part in
            ["the limit on locked memory is 64 KiB", "LimitMEMLOCK=", "--ulimit memlock=", "limits.conf"]
        {
            assert!(ended.stderr.contains(part), "{arguments:?}: {part:?} is not in {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("serving"), "{}", ended.stderr);
    }
}

/// Makes the kernel answer `io_uring_setup` with an error, as a container's seccomp filter does.
fn forbid_io_uring() -> std::io::Result<()> {
    const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const IO_URING_SETUP: u32 = 425; // the same on every architecture
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        // The first word of what the filter sees is the number of the system call.
        step(LOAD_WORD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: `program` and what it points to are valid while the calls last; the kernel keeps copies.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn an_io_uring_that_is_forbidden_is_told_with_its_mends_before_anything_serves() {
    let config = one_router(SocketAddr::from(([127, 0, 0, 1], 1)), "");
    // SAFETY: the function allocates nothing and takes no lock.
    let ended = unsafe { Launch::config(&config).before_exec(forbid_io_uring) }.run();
    assert_eq!((ended.code(), ended.stdout.as_str()), (3, ""), "{}", ended.stderr);
    let told = ["seccomp profile", "kernel.io_uring_disabled"].iter().any(|part| ended.stderr.contains(part));
    assert!(ended.stderr.starts_with("error: io_uring is ") && told, "{}", ended.stderr);
    assert!(!ended.stderr.contains("serving") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn few_open_files_are_a_warning_and_no_obstacle() {
    let origin = Origin::answering(origin::OK);
    let proxy = Launch::config(&one_router(origin.address(), "")).limit(libc::RLIMIT_NOFILE, 256).start();
    assert!(proxy.stderr().starts_with("warning: at most 256 files may be open"), "{}", proxy.stderr());
    assert_eq!(raw::get(proxy.router(), "/").status(), 200);
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn a_core_that_is_not_there_is_refused() {
    let config =
        one_router(SocketAddr::from(([127, 0, 0, 1], 1)), "").replace("shards = 1", "shards = [1023]");
    let ended = Launch::config(&config).run();
    assert_eq!(ended.code(), 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("cores that this process may not use: [1023]"), "{}", ended.stderr);
}

#[test]
fn the_log_level_decides_what_is_said() {
    let refusing = Refusing::new();
    let ip = own_ip();
    let config = on_fixed_ports(ip, refusing.address);
    for (level, serving, received, debug) in [
        ("off", false, false, false),
        ("error", true, false, false),
        ("info", true, true, false),
        ("debug", true, true, true),
    ] {
        let proxy = Launch::new(&["--log-level", level, "-"]).stdin(&config).spawn();
        let router = SocketAddr::from((ip, 9000));
        eventually("it serves", || TcpStream::connect(router).ok());
        assert_eq!(raw::get(router, "/").status(), 502);
        let ended = proxy.stop();
        assert_eq!(ended.code(), 0, "{level}: {}", ended.stderr);
        for (words, expected) in
            [("serving router on ", serving), ("Received SIGTERM", received), ("DEBUG", debug)]
        {
            assert_eq!(ended.stderr.contains(words), expected, "{level}: {words:?} in {}", ended.stderr);
        }
        assert_eq!(ended.stderr.is_empty(), level == "off", "{}", ended.stderr);
    }
}
