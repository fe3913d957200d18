//! What `GET /api/v2/traces` asks for: reading the parameters, and whether a trace answers them.

use super::annotation_query::AnnotationQuery;
use super::params::Params;
use crate::zipkin::v2::Span;
use std::num::NonZeroU64;

/// One search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    service: Option<String>,
    remote_service: Option<String>,
    span_name: Option<String>,
    annotations: AnnotationQuery,
    min_duration_us: Option<u64>,
    max_duration_us: Option<u64>,
    end_ms: u64,
    lookback_ms: u64,
    limit: usize,
}

impl Query {
    /// Reads the parameters of a search; `now_ms` is the end of its time window when none is asked for.
    ///
    /// # Errors
    /// The text of the 400 answer.
    pub(super) fn parse(params: &Params, now_ms: u64) -> Result<Self, String> {
        let end_ms = positive("endTs", params.number("endTs")?)?.unwrap_or(now_ms);
        let limit = positive("limit", params.number("limit")?)?.unwrap_or(DEFAULT_LIMIT);
        let lookback_ms = positive("lookback", params.number("lookback")?)?.unwrap_or(DEFAULT_LOOKBACK_MS);
        let min_duration_us = positive("minDuration", params.number("minDuration")?)?;
        let max_duration_us = match (min_duration_us, params.number("maxDuration")?) {
            (_, None) => None,
            (None, Some(_)) => return Err("maxDuration is only valid with minDuration".to_owned()),
            (Some(min), Some(max)) => match u64::try_from(max) {
                Ok(max) if max >= min => Some(max),
                _ => return Err("maxDuration < minDuration".to_owned()),
            },
        };
        let lower = |name| params.get(name).filter(|text| !text.is_empty()).map(str::to_lowercase);
        Ok(Self {
            service: lower("serviceName"),
            remote_service: lower("remoteServiceName"),
            span_name: lower("spanName").filter(|name| name != "all"),
            annotations: AnnotationQuery::parse(params.get("annotationQuery").unwrap_or_default())?,
            min_duration_us,
            max_duration_us,
            end_ms,
            lookback_ms,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }

    /// The first millisecond of the time window.
    pub(super) const fn start_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.lookback_ms)
    }

    /// The last millisecond of the time window.
    pub(super) const fn end_ms(&self) -> u64 {
        self.end_ms
    }

    /// How many traces to answer with.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a trace that began at `began_us` and has these spans is an answer. Each condition must be met by a
    /// span of the service that is asked for, but not all of them by the same one.
    pub(super) fn matches<'t>(&self, began_us: Option<u64>, spans: impl Iterator<Item = Span<'t>>) -> bool {
        let Some(began_us) = began_us else { return false };
        let window_us = self.start_ms().saturating_mul(1_000)..=self.end_ms.saturating_mul(1_000);
        if !window_us.contains(&began_us) {
            return false;
        }
        let mut open = Open {
            service: self.service.is_some(),
            remote_service: self.remote_service.is_some(),
            span_name: self.span_name.is_some(),
            duration: self.min_duration_us.is_some(),
            annotations: self.annotations.conditions().collect(),
        };
        for span in spans {
            if open.nothing() {
                break;
            }
            if self.service.is_some() && span.local_service() != self.service.as_deref() {
                continue;
            }
            open.service = false;
            open.remote_service &= span.remote_service() != self.remote_service.as_deref();
            open.span_name &= span.name.as_deref() != self.span_name.as_deref();
            open.duration &= !self.is_long_enough(&span);
            open.annotations.retain(|condition| !condition.is_met_by(&span));
        }
        open.nothing()
    }

    fn is_long_enough(&self, span: &Span<'_>) -> bool {
        let duration_us = span.duration_us.map_or(0, NonZeroU64::get);
        self.min_duration_us.is_none_or(|min| duration_us >= min)
            && self.max_duration_us.is_none_or(|max| duration_us <= max)
    }
}

/// The conditions that no span has met yet.
struct Open<'q> {
    service: bool,
    remote_service: bool,
    span_name: bool,
    duration: bool,
    annotations: Vec<super::annotation_query::Condition<'q>>,
}

impl Open<'_> {
    const fn nothing(&self) -> bool {
        !(self.service || self.remote_service || self.span_name || self.duration)
            && self.annotations.is_empty()
    }
}

fn positive(name: &str, number: Option<i64>) -> Result<Option<u64>, String> {
    match number.map(u64::try_from) {
        None => Ok(None),
        Some(Ok(number)) if number > 0 => Ok(Some(number)),
        Some(_) => Err(format!("{name} <= 0")),
    }
}

/// Zipkin's own defaults: ten traces of the last day.
const DEFAULT_LIMIT: u64 = 10;
const DEFAULT_LOOKBACK_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zipkin::v2::decode_list;

    fn query(text: &str) -> Result<Query, String> {
        Query::parse(&Params::parse(Some(text)), 1_000_000)
    }

    #[test]
    fn a_search_without_parameters_asks_for_ten_traces_of_the_last_day() {
        let query = query("").unwrap();
        assert_eq!((query.start_ms(), query.end_ms(), query.limit()), (0, 1_000_000, 10));
    }

    #[test]
    fn bad_parameters_are_refused_in_zipkins_words_and_order() {
        for (text, error) in [
            ("endTs=0&limit=0", "endTs <= 0"),
            ("limit=-1&lookback=0", "limit <= 0"),
            ("lookback=0&minDuration=0", "lookback <= 0"),
            ("minDuration=0&maxDuration=0", "minDuration <= 0"),
            ("minDuration=10&maxDuration=9", "maxDuration < minDuration"),
            ("minDuration=10&maxDuration=-9", "maxDuration < minDuration"),
            ("maxDuration=9", "maxDuration is only valid with minDuration"),
            ("limit=abc", "For input string: \"abc\""),
            ("endTs=", "For input string: \"\""),
        ] {
            assert_eq!(query(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn conditions_may_be_met_by_different_spans_of_the_service() {
        let list = br#"[
            {"traceId":"1","id":"1","name":"a","timestamp":1000000000,"duration":5,"localEndpoint":{"serviceName":"web"},
             "remoteEndpoint":{"serviceName":"db"},"tags":{"error":""}},
            {"traceId":"1","id":"2","name":"b","duration":50,"localEndpoint":{"serviceName":"web"}},
            {"traceId":"1","id":"3","name":"c","duration":500,"localEndpoint":{"serviceName":"app"}}]"#;
        for (text, answer) in [
            ("", true),
            ("serviceName=Web&spanName=B&remoteServiceName=DB&minDuration=50", true),
            ("serviceName=web&spanName=all", true),
            ("serviceName=web&spanName=", true),
            ("serviceName=web&spanName=c", false),
            ("serviceName=web&minDuration=51", false),
            ("minDuration=51", true),
            ("minDuration=51&maxDuration=499", false),
            ("serviceName=db", false),
            ("serviceName=app&annotationQuery=error", false),
            ("serviceName=web&annotationQuery=error", true),
            ("endTs=999999", false),
            ("endTs=1000000&lookback=1", true),
            ("endTs=1000002&lookback=1", false),
        ] {
            let mut spans = Vec::new();
            decode_list(list, |span| spans.push(span)).unwrap();
            let query = query(text).unwrap();
            assert_eq!(query.matches(Some(1_000_000_000), spans.into_iter()), answer, "{text}");
        }
        assert!(!query("").unwrap().matches(None, std::iter::empty()));
    }
}
