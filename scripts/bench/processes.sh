# shellcheck shell=bash
# Starting, watching and stopping processes. Sourced by bench-peers.sh.
# Only processes started here are ever signalled, each by its own id.

STARTED_PIDS=()
# What `start_pinned` started last.
STARTED=0
CLOCK_TICKS=$(getconf CLK_TCK)
readonly CLOCK_TICKS

# start_pinned CORES LOG COMMAND...: starts COMMAND on CORES in the background. taskset becomes the command,
# so the process id is the command's own.
start_pinned() {
    local cores=$1 log=$2
    shift 2
    taskset -c "$cores" "$@" >"$log" 2>&1 </dev/null &
    STARTED=$!
    STARTED_PIDS+=("$STARTED")
}

# The process and everything below it (nginx's workers), one id a line.
process_tree() {
    local pid=$1 child
    echo "$pid"
    # shellcheck disable=SC2013 # the ids stand on one line
    for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do
        process_tree "$child"
    done
}

# CPU time of the tree in microseconds: user and system time of all its threads.
cpu_us() {
    local pid
    for pid in $(process_tree "$1"); do
        # The command's name in parentheses may hold blanks; what follows is utime (12th) and stime (13th).
        sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null || true
    done | awk -v ticks="$CLOCK_TICKS" '{ sum += $12 + $13 } END { printf "%d\n", sum * 1000000 / ticks }'
}

# Resident memory of the tree in KiB: all of the process itself, and of its children what they do not share.
rss_kb() {
    local pid
    for pid in $(process_tree "$1"); do
        sed "s/^/$pid /" "/proc/$pid/smaps_rollup" 2>/dev/null || true
    done | awk -v first="$1" '
        $1 == first && $2 == "Rss:" { sum += $3 }
        $1 != first && ($2 == "Private_Clean:" || $2 == "Private_Dirty:") { sum += $3 }
        END { printf "%d\n", sum }'
}

is_running() {
    kill -0 "$1" 2>/dev/null
}

# stop PID: asks, waits up to 15 s, then insists. Children go with their master.
stop() {
    local pid=$1 tree turn
    is_running "$pid" || { wait "$pid" 2>/dev/null || true; return 0; }
    tree=$(process_tree "$pid")
    kill -TERM "$pid" 2>/dev/null || true
    for ((turn = 0; turn < 300; turn++)); do
        is_running "$pid" || break
        sleep 0.05
    done
    if is_running "$pid"; then
        # shellcheck disable=SC2086 # one word per process id
        kill -KILL $tree 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}

stop_all() {
    local pid
    for pid in "${STARTED_PIDS[@]}"; do
        stop "$pid"
    done
    STARTED_PIDS=()
}

fetch() {
    curl -sS --fail --max-time 5 --noproxy '*' "$@"
}

# wait_http PID URL: until URL answers 2xx; fails after 10 s or when the process is gone.
wait_http() {
    local pid=$1 url=$2 turn
    for ((turn = 0; turn < 200; turn++)); do
        if fetch -o /dev/null "$url" 2>/dev/null; then
            return 0
        fi
        is_running "$pid" || return 1
        sleep 0.05
    done
    return 1
}

# free_ports COUNT: that many free loopback ports, below the range outgoing connections take theirs from.
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys

wanted, found = int(sys.argv[1]), []
for port in random.sample(range(18000, 32000), 2000):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    found.append(port)
    if len(found) == wanted:
        break
else:
    sys.exit("no free ports between 18000 and 32000")
print(*found)
PYTHON
}
