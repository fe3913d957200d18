#!/usr/bin/env bash
# The tutorial from end to end, as a reader meets it: the shipped files, the shipped ports, curl.
#
#   scripts/e2e.sh
#
# Runs config/tutorial.toml and config/tutorial.linkerd.yaml untouched, so ports 9000 to 9002, 9411 and 9990
# must be free. Environment: RINGSPAN_BIN (default: builds and uses target/release/ringspan).
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly PORTS=(9000 9001 9002 9411 9990)
# How long the spans of an answered request may take to show in the collector.
readonly SPANS_WITHIN_SECONDS=2
# How long starting and stopping may take on a busy machine.
readonly PATIENCE_SECONDS=15

# shellcheck source=scripts/lib/apt.sh
source "$ROOT/scripts/lib/apt.sh"
ensure_command curl curl
ensure_command python3 python3

WORK=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-e2e.XXXXXX")
PROXY=
PASSED=0
FAILED=0

# A proxy that would not stop must not spoil what follows.
kill_proxy() {
    if [[ -n $PROXY ]]; then
        kill -KILL "$PROXY" 2>/dev/null || true
        wait "$PROXY" 2>/dev/null || true
        PROXY=
    fi
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
    kill_proxy
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# check TITLE COMMAND...: runs it, says how it went, goes on either way.
check() {
    local title=$1
    shift
    if "$@" >"$WORK/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "ok   $title"
    else
        FAILED=$((FAILED + 1))
        echo "FAIL $title"
        sed 's/^/     /' "$WORK/check.out"
    fi
}

http() {
    curl -sS --fail --max-time 5 --noproxy '*' "$@"
}

answers_pong() { # CURL_ARGUMENTS...
    local body
    body=$(http "$@" http://localhost:9000/admin/ping) || return 1
    [[ $body == pong ]] || { echo "the body is '$body'"; return 1; }
}

has_traces() { # COUNT
    python3 "$ROOT/scripts/e2e/check_trace.py" http://localhost:9411 "$1" "$SPANS_WITHIN_SECONDS"
}

# metric NAME VALUE: the admin server shows it so.
metric() {
    local name=$1 wanted=$2 value
    value=$(http http://localhost:9990/admin/metrics.json |
        python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$name") || return 1
    [[ $value == "$wanted" ]] || { echo "$name is $value, not $wanted"; return 1; }
}

shows_viewer() {
    http -L http://localhost:9411/ | grep -qi '<html'
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

require_free_ports() {
    local port
    for port in "${PORTS[@]}"; do
        port_is_free "$port" || { echo "port $port is in use; the tutorial needs ${PORTS[*]}" >&2; exit 1; }
    done
}

# Until the admin server and the first router answer; fails when the process ends or patience does.
serves() {
    local deadline=$((SECONDS + PATIENCE_SECONDS))
    while ((SECONDS < deadline)); do
        kill -0 "$PROXY" 2>/dev/null || { echo "ringspan ended:"; cat "$WORK/ringspan.log"; return 1; }
        if ! port_is_free 9990 && ! port_is_free 9002 && ! port_is_free 9001 && ! port_is_free 9000; then
            return 0
        fi
        sleep 0.02
    done
    echo "not serving after $PATIENCE_SECONDS s:"
    cat "$WORK/ringspan.log"
    return 1
}

# SIGTERM, then exit status 0.
stops_cleanly() {
    local deadline=$((SECONDS + PATIENCE_SECONDS)) status=0
    kill -TERM "$PROXY"
    while kill -0 "$PROXY" 2>/dev/null; do
        ((SECONDS < deadline)) || { echo "still running after $PATIENCE_SECONDS s"; return 1; }
        sleep 0.02
    done
    wait "$PROXY" || status=$?
    PROXY=
    ((status == 0)) || { echo "exit status $status"; cat "$WORK/ringspan.log"; return 1; }
}

tutorial() { # CONFIG
    local failed_before=$FAILED
    echo "== $1"
    require_free_ports
    "$RINGSPAN_BIN" "$1" >"$WORK/ringspan.log" 2>&1 </dev/null &
    PROXY=$!
    check "it starts and serves" serves
    # Without that, nothing below can be said.
    ((FAILED == failed_before)) || { kill_proxy; return 0; }
    check "curl localhost:9000/admin/ping answers pong through three routers" answers_pong
    check "within $SPANS_WITHIN_SECONDS s the collector holds one trace of six spans" has_traces 1
    check "with l5d-sample: 0.0 it still answers" answers_pong -H 'l5d-sample: 0.0'
    # What the request between left behind would be there by the time the third one's trace is.
    check "a third request answers" answers_pong
    check "only the two sampled requests left traces" has_traces 2
    check "twelve spans were recorded" metric telemetry/zipkin/spans_recorded 12
    check "none was dropped" metric telemetry/zipkin/spans_dropped 0
    check "the viewer's page is there" shows_viewer
    check "SIGTERM ends it with exit status 0" stops_cleanly
    kill_proxy
}

# A file full of mistakes: exit status 2, the place in the message.
refuses_bad_config() {
    local status=0
    printf '[[routers]]\nprotocol = "http"\ndtabb = "/svc => /a;"\n\n[[routers.servers]]\nport = 9000\n' >"$WORK/bad.toml"
    "$RINGSPAN_BIN" check "$WORK/bad.toml" >"$WORK/bad.out" 2>&1 </dev/null || status=$?
    if ((status != 2)) || ! grep -q 'bad.toml:3:1: .*dtab' "$WORK/bad.out"; then
        echo "exit status $status:"
        cat "$WORK/bad.out"
        return 1
    fi
}

if [[ -z ${RINGSPAN_BIN:-} ]]; then
    (cd "$ROOT" && cargo build --release --locked)
    RINGSPAN_BIN=${CARGO_TARGET_DIR:-$ROOT/target}/release/ringspan
fi
cd "$ROOT"
echo "== configuration files"
for config in config/*; do
    check "ringspan check $config" "$RINGSPAN_BIN" check "$config"
done
check "a mistake is refused with its place and exit status 2" refuses_bad_config
tutorial config/tutorial.toml
tutorial config/tutorial.linkerd.yaml
echo "end to end: $PASSED passed, $FAILED failed"
((FAILED == 0))
