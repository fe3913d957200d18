//! Single values as users write them: addresses, ports, hosts, shares, durations, names. Each function notes what
//! is wrong with its field and returns nothing then; a field that is not there is its caller's business.

use super::error::Problem;
use super::place;
use super::table::{Faults, Field};
use super::tree::Value;
use crate::name::{Dtab, ParseError, Path};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A string.
pub(super) fn string<'t>(field: &Field<'t>, faults: &mut Faults<'_>) -> Option<&'t str> {
    match &field.node.value {
        Value::String(string) => Some(string),
        _ => {
            field.wrong_type("a string", faults);
            None
        }
    }
}

/// true or false.
pub(super) fn boolean(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<bool> {
    match field.node.value {
        Value::Boolean(boolean) => Some(boolean),
        _ => {
            field.wrong_type("true or false", faults);
            None
        }
    }
}

/// An integer in `range`.
pub(super) fn integer(field: &Field<'_>, range: RangeInclusive<u32>, faults: &mut Faults<'_>) -> Option<u32> {
    let Value::Integer(written) = field.node.value else {
        field.wrong_type("an integer", faults);
        return None;
    };
    let fitting = u32::try_from(written).ok().filter(|number| range.contains(number));
    if fitting.is_none() {
        field.fault(out_of_range(shown(written), range.start(), range.end()), faults);
    }
    fitting
}

/// An integer in `range` that counts things in memory.
pub(super) fn count(field: &Field<'_>, range: RangeInclusive<u32>, faults: &mut Faults<'_>) -> Option<usize> {
    usize::try_from(integer(field, range, faults)?).ok()
}

/// Milliseconds.
pub(super) fn milliseconds(
    field: &Field<'_>,
    range: RangeInclusive<u32>,
    faults: &mut Faults<'_>,
) -> Option<Duration> {
    integer(field, range, faults).map(|milliseconds| Duration::from_millis(u64::from(milliseconds)))
}

/// Kibibytes, as bytes.
pub(super) fn kibibytes(
    field: &Field<'_>,
    range: RangeInclusive<u32>,
    faults: &mut Faults<'_>,
) -> Option<usize> {
    count(field, range, faults)?.checked_mul(1024)
}

/// A share of a whole: a number from 0 to 1.
pub(super) fn share(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<f64> {
    let share = match field.node.value {
        Value::Float(share) => share,
        Value::Integer(0) => 0.0,
        Value::Integer(1) => 1.0,
        Value::Integer(other) => {
            field.fault(out_of_range(shown(other), &"0.0", &"1.0"), faults);
            return None;
        }
        _ => {
            field.wrong_type("a number from 0.0 to 1.0", faults);
            return None;
        }
    };
    if (0.0..=1.0).contains(&share) {
        // A rate of -0.0 is a rate of 0.
        return Some(share.abs());
    }
    field.fault(out_of_range(share.to_string(), &"0.0", &"1.0"), faults);
    None
}

/// A port to listen on; 0 lets the kernel choose.
pub(super) fn port(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<u16> {
    let Value::Integer(written) = field.node.value else {
        field.wrong_type("a port", faults);
        return None;
    };
    let port = u16::try_from(written).ok();
    if port.is_none() {
        field.fault(Problem::Port(written), faults);
    }
    port
}

/// A port to connect to.
pub(super) fn remote_port(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<u16> {
    let port = port(field, faults)?;
    if port == 0 {
        field.fault(Problem::PortZero, faults);
        return None;
    }
    Some(port)
}

/// An address to listen on. Short forms such as `127.1` are for dtabs only.
pub(super) fn ip(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<IpAddr> {
    let Value::String(written) = &field.node.value else {
        // In YAML `127.1` is a number.
        field.wrong_type("an IP address, such as 127.0.0.1", faults);
        return None;
    };
    let ip = written.parse().ok();
    if ip.is_none() {
        field.fault(Problem::Ip(written.clone()), faults);
    }
    ip
}

/// A host name or IP address to connect to.
pub(super) fn host(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let written = string(field, faults)?;
    let host = parse_host(written);
    if host.is_none() {
        field.fault(malformed(written, "a host name or IP address (the port has a key of its own)"), faults);
    }
    host
}

/// Host and port in one: `localhost:9411`, `[::1]:9411`.
pub(super) fn host_and_port(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<(String, u16)> {
    let written = string(field, faults)?;
    let parsed = written.rsplit_once(':').and_then(|(host, port)| {
        let bare_ipv6 = host.contains(':') && !host.starts_with('[');
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|&port| port != 0 && digits && !bare_ipv6)?;
        Some((parse_host(host)?, port))
    });
    if parsed.is_none() {
        field.fault(malformed(written, "a host and port, such as localhost:9411"), faults);
    }
    parsed
}

/// The value of a Host header.
pub(super) fn host_header(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let written = string(field, faults)?;
    let fits =
        (1..=MAX_HOST_BYTES).contains(&written.len()) && written.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        field.fault(malformed(written, "a Host header of 1 to 253 visible ASCII characters"), faults);
    }
    fits.then(|| written.to_owned())
}

/// The label of a router.
pub(super) fn label(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let written = string(field, faults)?;
    let length = written.chars().count();
    let fits = (1..=MAX_LABEL_CHARS).contains(&length) && !written.chars().any(char::is_control);
    if !fits {
        field.fault(malformed(written, "a label of 1 to 128 printable characters"), faults);
    }
    fits.then(|| written.to_owned())
}

/// A path.
pub(super) fn path(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<Path> {
    name(field, Path::parse, faults)
}

/// A dtab.
pub(super) fn dtab(field: &Field<'_>, faults: &mut Faults<'_>) -> Option<Dtab> {
    name(field, Dtab::parse, faults)
}

/// A string in the naming language; an error points at its place in the file.
fn name<T>(
    field: &Field<'_>,
    parse: impl Fn(&str) -> Result<T, ParseError>,
    faults: &mut Faults<'_>,
) -> Option<T> {
    let written = string(field, faults)?;
    match parse(written) {
        Ok(name) => Some(name),
        Err(error) => {
            let begin = field.node.content;
            // The context that the error itself shows would be several lines.
            let message = if written.contains('\n') { error.problem() } else { error.to_string() };
            match place::in_source(faults.text.after(begin), written, error.offset()) {
                Some(at) => {
                    faults.add(begin + at, field.key.as_str(), Problem::Name { message, within: None })
                }
                None => {
                    let within = Some((written.to_owned(), error.offset()));
                    field.fault(Problem::Name { message, within }, faults);
                }
            }
            None
        }
    }
}

fn parse_host(written: &str) -> Option<String> {
    let bracketed = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bracketed.unwrap_or(written).parse::<IpAddr>() {
        return (bracketed.is_none() || ip.is_ipv6()).then(|| ip.to_string());
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = (1..=MAX_HOST_BYTES).contains(&written.len()) && written.bytes().all(letters);
    fits.then(|| written.to_owned())
}

fn out_of_range(found: String, least: &impl ToString, most: &impl ToString) -> Problem {
    Problem::OutOfRange { found, least: least.to_string(), most: most.to_string() }
}

/// An integer as it was written, as far as that is known.
fn shown(integer: i128) -> String {
    match integer {
        i128::MAX | i128::MIN => "the number".to_owned(),
        _ => integer.to_string(),
    }
}

fn malformed(found: &str, expected: &'static str) -> Problem {
    Problem::Malformed { found: found.chars().take(MAX_HOST_BYTES).collect(), expected }
}

/// The longest host name (RFC 1035, 2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// The longest label of a router: it is part of metric and span names.
const MAX_LABEL_CHARS: usize = 128;
