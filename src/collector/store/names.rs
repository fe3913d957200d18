//! Which services there are, and which span names and remote services each of them has.
//!
//! Every name counts the spans that carry it, so a name goes away with the last trace that has it.

use std::collections::BTreeMap;

/// The names of all stored spans, by the service that recorded them.
#[derive(Debug, Default)]
pub(super) struct Names {
    services: BTreeMap<Box<str>, Service>,
    /// About the memory all names take.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Service {
    spans: usize,
    span_names: Counted,
    remote_services: Counted,
}

#[derive(Debug, Default)]
struct Counted(BTreeMap<Box<str>, usize>);

/// What one span says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanNames<'s> {
    pub(super) local_service: Option<&'s str>,
    pub(super) remote_service: Option<&'s str>,
    pub(super) span_name: Option<&'s str>,
}

impl Names {
    /// Counts a span that was stored.
    pub(super) fn add(&mut self, span: SpanNames<'_>) {
        let Some(name) = span.local_service else { return };
        if !self.services.contains_key(name) {
            self.services.insert(name.into(), Service::default());
            self.bytes += cost(name);
        }
        if let Some(service) = self.services.get_mut(name) {
            service.spans += 1;
            self.bytes += span.span_name.map_or(0, |name| service.span_names.add(name));
            self.bytes += span.remote_service.map_or(0, |name| service.remote_services.add(name));
        }
    }

    /// Forgets a span that [`Names::add`] counted.
    pub(super) fn remove(&mut self, span: SpanNames<'_>) {
        let Some(name) = span.local_service else { return };
        let Some(service) = self.services.get_mut(name) else { return };
        service.spans = service.spans.saturating_sub(1);
        let mut freed = span.span_name.map_or(0, |name| service.span_names.remove(name));
        freed += span.remote_service.map_or(0, |name| service.remote_services.remove(name));
        if service.spans == 0 {
            self.services.remove(name);
            freed += cost(name);
        }
        self.bytes = self.bytes.saturating_sub(freed);
    }

    /// The local service names, sorted.
    pub(super) fn services(&self) -> Vec<String> {
        self.services.keys().map(|name| name.to_string()).collect()
    }

    /// The span names seen with this local service, sorted.
    pub(super) fn span_names(&self, service: &str) -> Vec<String> {
        self.services.get(service).map(|service| service.span_names.sorted()).unwrap_or_default()
    }

    /// The remote services seen with this local service, sorted.
    pub(super) fn remote_services(&self, service: &str) -> Vec<String> {
        self.services.get(service).map(|service| service.remote_services.sorted()).unwrap_or_default()
    }

    /// About the memory all names take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Counted {
    /// Counts `name` once more; returns the bytes that now takes.
    fn add(&mut self, name: &str) -> usize {
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
            return 0;
        }
        self.0.insert(name.into(), 1);
        cost(name)
    }

    /// Counts `name` once less; returns the bytes that frees.
    fn remove(&mut self, name: &str) -> usize {
        let Some(count) = self.0.get_mut(name) else { return 0 };
        *count -= 1;
        if *count > 0 {
            return 0;
        }
        self.0.remove(name);
        cost(name)
    }

    fn sorted(&self) -> Vec<String> {
        self.0.keys().map(|name| name.to_string()).collect()
    }
}

/// About the memory one name takes: its text, and its place in a tree with everything around it.
const fn cost(name: &str) -> usize {
    name.len() + 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span<'s>(local: &'s str, remote: &'s str, name: &'s str) -> SpanNames<'s> {
        SpanNames { local_service: Some(local), remote_service: Some(remote), span_name: Some(name) }
    }

    #[test]
    fn names_go_with_the_last_span_that_has_them() {
        let mut names = Names::default();
        names.add(span("web", "db", "get /"));
        names.add(span("web", "cache", "get /"));
        names.add(span("app", "db", "run"));
        assert_eq!(names.services(), ["app", "web"]);
        assert_eq!(names.remote_services("web"), ["cache", "db"]);
        names.remove(span("web", "db", "get /"));
        assert_eq!(names.remote_services("web"), ["cache"]);
        assert_eq!(names.span_names("web"), ["get /"]);
        names.remove(span("web", "cache", "get /"));
        names.remove(span("app", "db", "run"));
        assert_eq!((names.services(), names.bytes()), (vec![], 0));
    }

    #[test]
    fn a_span_without_a_local_service_leaves_no_names() {
        let mut names = Names::default();
        names.add(SpanNames { local_service: None, ..span("", "db", "run") });
        assert!(names.services().is_empty());
    }
}
