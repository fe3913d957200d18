//! The parameters of a request's query string.

use axum::extract::Query;
use axum::http::Uri;

/// Names and values, decoded, in the order of the query string. Of equal names the first one counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of a request's target.
    pub(super) fn of(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|Query(params)| params).unwrap_or_default())
    }

    /// The value of the parameter `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// The text of the 400 answer.
    pub(super) fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("Mandatory parameter/header/attribute is missing: {name}"))
    }

    /// The value of a parameter that has to be a whole number if it is there.
    ///
    /// # Errors
    /// The text of the 400 answer.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        text.parse().map(Some).map_err(|_| format!("For input string: \"{shown}\""))
    }

    #[cfg(test)]
    pub(super) fn parse(query: Option<&str>) -> Self {
        Self::of(&format!("/?{}", query.unwrap_or_default()).parse().unwrap())
    }
}

/// An error quotes a value; no more of it than this.
const SHOWN_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_names_the_first_counts_and_values_are_decoded() {
        let params = Params::parse(Some("a=1%20b+c&a=2&b"));
        assert_eq!(params.get("a"), Some("1 b c"));
        assert_eq!(params.get("b"), Some(""));
        assert_eq!(params.get("c"), None);
    }
}
