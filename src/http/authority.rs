//! The grammar of Host values and authorities: `uri-host [ ":" port ]` (RFC 9110 7.2, RFC 3986 3.2.2, 3.2.3).
//! A Host becomes part of a logical name, so what may stand in it is checked byte by byte.

/// Whether `value` is a host with an optional port and without userinfo. The host may be empty, as in the Host
/// field of a target that has no authority; a port may be empty too, but never above 65535.
#[must_use]
pub fn is_authority(value: &[u8]) -> bool {
    let port = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else {
                return false;
            };
            let (literal, port) = rest.split_at(end);
            if !is_ip_literal(literal) {
                return false;
            }
            port.strip_prefix(b"]").unwrap_or_default()
        }
        _ => behind_name(value),
    };
    match port {
        [] => true,
        [b':', digits @ ..] => is_port(digits),
        _ => false,
    }
}

/// What may stand between brackets: hex groups, dots of an embedded IPv4 address, a version and a zone. The
/// address itself is not read: it stays a name until something connects to it.
fn is_ip_literal(literal: &[u8]) -> bool {
    !literal.is_empty()
        && literal.iter().all(|&byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'%' | b'-' | b'_' | b'~')
        })
}

/// What is left of `value` behind a registered name, which may be empty.
fn behind_name(value: &[u8]) -> &[u8] {
    let mut rest = value;
    loop {
        let end = rest.iter().position(|&byte| !NAME_BYTES[usize::from(byte)]).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default();
        match rest {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after
            }
            _ => return rest,
        }
    }
}

/// Unreserved characters and sub-delimiters, by byte.
static NAME_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=";
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
};

fn is_port(digits: &[u8]) -> bool {
    digits
        .iter()
        .try_fold(0_u16, |port, &byte| {
            let digit = byte.is_ascii_digit().then_some(u16::from(byte & 0xF))?;
            port.checked_mul(10)?.checked_add(digit)
        })
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::is_authority;

    #[test]
    fn hosts_with_and_without_port_are_accepted() {
        for value in [
            "",
            "web",
            "Web.Example.COM:8080",
            "127.0.0.1:80",
            "127.1",
            "[::1]",
            "[::1]:80",
            "[fe80::1%25eth0]:80",
            "a_b.svc",
            "web:",
            "caf%C3%A9",
            "a:65535",
            "a:00080",
            "x~y!z",
        ] {
            assert!(is_authority(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (value, why) in [
            ("admin@t.example", "userinfo"),
            ("t.example/../../$/inet/192.0.2.1/9", "path"),
            ("a?b", "query"),
            ("a#b", "fragment"),
            ("a b", "blank"),
            ("a\\b", "backslash"),
            ("a\tb", "tab"),
            ("caf\u{e9}", "not ASCII"),
            ("a%zz", "broken escape"),
            ("a%2", "cut escape"),
            ("a:99999", "port above 65535"),
            ("a:65536", "port above 65535"),
            ("a:+80", "sign in port"),
            ("a:80:80", "two ports"),
            ("[::1", "no closing bracket"),
            ("[]", "empty literal"),
            ("[::1]80", "no colon before the port"),
            ("[::1/]", "slash in literal"),
            ("::1", "literal without brackets"),
        ] {
            assert!(!is_authority(value.as_bytes()), "{value}: {why}");
        }
    }
}
