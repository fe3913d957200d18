//! Single JSON values read leniently: numbers may be texts, texts may be numbers, null is absent.
//!
//! Every value is first taken as raw JSON and then looked at; raw JSON also keeps a number's own digits.

use serde::de::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;

/// Where in the list a value stands: Zipkin's path notation, `$[0].tags.key`.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) index: usize,
    pub(super) path: &'p dyn fmt::Display,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$[{}].{}", self.index, self.path)
    }
}

/// A text, or a number's own digits; none for null.
pub(super) fn text<'de, E: Error>(raw: &'de RawValue, place: Place<'_>) -> Result<Option<Cow<'de, str>>, E> {
    let json = raw.get();
    match json_type(json) {
        JsonType::Null => Ok(None),
        JsonType::Number => Ok(Some(Cow::Borrowed(json))),
        JsonType::Text => {
            let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
            match inner.filter(|inner| !inner.contains('\\')) {
                Some(plain) => Ok(Some(Cow::Borrowed(plain))),
                None => serde_json::from_str(json).map(|text| Some(Cow::Owned(text))).map_err(E::custom),
            }
        }
        other => Err(unexpected("string", other, place)),
    }
}

pub(super) fn required_text<'de, E: Error>(raw: &'de RawValue, place: Place<'_>) -> Result<Cow<'de, str>, E> {
    text(raw, place)?.ok_or_else(|| unexpected("string", JsonType::Null, place))
}

/// A whole number, as a number or as a text; none for null.
pub(super) fn long<E: Error>(raw: &RawValue, place: Place<'_>) -> Result<Option<i64>, E> {
    let Some(digits) = text::<E>(raw, place).map_err(|_| unexpected("long", json_type(raw.get()), place))?
    else {
        return Ok(None);
    };
    let value = digits.parse().ok().or_else(|| whole(digits.parse().ok()?));
    value.map(Some).ok_or_else(|| E::custom(format_args!("Expected a long but was {digits} at path {place}")))
}

/// The integer that a number in floating form (`1.5e3`) is, if it is one.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "only taken when it is exact, see the range check")]
    (number.fract() == 0.0 && number.abs() <= EXACT_FLOAT).then_some(number as i64)
}

pub(super) fn positive(number: Option<i64>) -> Option<NonZeroU64> {
    number.and_then(|number| u64::try_from(number).ok()).and_then(NonZeroU64::new)
}

/// True or false; null is false.
pub(super) fn boolean<E: Error>(raw: &RawValue, place: Place<'_>) -> Result<bool, E> {
    match (json_type(raw.get()), raw.get()) {
        (JsonType::Null, _) => Ok(false),
        (JsonType::Boolean, json) => Ok(json == "true"),
        (other, _) => Err(unexpected("boolean", other, place)),
    }
}

fn unexpected<E: Error>(wanted: &str, found: JsonType, place: Place<'_>) -> E {
    let found = match found {
        JsonType::Null => "NULL",
        JsonType::Boolean => "BOOLEAN",
        JsonType::Number => "NUMBER",
        JsonType::Text => "STRING",
        JsonType::Object => "BEGIN_OBJECT",
        JsonType::Array => "BEGIN_ARRAY",
    };
    E::custom(format_args!("Expected a {wanted} but was {found} at path {place}"))
}

#[derive(Clone, Copy)]
enum JsonType {
    Null,
    Boolean,
    Number,
    Text,
    Object,
    Array,
}

/// The type of a JSON value that is known to be well-formed: its first byte tells.
fn json_type(json: &str) -> JsonType {
    match json.as_bytes().first() {
        Some(b'"') => JsonType::Text,
        Some(b'{') => JsonType::Object,
        Some(b'[') => JsonType::Array,
        Some(b't' | b'f') => JsonType::Boolean,
        Some(b'n') | None => JsonType::Null,
        Some(_) => JsonType::Number,
    }
}

/// 2^53: up to here a float holds every integer exactly.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;
