//! What the vectors describe and this version does not do yet. A line covers a whole category, or its entries
//! with a certain text under a certain key; each says why.

use toml::Value;

/// One line of the list.
#[derive(Debug)]
pub struct NotBuilt {
    pub file: &'static str,
    pub category: &'static str,
    /// Key and text of the entries meant; all entries without.
    pub part: Option<(&'static str, &'static str)>,
    pub reason: &'static str,
}

impl NotBuilt {
    /// Is this one of the entries meant? Its category is not looked at.
    pub fn covers(&self, entry: &Value) -> bool {
        self.part.is_none_or(|(key, wanted)| match entry.get(key) {
            Some(Value::String(text)) => text == wanted,
            Some(other) => other.to_string() == wanted,
            None => false,
        })
    }
}

/// A line for all entries of a category.
pub const fn whole(file: &'static str, category: &'static str, reason: &'static str) -> NotBuilt {
    NotBuilt { file, category, part: None, reason }
}

/// A line for the entries of a category that have this text under this key.
pub const fn part(
    file: &'static str,
    category: &'static str,
    key: &'static str,
    text: &'static str,
    reason: &'static str,
) -> NotBuilt {
    NotBuilt { file, category, part: Some((key, text)), reason }
}

const ROUTING: &str = "routing-vectors.toml";
const TRACING: &str = "tracing-vectors.toml";
const POLICY: &str = "policy-vectors.toml";

/// The list.
pub const NOT_BUILT: &[NotBuilt] = &[
    part(ROUTING, "delegation", "path", "/svc/example.com", UTILITY_NAMERS),
    part(ROUTING, "delegation", "path", "/svc/web.example.com", UTILITY_NAMERS),
    part(ROUTING, "delegation", "path", "/svc/web.service.consul", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.anyMethod/GET/foo/bar/bah", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.anyMethodPfx/foo/GET/bar/bah", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.anyHost/a.b/foo/bar/bah", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.anyHost/a%b/foo/bar/bah", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.anyHostPfx/foo/a%b/bar/bah", UTILITY_NAMERS),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.http.subdomainOfPfx/a.b/foo/bar.a.b/bah",
        UTILITY_NAMERS,
    ),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.http.subdomainOfPfx/a.b/foo/bar_suffix.a.b/bah",
        UTILITY_NAMERS,
    ),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.http.subdomainOfPfx/a.b/foo/bar.a.b:9090/bah",
        UTILITY_NAMERS,
    ),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.http.domainToPathPfx/pfx/foo.buoyant.io",
        UTILITY_NAMERS,
    ),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.status/401/foo/bar.a.b/bah", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.status", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.hostportPfx/ia/google.com:8180/etc", UTILITY_NAMERS),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.hostportPfx/ia/google.com:8180:abcdef/etc",
        UTILITY_NAMERS,
    ),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.hostportPfx/ia/google.com:http/etc", UTILITY_NAMERS),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.hostportPfx/ia/google.com:http:abcdef/etc",
        UTILITY_NAMERS,
    ),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.porthostPfx/ia/127.1:http/etc", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.rinet/8080", UTILITY_NAMERS),
    part(
        ROUTING,
        "system_namer",
        "path",
        "/$/io.buoyant.http.domainToPathPfx/pfx/foo.com:8080/x",
        UTILITY_NAMERS,
    ),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.subdomainOfPfx/a.b/foo/a.b/z", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.hostportPfx/ia/host:HTTP/etc", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.porthostPfx/ia", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/fixedinet/example.com/80/r", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.http.status/700", UTILITY_NAMERS),
    part(ROUTING, "system_namer", "path", "/$/io.buoyant.rinet/8080/web.example.com/a/b", UTILITY_NAMERS),
    whole(ROUTING, "path_matcher", PATTERNS),
    whole(ROUTING, "rewrite_namer", NAMERS),
    whole(ROUTING, "fs_file", NAMERS),
    whole(ROUTING, "consul_request", NAMERS),
    whole(ROUTING, "consul_addresses", NAMERS),
    whole(ROUTING, "consul_authority", NAMERS),
    whole(ROUTING, "consul_states", NAMERS),
    whole(ROUTING, "marathon_lookup", NAMERS),
    part(ROUTING, "identifier", "kind", "io.l5d.header", IDENTIFIERS),
    part(ROUTING, "identifier", "kind", "io.l5d.methodAndHost", IDENTIFIERS),
    part(ROUTING, "identifier", "kind", "io.l5d.path", IDENTIFIERS),
    part(ROUTING, "identifier", "kind", "io.l5d.static", IDENTIFIERS),
    whole(ROUTING, "identifier_list", IDENTIFIERS),
    whole(ROUTING, "override_headers", OVERRIDES),
    whole(ROUTING, "override_routing", OVERRIDES),
    whole(ROUTING, "deadline", DEADLINES),
    whole(ROUTING, "call_depth", CALL_DEPTH),
    whole(ROUTING, "forwarded", FORWARDED),
    whole(ROUTING, "forwarded_label", FORWARDED),
    whole(ROUTING, "host_rewrite", HOST),
    whole(ROUTING, "clear_context", CLEAR_CONTEXT),
    whole(ROUTING, "static_config", STATIC),
    whole(ROUTING, "config_default", CONFIG),
    whole(ROUTING, "config_error", CONFIG),
    whole(ROUTING, "config_accept", CONFIG),
    part(TRACING, "context_hop", "propagator", "io.l5d.zipkin", B3),
    whole(TRACING, "finagle_span_id", B3),
    whole(TRACING, "b3_spec_extract", B3),
    whole(TRACING, "b3_spec_inject", B3),
    whole(TRACING, "traceparent", W3C),
    whole(TRACING, "tracestate", W3C),
    whole(TRACING, "proto3_encode", PROTOBUF),
    whole(TRACING, "thrift_span", THRIFT),
    whole(TRACING, "thrift_to_v2", THRIFT),
    whole(TRACING, "thrift_list", THRIFT),
    whole(TRACING, "scribe_frame", THRIFT),
    whole(TRACING, "v1_to_v2", V1),
    whole(TRACING, "span_tree", VIEWER),
    whole(TRACING, "dependency_links", VIEWER),
    whole(TRACING, "clock_skew", VIEWER),
    whole(TRACING, "duration_format", VIEWER),
    whole(TRACING, "duration_parse", VIEWER),
    whole(TRACING, "service_color", VIEWER),
    whole(TRACING, "trace_summary", VIEWER),
    whole(TRACING, "otlp", OTLP),
    whole(TRACING, "otlp_response", OTLP),
    whole(TRACING, "request_spans", PROXY),
    whole(TRACING, "record_order", PROXY),
    whole(POLICY, "token_bucket", RETRIES),
    whole(POLICY, "retry_budget", RETRIES),
    whole(POLICY, "retry_budget_bounds", RETRIES),
    whole(POLICY, "backoff", RETRIES),
    whole(POLICY, "backoff_bounds", RETRIES),
    whole(POLICY, "backoff_config", RETRIES),
    whole(POLICY, "requeue", RETRIES),
    whole(POLICY, "acquisition_requeue", RETRIES),
    whole(POLICY, "retry_scenario", RETRIES),
    whole(POLICY, "backend_nack", RETRIES),
    whole(POLICY, "nack_admission", RETRIES),
    whole(POLICY, "windowed_sum", ACCRUAL),
    whole(POLICY, "ema", ACCRUAL),
    whole(POLICY, "accrual_policy", ACCRUAL),
    whole(POLICY, "accrual_machine", ACCRUAL),
    whole(POLICY, "accrual_defaults", ACCRUAL),
    whole(POLICY, "p2c_pick", BALANCERS),
    whole(POLICY, "peak_ewma", BALANCERS),
    whole(POLICY, "peak_ewma_statistical", BALANCERS),
    whole(POLICY, "balancer_counters", BALANCERS),
    whole(POLICY, "aperture", BALANCERS),
    whole(POLICY, "aperture_traffic", BALANCERS),
    whole(POLICY, "heap", BALANCERS),
    whole(POLICY, "weights", BALANCERS),
    whole(POLICY, "classifier", CLASSIFIERS),
    whole(POLICY, "success_class", CLASSIFIERS),
    whole(POLICY, "prefix_match", STATIC),
    whole(POLICY, "prefix_substitute", STATIC),
    whole(POLICY, "forwarded", FORWARDED),
    whole(POLICY, "forwarded_label", FORWARDED),
    whole(POLICY, "call_depth", CALL_DEPTH),
    whole(POLICY, "host_rewrite", HOST),
    whole(POLICY, "dtab_headers", OVERRIDES),
    whole(POLICY, "deadline", DEADLINES),
    whole(POLICY, "clear_context", CLEAR_CONTEXT),
    whole(POLICY, "streamed", ROUTER_OPTIONS),
    whole(POLICY, "access_log", ROUTER_OPTIONS),
    whole(POLICY, "diagnostic_trace", ROUTER_OPTIONS),
    whole(POLICY, "compression", ROUTER_OPTIONS),
    whole(POLICY, "pool", ROUTER_OPTIONS),
    whole(POLICY, "session", ROUTER_OPTIONS),
    whole(POLICY, "prometheus", TELEMETERS),
    whole(POLICY, "prometheus_escape", TELEMETERS),
    whole(POLICY, "influxdb", TELEMETERS),
    whole(POLICY, "statsd_name", TELEMETERS),
    whole(POLICY, "telemeter_config", TELEMETERS),
    whole(POLICY, "admin_security", ADMIN),
    whole(POLICY, "delegator", ADMIN),
    whole(POLICY, "admin_misc", ADMIN),
    whole(POLICY, "metrics_json", ADMIN),
    whole(POLICY, "histogram_window", ADMIN),
    whole(POLICY, "scenario_metrics", ADMIN),
    whole(POLICY, "config_check", CONFIG),
    part(ROUTING, "error_response", "override_dtab", "/svc/x => 0.5*/p & /q", OVERRIDES),
    part(ROUTING, "error_response", "case", "request_timeout", TIMEOUTS),
    part(POLICY, "error_response", "situation", "total timeout", TIMEOUTS),
    part(POLICY, "error_response", "situation", "Via depth exceeded with maxCallDepth 9", CALL_DEPTH),
    part(POLICY, "error_response", "situation", "maxConcurrentRequests reached", ROUTER_OPTIONS),
    part(
        POLICY,
        "error_response",
        "situation",
        "clearContext server and name resolves to neg",
        CLEAR_CONTEXT,
    ),
    part(TRACING, "zipkin_http", "name", "protobuf", PROTOBUF),
    part(TRACING, "zipkin_http", "path", "/api/v1/spans", V1),
    part(TRACING, "zipkin_http", "name", "dependencies on an empty store", VIEWER),
];

const UTILITY_NAMERS: &str = "system namers other than inet, nil and fail are not built yet";
const PATTERNS: &str = "prefix patterns come with io.l5d.static and io.l5d.rewrite, which are not built yet";
const NAMERS: &str = "configured namers are not built yet";
const IDENTIFIERS: &str = "identifiers other than a single io.l5d.header.token are not built yet";
const OVERRIDES: &str = "dtab overrides are not built yet";
const DEADLINES: &str = "deadlines are not built yet";
const TIMEOUTS: &str = "totalTimeoutMs and requestAttemptTimeoutMs are not built yet";
const CALL_DEPTH: &str = "maxCallDepth is not built yet";
const FORWARDED: &str = "addForwardedHeader is not built yet";
const HOST: &str = "addresses that come with a Host of their own are not built yet";
const CLEAR_CONTEXT: &str = "clearContext is not built yet";
const STATIC: &str = "io.l5d.static client and service configuration is not built yet";
const CONFIG: &str = "the vectors speak of configuration keys of which many are not built yet";
const B3: &str = "the B3 propagator is not built yet";
const W3C: &str = "the W3C trace headers are not built yet";
const PROTOBUF: &str = "Zipkin protobuf is not built yet";
const THRIFT: &str = "the Scribe transport is not built yet";
const V1: &str = "the Zipkin v1 API is not built yet";
const VIEWER: &str = "the viewer has its first form; the rules of these vectors are not built yet";
const OTLP: &str = "OTLP is not built yet";
const PROXY: &str = "needs a running proxy: the integration tests check the spans of requests";
const RETRIES: &str = "retries are not built yet";
const ACCRUAL: &str = "failure accrual is not built yet";
const BALANCERS: &str = "balancers other than the least loaded of two, and their counters, are not built yet";
const CLASSIFIERS: &str = "response classifiers are not built yet";
const ROUTER_OPTIONS: &str = "the router and client options of these vectors are not built yet";
const TELEMETERS: &str = "telemeters other than Zipkin are not built yet";
const ADMIN: &str = "the admin pages of these vectors are not built yet";
