//! The one table of the configuration's keys: where each may stand and, beside it, which parameter it sets. It
//! decides what an unknown key is and what was probably meant; tests hold the lowering and `config/reference.toml` to it.

/// The keys of one kind of table, in the order in which the reference lists them.
pub(super) type Section = &'static [&'static str];

/// The top level of a file.
pub(super) const FILE: Section = &[
    "admin",     // Config::admin
    "routers",   // Config::routers
    "telemetry", // Config::telemetry
    "collector", // Config::collector
    "runtime",   // Config::shards
];

/// The admin server.
pub(super) const ADMIN: Section = &[
    "ip",              // AdminParams::address
    "port",            // AdminParams::address
    "shutdownGraceMs", // AdminParams::shutdown_grace
];

/// A router.
pub(super) const ROUTER: Section = &[
    "protocol",         // RouterParams::label
    "label",            // RouterParams::label
    "dtab",             // RouterParams::dtab
    "dstPrefix",        // RouterParams::dst_prefix
    "servers",          // RouterParams::servers
    "bindingTimeoutMs", // RouterParams::binding_timeout
    "maxHeadersKB",     // Limits::headers
    "maxInitialLineKB", // Limits::initial_line
];

/// A listener of a router.
pub(super) const SERVER: Section = &[
    "port", // RouterParams::servers
    "ip",   // RouterParams::servers
];

/// A telemeter of kind `io.l5d.zipkin`.
pub(super) const L5D_ZIPKIN: Section = &[
    "kind",       // Config::telemetry
    "host",       // ZipkinParams::host
    "port",       // ZipkinParams::port
    "sampleRate", // ZipkinParams::sample_rate
    "transport",  // Config::telemetry
];

/// A telemeter of kind `io.zipkin.http`.
pub(super) const ZIPKIN_HTTP: Section = &[
    "kind",               // Config::telemetry
    "host",               // ZipkinParams::host, ZipkinParams::port
    "hostHeader",         // ZipkinParams::host_header
    "compressionEnabled", // ZipkinParams::compress
    "initialSampleRate",  // ZipkinParams::sample_rate
];

/// The embedded collector.
pub(super) const COLLECTOR: Section = &[
    "ip",       // CollectorParams::address
    "port",     // CollectorParams::address
    "maxSpans", // CollectorParams::max_spans
];

/// What runs the routers.
pub(super) const RUNTIME: Section = &[
    "shards", // Config::shards
];

/// Every section and where it stands, for the tests that hold other things to the table.
#[cfg(test)]
pub(super) const ALL: [(&str, Section); 8] = [
    ("", FILE),
    ("admin", ADMIN),
    ("routers[]", ROUTER),
    ("routers[].servers[]", SERVER),
    ("telemetry[] io.l5d.zipkin", L5D_ZIPKIN),
    ("telemetry[] io.zipkin.http", ZIPKIN_HTTP),
    ("collector", COLLECTOR),
    ("runtime", RUNTIME),
];

/// The kinds of telemeter.
pub(super) const TELEMETER_KINDS: Section = &["io.l5d.zipkin", "io.zipkin.http"];

/// The word in `known` that `written` is probably meant to be.
pub(super) fn meant(written: &str, known: &[&'static str]) -> Option<&'static str> {
    if written.chars().count() > MAX_MEANT_CHARS {
        return None;
    }
    let written = written.to_lowercase();
    let near = known.iter().map(|word| (distance(&written, &word.to_lowercase()), *word));
    let (distance, word) = near.min_by_key(|(distance, _)| *distance)?;
    // A third of the word may be wrong; in a short word one letter.
    (distance <= (word.len() / 3).max(1)).then_some(word)
}

/// The edits (insert, delete, replace, swap two neighbours) that make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.chars().collect::<Vec<_>>(), b.chars().collect::<Vec<_>>());
    let mut before_last = Vec::new();
    let mut last = (0..=b.len()).collect::<Vec<_>>();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

/// Longer words are not misspelled keys.
const MAX_MEANT_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_key_is_recognised_and_a_strange_one_is_not() {
        let cases = [
            (ADMIN, "prot", Some("port")),
            (ADMIN, "Ip", Some("ip")),
            (ADMIN, "shutdownGraceMS", Some("shutdownGraceMs")),
            (ADMIN, "shutdown_grace_ms", Some("shutdownGraceMs")),
            (ADMIN, "tls", None),
            (ROUTER, "dtabs", Some("dtab")),
            (ROUTER, "server", Some("servers")),
            (ROUTER, "maxHeaderKB", Some("maxHeadersKB")),
            (ROUTER, "identifier", None),
            (FILE, "telemetery", Some("telemetry")),
            (FILE, "namers", None),
            (L5D_ZIPKIN, "samplerate", Some("sampleRate")),
            (ZIPKIN_HTTP, "initialSamplRate", Some("initialSampleRate")),
        ];
        for (section, written, expected) in cases {
            assert_eq!(meant(written, section), expected, "{written}");
        }
        assert_eq!(meant("zipkin", TELEMETER_KINDS), None);
        assert_eq!(meant("io.l5d.zipkn", TELEMETER_KINDS), Some("io.l5d.zipkin"));
        assert_eq!(meant(&"port".repeat(100_000), ADMIN), None);
    }

    #[test]
    fn edits_are_counted() {
        let cases = [("", "", 0), ("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3), ("a", "b", 1)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
