# shellcheck shell=bash
# The rows of the comparison; report.py knows the bars. Sourced by bench-peers.sh.
# shellcheck disable=SC2034,SC2154 # arrays that the other parts share

readonly MANY=64
readonly LOW_RATE=0.001

# The proxy at its ordinary work, tracing at a very low rate.
row_keepalive() {
    run_row keepalive "$RUNS" "$DURATION" "$MANY" no \
        "nginx=nginx_proxy 1" \
        "haproxy=haproxy_proxy" \
        "envoy-0.1%=envoy_proxy 0.1" \
        "ringspan=ringspan_proxy 1 $LOW_RATE $SINK_PORT"
}

# Every request recorded and posted; what leaves after the load is paid for too.
row_sampled() {
    run_row sampled "$RUNS" "$DURATION" "$MANY" yes \
        "envoy-100%=envoy_proxy 100" \
        "ringspan-rate0=ringspan_proxy 1 0.0 $SINK_PORT" \
        "ringspan-rate1=ringspan_proxy 1 1.0 $SINK_PORT"
}

# A difference this small needs many short runs, side by side.
row_unsampled() {
    run_row unsampled "$UNSAMPLED_RUNS" "$UNSAMPLED_DURATION" "$MANY" no \
        "ringspan-none=ringspan_proxy 1" \
        "ringspan-rate0=ringspan_proxy 1 0.0 $SINK_PORT"
}

# Three hops in one process.
row_chain() {
    run_row chain "$RUNS" "$DURATION" "$MANY" no \
        "nginx-1=nginx_proxy 1" \
        "nginx-3=nginx_proxy 3" \
        "ringspan-1=ringspan_proxy 1 $LOW_RATE $SINK_PORT" \
        "ringspan-3=ringspan_proxy 3 $LOW_RATE $SINK_PORT"
}

row_one-connection() {
    run_row one-connection "$RUNS" "$DURATION" 1 no \
        "nginx=nginx_proxy 1" \
        "ringspan=ringspan_proxy 1 $LOW_RATE $SINK_PORT"
}

# A caller's connection per request; connections to the origin are kept.
row_new-connection() {
    local -a WRK_EXTRA=(-H "Connection: close")
    run_row new-connection "$RUNS" "$DURATION" "$MANY" no \
        "nginx=nginx_proxy 1" \
        "ringspan=ringspan_proxy 1 $LOW_RATE $SINK_PORT"
}

# Nobody listens on DEAD_PORT.
row_dead-collector() {
    run_row dead-collector "$RUNS" "$DURATION" "$MANY" no \
        "ringspan-live=ringspan_proxy 1 1.0 $SINK_PORT" \
        "ringspan-dead=ringspan_proxy 1 1.0 $DEAD_PORT"
}

# Start and idleness with two shards: one router, and the tutorial's set (three routers, telemeter, collector).
row_startup() {
    local shards=2 kind run ms
    [[ -v MISSING[ringspan] ]] && return 0
    echo "== startup: $RUNS starts each, then ${IDLE_SECONDS} s idle" >&2
    (($(nproc) >= 2)) || shards=1
    startup_config 1 "$shards" "$WORK/startup-one.toml"
    startup_config 3 "$shards" "$WORK/startup-tutorial.toml"
    for ((run = 1; run <= RUNS; run++)); do
        for kind in one tutorial; do
            ms=$(time_to_first_response "$kind") || { MISSING[ringspan]="row startup: did not serve"; return; }
            printf 'first_response_ms\t%s\t%s\n' "$kind" "$ms" >>"$WORK/startup.tsv"
        done
    done
    for kind in one tutorial; do
        idle "$kind" "$shards" || { MISSING[ringspan]="row startup: did not stay idle"; return; }
    done
}

startup_config() { # HOPS SHARDS FILE
    ringspan_config "$1" "$2" "$LOW_RATE" "$COLLECTOR_PORT" >"$3"
    if (($1 > 1)); then
        printf '\n[collector]\nport = %d\n' "$COLLECTOR_PORT" >>"$3"
    fi
}

# Milliseconds from exec to the first response through the proxy; the process is stopped again.
time_to_first_response() { # KIND
    timeout 30 python3 "$BENCH_DIR/startup.py" "127.0.0.1:${HOP_PORTS[0]}" \
        "$RINGSPAN_BIN" "$WORK/startup-$1.toml" 2>"$WORK/ringspan.log"
}

# One request, then nothing for IDLE_SECONDS: resident memory, and CPU in percent of a core per shard.
idle() { # KIND SHARDS
    local before after
    start_pinned "$PROXY_CORE,$LOAD_CORE" "$WORK/ringspan.log" "$RINGSPAN_BIN" "$WORK/startup-$1.toml"
    serving || return 1
    sleep 1
    before=$(cpu_us "$SUBJECT_PID")
    sleep "$IDLE_SECONDS"
    after=$(cpu_us "$SUBJECT_PID")
    is_running "$SUBJECT_PID" || return 1
    printf 'idle_rss_mb\t%s\t%s\n' "$1" \
        "$(awk -v kb="$(rss_kb "$SUBJECT_PID")" 'BEGIN { printf "%.1f", kb * 1024 / 1000000 }')" >>"$WORK/startup.tsv"
    awk -v used=$((after - before)) -v seconds="$IDLE_SECONDS" -v shards="$2" -v kind="$1" \
        'BEGIN { printf "idle_cpu_percent\t%s\t%.3f\n", kind, used / seconds / shards / 10000 }' >>"$WORK/startup.tsv"
    stop "$SUBJECT_PID"
}
