//! The whole road from a file to parameters: the files of `config/`, the mistakes of `tests/data/bad/`, and the
//! promise that no bytes make it panic.

use super::*;
use crate::http1::Limits;
use crate::name::{Dtab, Path as Name};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a folder of the repository, sorted.
fn files(name: &str) -> Vec<PathBuf> {
    let mut files =
        fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    files
}

fn load_file(path: &str) -> Config {
    let loaded = load(&Source::File(folder(path)));
    loaded.unwrap_or_else(|error| panic!("{error}")).config
}

fn load_text(file: &str, text: &str) -> Result<Config, String> {
    load_bytes(file, text.as_bytes().to_vec()).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

#[test]
fn every_file_in_config_loads() {
    let files = files("config");
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let loaded = load(&Source::File(file.clone()));
        assert!(loaded.is_ok(), "{}: {}", file.display(), loaded.unwrap_err());
    }
}

#[test]
fn every_bad_file_gives_exactly_the_errors_beside_it() {
    let all = files("tests/data/bad");
    let bad = all.iter().filter(|file| file.extension().is_some_and(|extension| extension != "txt"));
    let mut checked = 0;
    for file in bad {
        let name = file.file_name().unwrap().to_str().unwrap();
        let expected = fs::read_to_string(file.with_file_name(format!("{name}.txt"))).unwrap_or_default();
        let found = load_bytes(name, fs::read(file).unwrap()).expect_err(name).to_string();
        assert_eq!(found.trim_end(), expected.trim_end(), "{name} gives:\n{found}\n");
        checked += 1;
    }
    assert_eq!(2 * checked, all.len(), "every bad file has a .txt and every .txt a bad file");
}

#[test]
fn ten_mistakes_in_one_file_are_ten_errors() {
    for file in ["ten-mistakes.toml", "ten-mistakes.yaml"] {
        let error = load(&Source::File(folder("tests/data/bad").join(file))).unwrap_err();
        let LoadError::Invalid(errors) = error else { panic!("{error}") };
        assert_eq!(errors.len(), 10, "{file}");
        assert!(errors.is_sorted_by_key(|error| (error.line, error.column)), "{file}");
    }
}

#[test]
fn the_tutorial_is_the_same_in_toml_and_in_linkerds_yaml() {
    let toml = load_file("config/tutorial.toml");
    assert_eq!(toml, load_file("config/tutorial.linkerd.yaml"));
    assert_eq!(toml.admin.address, "127.0.0.1:9990".parse().unwrap());
    let hops = [("router1", 9000, 9001), ("router2", 9001, 9002), ("router3", 9002, 9990)];
    assert_eq!(toml.routers.len(), hops.len());
    for (router, (label, port, next)) in toml.routers.iter().zip(hops) {
        assert_eq!(router.label, label);
        assert_eq!(router.servers, [format!("127.0.0.1:{port}").parse().unwrap()]);
        assert_eq!(router.dtab.to_string(), format!("/svc=>/$/inet/127.1/{next}"));
    }
    let [telemeter] = toml.telemetry.as_slice() else { panic!("{toml:?}") };
    assert_eq!((telemeter.host.as_str(), telemeter.port), ("localhost", 9411));
    assert!((telemeter.sample_rate - 1.0).abs() < f64::EPSILON);
    assert_eq!(toml.collector.unwrap().address, "127.0.0.1:9411".parse().unwrap());
}

#[test]
fn json_and_yaml_are_one_language() {
    let json = r#"{ "routers": [ { "protocol": "http", "label": "in", "dtab": "/svc => /$/inet/127.1/8080",
        "servers": [ { "port": 4140, "ip": "0.0.0.0" } ] } ], "runtime": { "shards": [ 0, 2 ] } }"#;
    let yaml = "routers:\n- protocol: http\n  label: in\n  dtab: /svc => /$/inet/127.1/8080\n  \
        servers: [{port: 4140, ip: 0.0.0.0}]\nruntime:\n  shards: [0, 2]\n";
    let config = load_text("a.json", json).unwrap();
    assert_eq!(load_text("a.yaml", yaml).unwrap(), config);
    assert_eq!(load_text("-", json).unwrap(), config);
    assert_eq!(load_text("-", yaml).unwrap(), config);
    assert_eq!(config.shards, ShardsParams::Cores(vec![0, 2]));
}

/// What a router is when it says no more than it must.
fn default_router() -> RouterParams {
    RouterParams {
        label: "http".to_owned(),
        dtab: Dtab::default(),
        dst_prefix: Name::parse("/svc").unwrap(),
        servers: vec!["127.0.0.1:4140".parse().unwrap()],
        binding_timeout: Duration::from_secs(10),
        limits: Limits::default(),
    }
}

#[test]
fn the_reference_lowers_to_the_defaults() {
    let bare = "[[routers]]\nprotocol = 'http'\nservers = [{}]\n[[telemetry]]\nkind = 'io.l5d.zipkin'\n\
        transport = 'http'\n[[telemetry]]\nkind = 'io.zipkin.http'\n[collector]\n";
    let reference = load_file("config/reference.toml");
    assert_eq!(reference, load_text("bare.toml", bare).unwrap());

    let zipkin = |port, host_header: Option<&str>, compress| ZipkinParams {
        host: "localhost".to_owned(),
        port,
        host_header: host_header.map(str::to_owned),
        compress,
        sample_rate: 0.001,
    };
    let expected = Config {
        admin: AdminParams::default(),
        routers: vec![default_router()],
        telemetry: vec![zipkin(9410, None, false), zipkin(9411, Some("zipkin"), true)],
        collector: Some(CollectorParams::default()),
        shards: ShardsParams::AllCores,
    };
    assert_eq!(reference, expected);
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let reference = fs::read_to_string(folder("config/reference.toml")).unwrap();
    // A key whose default cannot be written stands there as a comment.
    let lines = reference.lines().map(|line| line.trim_start_matches("# "));
    let mut named = lines
        .filter_map(|line| {
            let header = line.strip_prefix('[').map(|rest| rest.trim_start_matches('['));
            let header = header.and_then(|rest| rest.split_once(']')).map(|(table, _)| table);
            let name = header.or_else(|| line.split_once(" = ").map(|(key, _)| key))?;
            name.rsplit('.').next()
        })
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .collect::<Vec<_>>();
    // One table for each kind of telemeter.
    let twice = named.iter().position(|name| *name == "telemetry").unwrap();
    named.remove(twice);
    named.sort_unstable();
    let mut known = keys::ALL.iter().flat_map(|(_, keys)| keys.iter().copied()).collect::<Vec<_>>();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn every_key_has_an_effect() {
    let router = "[[routers]]\nprotocol = 'http'\nservers = [{}]\n";
    let l5d = "[collector]\n[[telemetry]]\nkind = 'io.l5d.zipkin'\nport = 1\n";
    let plugin = "[collector]\n[[telemetry]]\nkind = 'io.zipkin.http'\n";
    let changed = [
        ("", "admin", "[collector]\n", "[collector]\n[admin]\nport = 1\n"),
        ("", "routers", "[collector]\n", &format!("[collector]\n{router}")),
        ("", "telemetry", "[collector]\n", plugin),
        ("", "collector", router, &format!("{router}[collector]\n")),
        ("", "runtime", router, &format!("{router}[runtime]\nshards = 1\n")),
        ("admin", "ip", "[collector]\n", "[collector]\n[admin]\nip = '::1'\n"),
        ("admin", "port", "[collector]\n", "[collector]\n[admin]\nport = 1\n"),
        ("admin", "shutdownGraceMs", "[collector]\n", "[collector]\n[admin]\nshutdownGraceMs = 1000\n"),
        ("routers[]", "protocol", router, "[[routers]]\nservers = [{}]\n"),
        ("routers[]", "label", router, &format!("{router}label = 'a'\n")),
        ("routers[]", "dtab", router, &format!("{router}dtab = '/a => /b'\n")),
        ("routers[]", "dstPrefix", router, &format!("{router}dstPrefix = '/http/1.1'\n")),
        ("routers[]", "servers", router, "[[routers]]\nprotocol = 'http'\nservers = [{}, { port = 0 }]\n"),
        ("routers[]", "bindingTimeoutMs", router, &format!("{router}bindingTimeoutMs = 1\n")),
        ("routers[]", "maxHeadersKB", router, &format!("{router}maxHeadersKB = 1\n")),
        ("routers[]", "maxInitialLineKB", router, &format!("{router}maxInitialLineKB = 1\n")),
        ("routers[].servers[]", "port", router, &router.replace("{}", "{ port = 1 }")),
        ("routers[].servers[]", "ip", router, &router.replace("{}", "{ ip = '0.0.0.0' }")),
        ("telemetry[] io.l5d.zipkin", "kind", l5d, &l5d.replace("io.l5d.zipkin", "none")),
        ("telemetry[] io.l5d.zipkin", "host", l5d, &format!("{l5d}host = 'zipkin'\n")),
        ("telemetry[] io.l5d.zipkin", "port", l5d, &l5d.replace("port = 1", "port = 2")),
        ("telemetry[] io.l5d.zipkin", "sampleRate", l5d, &format!("{l5d}sampleRate = 1\n")),
        ("telemetry[] io.l5d.zipkin", "transport", l5d, &format!("{l5d}transport = 'scribe'\n")),
        ("telemetry[] io.zipkin.http", "kind", plugin, &plugin.replace("io.zipkin.http", "none")),
        ("telemetry[] io.zipkin.http", "host", plugin, &format!("{plugin}host = 'zipkin:80'\n")),
        ("telemetry[] io.zipkin.http", "hostHeader", plugin, &format!("{plugin}hostHeader = 'z'\n")),
        (
            "telemetry[] io.zipkin.http",
            "compressionEnabled",
            plugin,
            &format!("{plugin}compressionEnabled = false\n"),
        ),
        (
            "telemetry[] io.zipkin.http",
            "initialSampleRate",
            plugin,
            &format!("{plugin}initialSampleRate = 0.0\n"),
        ),
        ("collector", "ip", "[collector]\n", "[collector]\nip = '0.0.0.0'\n"),
        ("collector", "port", "[collector]\n", "[collector]\nport = 0\n"),
        ("collector", "maxSpans", "[collector]\n", "[collector]\nmaxSpans = 1\n"),
        ("runtime", "shards", "[collector]\n[runtime]\n", "[collector]\n[runtime]\nshards = [1, 0]\n"),
    ];
    let mut covered = BTreeSet::new();
    for (place, key, before, after) in changed {
        let before = load_text("a.toml", before).unwrap();
        assert_ne!(Ok(before), load_text("a.toml", after), "{place} {key}");
        covered.insert((place, key));
    }
    let known = keys::ALL.iter().flat_map(|(place, keys)| keys.iter().map(move |key| (*place, *key)));
    assert_eq!(covered, known.collect());
}

#[test]
fn a_transport_of_http_makes_the_scribe_port_an_http_port() {
    let text = "[collector]\n[[telemetry]]\nkind = 'io.l5d.zipkin'\nport = 9410\ntransport = 'http'\n";
    assert_eq!(load_text("a.toml", text).unwrap().telemetry[0].port, 9410);
    let text = text.replace("transport = 'http'\n", "");
    let refused = load_text("a.toml", &text).unwrap_err();
    assert!(refused.contains("port = 9411") && refused.contains("transport = \"http\""), "{refused}");
}

#[test]
fn a_shutdown_grace_under_a_second_is_raised_to_it() {
    for (written, seconds) in [(0, 1), (999, 1), (1_000, 1), (2_000, 2)] {
        let text = format!("[collector]\n[admin]\nshutdownGraceMs = {written}\n");
        assert_eq!(load_text("a.toml", &text).unwrap().admin.shutdown_grace, Duration::from_secs(seconds));
    }
}

#[test]
fn a_null_is_the_same_as_no_key() {
    let config =
        load_text("a.yaml", "admin:\nrouters: ~\ntelemetry: null\ncollector: {ip: }\nruntime:\n").unwrap();
    assert_eq!(config, load_text("a.toml", "[collector]\n").unwrap());
}

#[test]
fn hosts_are_names_or_addresses() {
    let cases = [
        ("localhost:9411", Some(("localhost", 9411))),
        ("10.0.0.1:80", Some(("10.0.0.1", 80))),
        ("[::1]:80", Some(("::1", 80))),
        ("::1:80", None),
        ("[10.0.0.1]:80", None),
        ("zipkin:0", None),
        ("zipkin:+80", None),
        ("zipkin:65536", None),
        (":80", None),
        ("a b:80", None),
    ];
    for (written, expected) in cases {
        let text = format!("[collector]\n[[telemetry]]\nkind = 'io.zipkin.http'\nhost = '{written}'\n");
        let found = load_text("a.toml", &text).ok().map(|config| {
            let telemeter = &config.telemetry[0];
            (telemeter.host.clone(), telemeter.port)
        });
        assert_eq!(found, expected.map(|(host, port)| (host.to_owned(), port)), "{written}");
    }
}

#[test]
fn the_json_has_the_keys_of_the_file_and_canonical_dtabs() {
    let yaml = "admin: {port: 9990, ip: }\nrouters:\n- protocol: http\n  label: in\n  \
        dtab: |\n    /svc => /$/inet/127.1/8080 ;\n  servers: [{port: 4140}]\n\
        telemetry: [{kind: io.zipkin.http, initialSampleRate: 0.5, compressionEnabled: false}]\n";
    let loaded = load_bytes("a.yaml", yaml.as_bytes().to_vec()).unwrap();
    let expected = serde_json::json!({
        "admin": { "port": 9990 },
        "routers": [{
            "protocol": "http",
            "label": "in",
            "dtab": "/svc=>/$/inet/127.1/8080",
            "servers": [{ "port": 4140 }],
        }],
        "telemetry": [{ "kind": "io.zipkin.http", "initialSampleRate": 0.5, "compressionEnabled": false }],
    });
    assert_eq!(loaded.json, expected);
    // What is printed can be read again, and means the same.
    let again = load_bytes("a.json", loaded.json.to_string().into_bytes()).unwrap();
    assert_eq!(again, loaded);
}

#[test]
fn more_errors_than_anyone_reads_are_not_reported() {
    let keys = (0..2 * MAX_FAULTS).map(|number| format!("a{number} = 1\n")).collect::<String>();
    let error = load_bytes("a.toml", keys.into_bytes()).unwrap_err();
    let LoadError::Invalid(errors) = error else { panic!("{error}") };
    assert_eq!(errors.len(), MAX_FAULTS);
}

/// Loads `bytes` in every format; what is wrong must have a place in the text and a first line of its own.
fn check_any(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    for file in ["a.toml", "a.yaml", "a.json", "-"] {
        let Err(error) = load_bytes(file, bytes.to_vec()) else { continue };
        let LoadError::Invalid(errors) = error else { panic!("{error}") };
        assert!(!errors.is_empty());
        for error in errors {
            let line = lines[usize::try_from(error.line).unwrap() - 1];
            assert!(usize::try_from(error.column).unwrap() <= line.len() + 1, "{file} {error}");
            let shown = error.to_string();
            assert_eq!(shown.lines().count(), if error.excerpt.is_some() { 3 } else { 1 }, "{shown}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_any(&bytes);
    }

    #[test]
    fn no_text_of_the_languages_own_characters_makes_it_panic(
        text in "([\\[\\]{}:,=\"'#&*!|>~ \n\t\r.0-9-]|admin|routers|dtab|port|/svc|é){0,60}"
    ) {
        check_any(text.as_bytes());
    }

    #[test]
    fn no_damage_to_a_good_file_makes_it_panic(
        file in 0..4_usize,
        from in any::<proptest::sample::Index>(),
        length in 0..40_usize,
        instead in "[\\[\\]{}:,=\"'#&*!|>~ \n/.0-9a-z-]{0,6}",
    ) {
        let mut bytes = fs::read(&files("config")[file]).unwrap();
        let from = from.index(bytes.len());
        let to = bytes.len().min(from + length);
        bytes.splice(from..to, instead.bytes());
        check_any(&bytes);
    }
}
