//! The command line: arguments, exit codes, what is printed where.

use crate::support::origin::{self, Refusing};
use crate::support::{Launch, Origin, Proxy, one_router, raw};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A file in a folder of its own, which goes with it.
struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// A configuration that starts nothing in these tests.
fn sound() -> String {
    one_router(Refusing::new().address, "")
}

/// Four mistakes, each of another kind.
const BROKEN: &str = r#"[admin]
prot = 0

[[routers]]
protocol = "http"
label = "web"
dtab = '/svc => /$/inet/127.1/8080 ; /svc/a => '
servers = [{ port = "eighty" }]

[[routers]]
protocol = "http"
label = "web"
servers = [{ port = 0 }]
"#;

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [["--help"], ["-h"]] {
        let ended = Launch::new(&arguments).run();
        assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""), "{arguments:?}");
        for part in ["Usage: ringspan", "CONFIG", "--log-level", "check"] {
            assert!(ended.stdout.contains(part), "{arguments:?}: {part:?} is not in {}", ended.stdout);
        }
    }
    let help = Launch::new(&["--help"]).run().stdout;
    for code in [
        "  2  mistakes in the configuration",
        "  3  the machine",
        "  4  an address",
        " 64  mistakes on the command",
    ] {
        assert!(help.contains(code), "{code:?} is not in {help}");
    }
    let version = Launch::new(&["--version"]).run();
    assert_eq!((version.code(), version.stderr.as_str()), (0, ""));
    assert_eq!(version.stdout, concat!("ringspan ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn mistakes_on_the_command_line_have_a_code_of_their_own() {
    for arguments in [
        &[][..],
        &["check"],
        &["a.toml", "b.toml"],
        &["--port", "80", "a.toml"],
        &["--log-level", "loud", "-"],
    ] {
        let ended = Launch::new(arguments).run();
        assert_eq!((ended.code(), ended.stdout.as_str()), (64, ""), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("Usage:") || ended.stderr.contains("possible values"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_sound_configuration_is_ok_by_every_way_in() {
    let yaml = "routers:\n- protocol: http\n  dtab: /svc => /$/inet/127.1/8080\n  servers:\n  - port: 0\n";
    let json =
        r#"{"routers":[{"protocol":"http","dtab":"/svc => /$/inet/127.1/8080","servers":[{"port":0}]}]}"#;
    for (name, text) in [
        ("a.toml", sound()),
        ("a.yaml", yaml.to_owned()),
        ("a.yml", yaml.to_owned()),
        ("a.json", json.to_owned()),
        ("without-extension", yaml.to_owned()),
    ] {
        let file = File::new(name, &text);
        let ended = Launch::new(&["check", file.path()]).run();
        assert_eq!((ended.code(), ended.stdout.as_str()), (0, "ok\n"), "{name}: {}", ended.stderr);
    }
    for text in [sound().as_str(), yaml, json] {
        let ended = Launch::new(&["check", "-"]).stdin(text).run();
        assert_eq!((ended.code(), ended.stdout.as_str()), (0, "ok\n"), "{text}: {}", ended.stderr);
    }
}

#[test]
fn every_configuration_that_ships_is_ok() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ended = Launch::new(&["check", path.to_str().unwrap()]).run();
        assert_eq!(
            (ended.code(), ended.stdout.as_str()),
            (0, "ok\n"),
            "{}: {}",
            path.display(),
            ended.stderr
        );
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} files in {folder}");
}

#[test]
fn checking_binds_nothing_so_that_it_can_be_done_beside_a_running_proxy() {
    let origin = Origin::answering(origin::OK);
    let proxy = Proxy::start(&one_router(origin.address(), ""));
    let same = one_router(origin.address(), "")
        .replace("[admin]\nport = 0", &format!("[admin]\nport = {}", proxy.admin().port()))
        .replace("{ port = 0 }", &format!("{{ port = {} }}", proxy.router().port()));
    let ended = Launch::new(&["check", "-"]).stdin(&same).run();
    assert_eq!((ended.code(), ended.stdout.as_str()), (0, "ok\n"), "{}", ended.stderr);
    assert_eq!(raw::get(proxy.router(), "/").status(), 200);
}

#[test]
fn every_mistake_of_a_file_is_listed_with_its_place_and_nothing_starts() {
    let file = File::new("broken.toml", BROKEN);
    for arguments in [&[file.path()][..], &["check", file.path()]] {
        let ended = Launch::new(arguments).run();
        assert_eq!((ended.code(), ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        for (line, key, words) in [
            (2, "admin.prot", "port"),
            (7, "routers[0].dtab", "^"),
            (8, "routers[0].servers[0].port", "expected a port"),
            (12, "routers[1].label", "web"),
        ] {
            let place = format!("{}:{line}:", file.path());
            let found = ended.stderr.split(file.path()).any(|text| {
                text.starts_with(&format!(":{line}:")) && text.contains(key) && text.contains(words)
            });
            assert!(found, "{place} {key} {words:?} is not in {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("serving"), "{}", ended.stderr);
    }
    let ended = Launch::new(&["-"]).stdin(BROKEN).run();
    assert_eq!(ended.code(), 2);
    assert!(ended.stderr.contains("<stdin>:2:1: admin.prot"), "{}", ended.stderr);
}

#[test]
fn a_mistake_is_found_before_a_port_in_use() {
    let proxy = Proxy::start(&sound());
    let clash = format!("[admin]\nport = {}\n{}", proxy.admin().port(), BROKEN.replace("[admin]\n", ""));
    let ended = Launch::config(&clash).run();
    assert_eq!(ended.code(), 2, "{}", ended.stderr);
    assert!(!ended.stderr.contains("in use"), "{}", ended.stderr);
}

#[test]
fn a_file_without_routers_is_refused_in_linkerds_words() {
    for text in ["", "[admin]\nport = 0\n", "admin:\n  port: 0\n", "routers: []\n", "{\"routers\": []}"] {
        let ended = Launch::config(text).run();
        assert_eq!(ended.code(), 2, "{text:?}: {}", ended.stderr);
        let words = "At least one router must be specified in the configuration.";
        assert!(ended.stderr.contains(words), "{text:?}: {}", ended.stderr);
    }
}

#[test]
fn a_telemeter_that_would_mean_scribe_is_refused_with_its_mend() {
    for telemeter in
        ["kind = \"io.l5d.zipkin\"", "kind = \"io.l5d.zipkin\"\nport = 9411\ntransport = \"scribe\""]
    {
        let ended = Launch::config(&format!("{}[[telemetry]]\n{telemeter}\n", sound())).run();
        assert_eq!(ended.code(), 2, "{telemeter}: {}", ended.stderr);
        let mend = ended.stderr.contains("9411") || ended.stderr.contains("transport = \"http\"");
        assert!(mend && ended.stderr.contains("cribe"), "{telemeter}: {}", ended.stderr);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let text = File::new("latin1.toml", "");
    fs::write(&text.path, b"label = \"\xe9\"\n").unwrap();
    for path in [missing.to_str().unwrap(), folder.path().to_str().unwrap(), text.path()] {
        for arguments in [&[path][..], &["check", path]] {
            let ended = Launch::new(arguments).run();
            assert_eq!((ended.code(), ended.stdout.as_str()), (2, ""), "{path}: {}", ended.stderr);
            assert!(ended.stderr.contains(path), "{path}: {}", ended.stderr);
            assert!(!ended.stderr.contains("panicked"), "{path}: {}", ended.stderr);
        }
    }
}

#[test]
fn an_output_that_nobody_reads_is_no_reason_to_fail() {
    for (arguments, code) in [(&["--help"][..], 0), (&["check", "-"], 2)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringspan"));
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        command.args(arguments).stdin(std::process::Stdio::null()).stdout(full()).stderr(full());
        assert_eq!(command.status().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_file_called_like_a_command_is_given_with_a_path() {
    let file = File::new("check", &sound());
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringspan"));
    let output =
        command.args(["check", "./check"]).current_dir(file.path.parent().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"ok\n");
}
