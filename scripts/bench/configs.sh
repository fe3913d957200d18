# shellcheck shell=bash
# The configuration of every subject, and starting it. Sourced by bench-peers.sh.
# Each start_* function sets SUBJECT_PID and SUBJECT_URL; ringspan's sets SUBJECT_ADMIN as well.
#
# Every proxy gets what its documentation advises for this work: keep-alive on both sides, no access log, one
# core, timeouts and connection limits out of the way.
# shellcheck disable=SC2034 # what a subject is, is read by measure.sh

SUBJECT_PID=0
SUBJECT_URL=
SUBJECT_ADMIN=

# nginx_config NAME CONNECTIONS HTTP_BLOCK: one worker; prints the file's name.
nginx_config() {
    local dir=$WORK/$1 connections=$2 body=$3 user_line=
    mkdir -p "$dir"
    # Workers must reach the temporary folder, which is this user's.
    ((EUID == 0)) && user_line="user root root;"
    cat >"$dir/nginx.conf" <<NGINX
$user_line
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log error;
events { worker_connections $connections; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
$body
}
NGINX
    echo "$dir/nginx.conf"
}

start_nginx() { # NAME CORE CONFIG
    start_pinned "$2" "$WORK/$1.log" nginx -e "$WORK/$1.log" -c "$3"
}

# One nginx server that proxies LISTEN to TARGET over kept connections.
nginx_hop() { # LISTEN TARGET
    cat <<NGINX
    upstream to_$2 {
        server 127.0.0.1:$2;
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }
    server {
        listen 127.0.0.1:$1 backlog=4096;
        location / {
            proxy_pass http://to_$2;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
NGINX
}

# The origin: four bytes, on the load generator's core.
start_origin() {
    local config
    config=$(nginx_config origin 16384 "
    server {
        listen 127.0.0.1:$ORIGIN_PORT backlog=4096;
        location / { default_type text/plain; return 200 'pong'; }
    }")
    start_nginx origin "$LOAD_CORE" "$config"
    wait_http "$STARTED" "http://127.0.0.1:$ORIGIN_PORT/"
}

# The sink: reads every batch to its end, then answers 202.
#
# A bare `return 202` would answer before the body has arrived. proxy_pass with request buffering (the
# default) reads the whole body first; the request it then makes carries none of it. The log's first column is
# how many bytes came in, which is the proof.
start_sink() {
    local config
    config=$(nginx_config sink 16384 "
    log_format taken '\$request_length \$status';
    upstream answer { server 127.0.0.1:$SINK_BACK_PORT; keepalive 64; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:$SINK_PORT backlog=4096;
        access_log $WORK/sink.access taken;
        client_max_body_size 64m;
        client_body_buffer_size 16m;
        location / {
            proxy_pass http://answer;
            proxy_http_version 1.1;
            proxy_pass_request_body off;
            proxy_set_header Connection '';
            proxy_set_header Content-Length '';
        }
    }
    server {
        listen 127.0.0.1:$SINK_BACK_PORT;
        location / { return 202; }
    }")
    start_nginx sink "$LOAD_CORE" "$config"
    wait_http "$STARTED" "http://127.0.0.1:$SINK_PORT/"
}

# Bytes that the sink has read so far.
sink_bytes() {
    awk '{ sum += $1 } END { printf "%d\n", sum }' "$WORK/sink.access"
}

nginx_proxy() { # HOPS
    local body config hop
    for ((hop = 1; hop <= $1; hop++)); do
        body+=$(nginx_hop "${HOP_PORTS[hop - 1]}" "$(next_hop "$hop" "$1")")$'\n'
    done
    config=$(nginx_config nginx 16384 "$body")
    start_nginx nginx "$PROXY_CORE" "$config"
    serving
}

# Where hop number HOP of HOPS sends: the next one, or the origin.
next_hop() {
    if (($1 < $2)); then
        echo "${HOP_PORTS[$1]}"
    else
        echo "$ORIGIN_PORT"
    fi
}

# The subject is STARTED and answers on the first hop's port.
serving() {
    SUBJECT_PID=$STARTED
    SUBJECT_URL=http://127.0.0.1:${HOP_PORTS[0]}/
    wait_http "$SUBJECT_PID" "$SUBJECT_URL"
}

haproxy_proxy() {
    cat >"$WORK/haproxy.cfg" <<HAPROXY
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    option http-keep-alive
    http-reuse always
frontend in
    bind 127.0.0.1:${HOP_PORTS[0]} backlog 4096
    default_backend origin
backend origin
    server origin 127.0.0.1:$ORIGIN_PORT
HAPROXY
    start_pinned "$PROXY_CORE" "$WORK/haproxy.log" haproxy -db -f "$WORK/haproxy.cfg"
    serving
}

# envoy_proxy PERCENT: one worker, Zipkin tracing of PERCENT of the requests to the sink. Envoy records one
# span per request where ringspan records two (SERVER and CLIENT); nothing is done about that.
envoy_proxy() {
    cat >"$WORK/envoy.yaml" <<ENVOY
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${HOP_PORTS[0]} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          tracing:
            random_sampling: { value: $1 }
            provider:
              name: envoy.tracers.zipkin
              typed_config:
                "@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig
                collector_cluster: sink
                collector_endpoint: /api/v2/spans
                collector_endpoint_version: HTTP_JSON
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: "/" }
                route: { cluster: origin, timeout: 0s }
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
$(envoy_cluster origin "$ORIGIN_PORT")
$(envoy_cluster sink "$SINK_PORT")
ENVOY
    start_pinned "$PROXY_CORE" "$WORK/envoy.log" "$ENVOY_BIN" -c "$WORK/envoy.yaml" \
        --concurrency 1 --disable-hot-restart --log-level error
    serving
}

envoy_cluster() { # NAME PORT
    cat <<ENVOY
  - name: $1
    type: STATIC
    circuit_breakers:
      thresholds: [{ max_connections: 16384, max_pending_requests: 16384, max_requests: 16384 }]
    load_assignment:
      cluster_name: $1
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $2 } } }
ENVOY
}

# ringspan_config HOPS SHARDS [RATE COLLECTOR_PORT]: prints the configuration; no rate, no telemeter.
ringspan_config() {
    local hops=$1 shards=$2 hop
    cat <<TOML
[admin]
port = $ADMIN_PORT

[runtime]
shards = $shards
TOML
    for ((hop = 1; hop <= hops; hop++)); do
        cat <<TOML

[[routers]]
protocol = "http"
label = "hop$hop"
dtab = "/svc => /$/inet/127.0.0.1/$(next_hop "$hop" "$hops");"

[[routers.servers]]
port = ${HOP_PORTS[hop - 1]}
TOML
    done
    if (($# > 2)); then
        cat <<TOML

[[telemetry]]
kind = "io.l5d.zipkin"
host = "127.0.0.1"
port = $4
sampleRate = $3
TOML
    fi
}

# ringspan_proxy HOPS [RATE COLLECTOR_PORT]
ringspan_proxy() {
    local hops=$1
    shift
    ringspan_config "$hops" "[$PROXY_CORE]" "$@" >"$WORK/ringspan.toml"
    SUBJECT_ADMIN=http://127.0.0.1:$ADMIN_PORT
    start_pinned "$PROXY_CORE" "$WORK/ringspan.log" "$RINGSPAN_BIN" "$WORK/ringspan.toml"
    serving
}
