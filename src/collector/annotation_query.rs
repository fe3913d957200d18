//! The `annotationQuery` parameter: `error and http.method=GET and retried`.

use crate::zipkin::v2::Span;

/// Conditions on tags and annotations, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationQuery {
    /// The key and, for a condition on a tag's value, the value.
    conditions: Vec<(String, Option<String>)>,
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition<'q> {
    /// The tag's key, or an annotation's text.
    pub key: &'q str,
    /// The value that the tag must have; none when the key (or the annotation) is enough.
    pub value: Option<&'q str>,
}

impl AnnotationQuery {
    /// Reads the parameter. Of several conditions on one key the last with a value counts, or else the bare one.
    ///
    /// # Errors
    /// The text of the 400 answer, when there are more than [`PARTS_LIMIT`] conditions.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        if text.is_empty() {
            return Ok(query);
        }
        let parts: Vec<_> = text.split(" and ").take(PARTS_LIMIT + 1).collect();
        if parts.len() > PARTS_LIMIT {
            return Err(format!("annotationQuery has more than {PARTS_LIMIT} conditions"));
        }
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let (key, value) = (key.trim(), Some(value.trim()).filter(|value| !value.is_empty()));
            match query.conditions.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) if value.is_some() => *known = value.map(str::to_owned),
                Some(_) => {}
                None => query.conditions.push((key.to_owned(), value.map(str::to_owned))),
            }
        }
        Ok(query)
    }

    /// The conditions, in the order in which their keys were first named.
    pub fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        self.conditions.iter().map(|(key, value)| Condition { key, value: value.as_deref() })
    }
}

impl Condition<'_> {
    /// Whether this one span meets the condition. Letters match exactly.
    #[must_use]
    pub fn is_met_by(&self, span: &Span<'_>) -> bool {
        let mut tags = span.tags.iter().filter(|(key, _)| key == self.key);
        match self.value {
            Some(value) => tags.any(|(_, tag)| tag == value),
            None => tags.next().is_some() || span.annotations.iter().any(|event| event.value == self.key),
        }
    }
}

/// Conditions in one query; each is tried on every span that is searched.
pub const PARTS_LIMIT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_conditions_are_refused() {
        let parts = vec!["a"; PARTS_LIMIT].join(" and ");
        assert_eq!(AnnotationQuery::parse(&parts).unwrap().conditions().count(), 1);
        assert!(AnnotationQuery::parse(&format!("{parts} and a")).is_err());
    }

    #[test]
    fn a_bare_key_does_not_replace_a_value() {
        let query = AnnotationQuery::parse("a = 1 and a and b").unwrap();
        let conditions: Vec<_> = query.conditions().collect();
        assert_eq!(
            conditions,
            [Condition { key: "a", value: Some("1") }, Condition { key: "b", value: None }]
        );
    }
}
