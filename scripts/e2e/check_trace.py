"""Checks that a Zipkin query API holds the tutorial's trace: six spans in one chain, kinds alternating.

usage: check_trace.py COLLECTOR_URL TRACES SECONDS

Waits up to SECONDS until COLLECTOR_URL/api/v2/traces holds TRACES traces of six spans each, then checks every
one of them. Prints what was checked; exit status 1 and the reasons when something is wrong.
"""

import json
import sys
import time
import urllib.request

SPANS_PER_TRACE = 6
POLL_SECONDS = 0.05
# From the outside in: kind, local service, and what follows on the same span.
CHAIN = [
    ("SERVER", "router1"),
    ("CLIENT", "router1"),
    ("SERVER", "router2"),
    ("CLIENT", "router2"),
    ("SERVER", "router3"),
    ("CLIENT", "router3"),
]
NEXT_PORT = {"router1": 9001, "router2": 9002, "router3": 9990}


def fetch_traces(url):
    # The environment may name a proxy; loopback is not its business.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url + "/api/v2/traces", timeout=5) as response:
        return json.load(response)


def wait_for_traces(url, wanted, seconds):
    deadline = time.monotonic() + seconds
    while True:
        traces = fetch_traces(url)
        if len(traces) >= wanted and all(len(trace) >= SPANS_PER_TRACE for trace in traces):
            return traces
        if time.monotonic() > deadline:
            return traces
        time.sleep(POLL_SECONDS)


def tag(span, key):
    return span.get("tags", {}).get(key)


def problems_of_span(position, span, parent):
    """What is wrong with the span at this depth of the chain."""
    kind, service = CHAIN[position]
    where = f"span {position + 1} ({kind} {service})"
    if span.get("kind") != kind:
        yield f"{where}: kind is {span.get('kind')}"
    if span.get("localEndpoint", {}).get("serviceName") != service:
        yield f"{where}: local service is {span.get('localEndpoint')}"
    if span.get("shared"):
        yield f"{where}: is shared"
    if not span.get("timestamp") or not span.get("duration", 0) > 0:
        yield f"{where}: timestamp {span.get('timestamp')}, duration {span.get('duration')}"
        return
    if parent is not None:
        if span["timestamp"] < parent["timestamp"]:
            yield f"{where}: starts before its parent"
        if span["timestamp"] + span["duration"] > parent["timestamp"] + parent["duration"]:
            yield f"{where}: ends after its parent"
    if kind == "CLIENT":
        if tag(span, "http.rsp.status") != "200":
            yield f"{where}: status is {tag(span, 'http.rsp.status')}"
        if tag(span, "http.rsp.content-length") != "4":
            yield f"{where}: content length is {tag(span, 'http.rsp.content-length')}"
        if span.get("name") != "get /admin/ping":
            yield f"{where}: name is {span.get('name')}"
        notes = [note["value"] for note in span.get("annotations", [])]
        if [note for note in notes if note in ("ws", "wr")] != ["ws", "wr"]:
            yield f"{where}: annotations are {notes}"
    else:
        if span.get("name") != f"{service} /svc/localhost:9000":
            yield f"{where}: name is {span.get('name')}"
        client = f"/$/inet/127.1/{NEXT_PORT[service]}"
        if tag(span, "client") != client:
            yield f"{where}: client is {tag(span, 'client')}, not {client}"


def problems_of_trace(trace):
    if len(trace) != SPANS_PER_TRACE:
        yield f"{len(trace)} spans instead of {SPANS_PER_TRACE}"
        return
    by_id = {span["id"]: span for span in trace}
    if len(by_id) != SPANS_PER_TRACE:
        yield "two spans share an id"
        return
    if len({span["traceId"] for span in trace}) != 1:
        yield "more than one trace id"
    roots = [span for span in trace if "parentId" not in span]
    if len(roots) != 1:
        yield f"{len(roots)} spans without a parent"
        return
    root = roots[0]
    if root["id"] != root["traceId"][-16:]:
        yield "the root's id is not the trace id"
    for span in trace:
        if span is not root and span["parentId"] not in by_id:
            yield f"the parent of {span['id']} is not in the trace"
    children = {}
    for span in trace:
        children.setdefault(span.get("parentId"), []).append(span)
    if any(len(siblings) > 1 for siblings in children.values()):
        yield "not a chain: a span has two children"
        return
    parent, span = None, root
    for position in range(SPANS_PER_TRACE):
        yield from problems_of_span(position, span, parent)
        below = children.get(span["id"])
        if not below:
            if position + 1 < SPANS_PER_TRACE:
                yield f"the chain ends at depth {position + 1}"
            return
        parent, span = span, below[0]
    yield "the chain is a circle"


def main():
    url, wanted, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    start = time.monotonic()
    traces = wait_for_traces(url, wanted, seconds)
    waited = time.monotonic() - start
    problems = [problem for trace in traces for problem in problems_of_trace(trace)]
    if len(traces) != wanted:
        problems.append(f"{len(traces)} traces instead of {wanted} after {waited:.1f} s")
    for problem in problems:
        print(f"     {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
