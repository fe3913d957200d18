//! Three routers in a row in one process, and what the trace of a request through them must look like.

use super::collector::Span;
use std::net::{Ipv4Addr, SocketAddr};

/// The routers, in the order in which a request meets them.
pub(crate) const ROUTERS: [&str; 3] = ["router1", "router2", "router3"];

/// Their ports, on the test's own address.
pub(crate) const PORTS: [u16; 3] = [9000, 9001, 9002];

/// A configuration of three routers on `ip`, the last of which sends to `destination`.
pub(crate) fn config(ip: Ipv4Addr, destination: SocketAddr, shards: usize, more: &str) -> String {
    let next = [SocketAddr::from((ip, PORTS[1])), SocketAddr::from((ip, PORTS[2])), destination];
    let mut config = format!("[admin]\nport = 0\n[runtime]\nshards = {shards}\n");
    for ((label, port), next) in ROUTERS.iter().zip(PORTS).zip(next) {
        config.push_str(&format!(
            "[[routers]]\nprotocol = \"http\"\nlabel = \"{label}\"\ndtab = '/svc => {}'\n\
             servers = [{{ ip = \"{ip}\", port = {port} }}]\n",
            super::inet(next)
        ));
    }
    config + more
}

/// Checks that `spans` are one trace of one chain: a server span and a client span for each of `routers`, each
/// the parent of the next and around it in time. Answers them in that order.
#[track_caller]
pub(crate) fn checked<'a>(spans: &'a [Span], routers: &[&str]) -> Vec<&'a Span> {
    assert_eq!(spans.len(), 2 * routers.len(), "spans: {spans:#?}");
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_id.is_none()).collect();
    let [root] = roots[..] else { panic!("one root, not {roots:#?}") };
    let mut chain = vec![root];
    while let Some(child) = only_child(spans, chain[chain.len() - 1]) {
        chain.push(child);
        assert!(chain.len() <= spans.len(), "a circle: {spans:#?}");
    }
    assert_eq!(chain.len(), spans.len(), "some spans hang elsewhere: {spans:#?}");
    assert!(root.trace_id.ends_with(&root.id), "the root's id is the trace's: {root:#?}");
    for (place, span) in chain.iter().enumerate() {
        assert_eq!(span.trace_id, root.trace_id, "one trace: {spans:#?}");
        let kind = if place % 2 == 0 { "SERVER" } else { "CLIENT" };
        assert_eq!(span.kind.as_deref(), Some(kind), "span {place}: {span:#?}");
        assert_eq!(span.service(), routers[place / 2], "span {place}: {span:#?}");
        assert_eq!(span.shared, None, "span {place}: {span:#?}");
        assert!(span.timestamp > Some(0) && span.duration > Some(0), "span {place}: {span:#?}");
    }
    for pair in chain.windows(2) {
        let ((start, end), (child_start, child_end)) = (pair[0].interval(), pair[1].interval());
        assert!(start <= child_start && child_end <= end, "a child within its parent: {pair:#?}");
    }
    chain
}

#[track_caller]
fn only_child<'a>(spans: &'a [Span], parent: &Span) -> Option<&'a Span> {
    let mut children = spans.iter().filter(|span| span.parent_id.as_ref() == Some(&parent.id));
    let child = children.next();
    assert_eq!(children.next(), None, "two children of {parent:#?}");
    child
}

/// Sorts spans into traces, by their ids.
pub(crate) fn traces(spans: Vec<Span>) -> Vec<Vec<Span>> {
    let mut traces = std::collections::BTreeMap::<String, Vec<Span>>::new();
    for span in spans {
        traces.entry(span.trace_id.clone()).or_default().push(span);
    }
    traces.into_values().collect()
}
