//! The durations that `/admin/shutdown?grace=` takes: `5.seconds`, `1.minute + 30.seconds`.

use std::time::Duration;

/// The text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not parse 'grace' parameter: {0} is not a valid duration")]
pub struct BadDuration(pub String);

/// Reads one or several amounts, each a whole number and a unit, joined by plus signs.
///
/// # Errors
///
/// [`BadDuration`] for anything else, and for amounts beyond what a [`Duration`] holds.
pub fn parse_grace(text: &str) -> Result<Duration, BadDuration> {
    let mut parts = text.split('+').map(|part| parse_amount(part.trim()));
    let sum = parts.try_fold(Duration::ZERO, |sum, part| sum.checked_add(part?));
    sum.ok_or_else(|| BadDuration(text.to_owned()))
}

fn parse_amount(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_once('.')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    let seconds = |each: u64| amount.checked_mul(each).map(Duration::from_secs);
    match unit.strip_suffix('s').unwrap_or(unit) {
        "nanosecond" => Some(Duration::from_nanos(amount)),
        "microsecond" => Some(Duration::from_micros(amount)),
        "millisecond" => Some(Duration::from_millis(amount)),
        "second" => seconds(1),
        "minute" => seconds(60),
        "hour" => seconds(60 * 60),
        "day" => seconds(24 * 60 * 60),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_unit_and_add_up() {
        for (text, milliseconds) in [
            ("5.seconds", 5_000),
            ("1.second", 1_000),
            ("250.milliseconds", 250),
            ("0.days", 0),
            ("2.hours", 7_200_000),
            ("1.minute + 30.seconds", 90_000),
        ] {
            assert_eq!(parse_grace(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_text() {
        let too_long = format!("{}.days", u64::MAX);
        for text in
            ["bogus", "", "5", "5s", "5.", ".seconds", "-5.seconds", "+5.seconds", "5.fortnights", &too_long]
        {
            assert_eq!(parse_grace(text), Err(BadDuration(text.to_owned())), "{text}");
        }
        let message = parse_grace("bogus").unwrap_err().to_string();
        assert_eq!(message, "could not parse 'grace' parameter: bogus is not a valid duration");
    }
}
