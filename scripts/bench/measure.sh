# shellcheck shell=bash
# One measured sample, and a row of them. Sourced by bench-peers.sh.
#
# A sample: start the subject, warm it up, read its CPU time, load it, read its CPU time again, stop it. Every
# sample has a fresh process, so that no subject keeps the luck of one memory layout through a whole row.

# Seconds between the load and the second reading of CPU time, where spans are still on their way.
readonly SETTLE_SECONDS=1.2

# More arguments for wrk; a row may set its own.
WRK_EXTRA=()

# run_row ROW RUNS SECONDS CONNECTIONS SETTLE(yes|no) SUBJECT=COMMAND...
#
# Runs are interleaved: each run measures every subject once, starting with another one each time. A subject's
# name up to the first dash is the program; one that is missing is left out.
run_row() {
    local row=$1 runs=$2 seconds=$3 connections=$4 settle=$5 run turn subject command
    shift 5
    local -a subjects=("$@")
    echo "== $row: $runs x $seconds s each: ${subjects[*]%%=*}" >&2
    for ((run = 1; run <= runs; run++)); do
        for ((turn = 0; turn < ${#subjects[@]}; turn++)); do
            IFS='=' read -r subject command <<<"${subjects[(run + turn) % ${#subjects[@]}]}"
            [[ -v MISSING[${subject%%-*}] ]] && continue
            if ! sample "$row" "$subject" "$run" "$seconds" "$connections" "$settle" "$command"; then
                give_up_on "$subject" "$row"
            fi
            stop "$SUBJECT_PID"
        done
    done
}

# A subject that cannot be measured is reported, once, and not tried again.
give_up_on() { # SUBJECT ROW
    local program=${1%%-*} log=$WORK/${1%%-*}.log
    # shellcheck disable=SC2004 # an associative array: the index is text
    MISSING[$program]="row $2: ${FAILURE:-did not start}: $(tail -n 1 "$log" 2>/dev/null)"
    echo "   $program: ${MISSING[$program]}" >&2
}

# sample ROW SUBJECT RUN SECONDS CONNECTIONS SETTLE COMMAND: appends one line to samples.tsv.
sample() {
    local row=$1 subject=$2 run=$3 seconds=$4 connections=$5 settle=$6 command=$7 before after bytes
    FAILURE=
    SUBJECT_ADMIN=
    # shellcheck disable=SC2086 # a command and its arguments
    $command || { FAILURE="did not serve"; return 1; }
    load "$WARMUP" "$connections" || { FAILURE="failed under load"; return 1; }
    bytes=$(sink_bytes)
    before=$(cpu_us "$SUBJECT_PID")
    load "$seconds" "$connections" || { FAILURE="failed under load"; return 1; }
    [[ $settle == yes ]] && sleep "$SETTLE_SECONDS"
    after=$(cpu_us "$SUBJECT_PID")
    is_running "$SUBJECT_PID" || { FAILURE="ended under load"; return 1; }
    printf '%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\n' "$row" "$subject" "$run" "$WRK_FIGURES" "$((after - before))" \
        "$(rss_kb "$SUBJECT_PID")" "$(($(sink_bytes) - bytes))" "$(span_figures "$settle")" >>"$WORK/samples.tsv"
}

# load SECONDS CONNECTIONS: sets WRK_FIGURES to requests, seconds, p50 and p99 in us, failed requests.
load() {
    local seconds=$1 connections=$2 out=$WORK/wrk.out
    timeout "$((seconds + 20))" taskset -c "$LOAD_CORE" \
        wrk -t1 -c"$connections" -d"${seconds}s" --latency --timeout 5s "${WRK_EXTRA[@]}" \
        "$SUBJECT_URL" >"$out" 2>&1 </dev/null || return 1
    WRK_FIGURES=$(awk '
        function us(text) {
            if (text ~ /us$/) return text + 0
            if (text ~ /ms$/) return text * 1000
            if (text ~ /m$/) return text * 60000000
            return text * 1000000
        }
        $1 == "50%" { p50 = us($2) }
        $1 == "99%" { p99 = us($2) }
        / requests in / { requests = $1; seconds = us($4) / 1000000; sub(/,$/, "", seconds) }
        /Socket errors:/ { gsub(/,/, ""); failed += $4 + $6 + $8 + $10 }
        /Non-2xx or 3xx responses:/ { failed += $NF }
        END { if (requests) printf "%d\t%f\t%d\t%d\t%d", requests, seconds, p50, p99, failed }
    ' "$out")
    [[ -n $WRK_FIGURES ]]
}

# Spans recorded, sent, dropped, queued since the subject started, as its admin server tells them; dashes when
# it has none. With settle = yes, what is still queued gets five seconds to leave.
span_figures() {
    local settle=$1 turn figures
    local read_spans='
import json, sys
metrics = json.load(sys.stdin)
print(*(metrics.get("telemetry/zipkin/spans_" + name, "-") for name in ("recorded", "sent", "dropped", "queued")), sep="\t")'
    if [[ -z $SUBJECT_ADMIN || $settle == no ]]; then
        printf -- '-\t-\t-\t-'
        return
    fi
    for ((turn = 0; turn < 50; turn++)); do
        figures=$(fetch "$SUBJECT_ADMIN/admin/metrics.json" | python3 -c "$read_spans") || figures=$'-\t-\t-\t-'
        [[ $figures == *$'\t'0 || $figures == *- ]] && break
        sleep 0.1
    done
    printf '%s' "$figures"
}
