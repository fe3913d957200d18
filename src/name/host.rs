//! `Host`: how the host part of an address is read. Whether a name resolves is found out elsewhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where to connect to: an address, or a name that has addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A literal; needs no lookup.
    Ip(IpAddr),
    /// A name for DNS and the hosts file.
    Name(HostName),
}

impl Host {
    /// The address of this machine that `/$/inet/<port>` and `localhost` mean.
    pub const LOOPBACK: Self = Self::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// Reads a host as Linkerd's users write it: an IPv4 address in one to four decimal parts (`127.1`; a
    /// leading zero does not mean octal), an IPv6 address without brackets, `localhost` (never looked up), or
    /// a host name.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.eq_ignore_ascii_case("localhost") {
            return Some(Self::LOOPBACK);
        }
        if let Some(address) = parse_ipv4(text) {
            return Some(Self::Ip(IpAddr::V4(address)));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Self::Ip(IpAddr::V6(address)));
        }
        HostName::parse(text).map(Self::Name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name.as_str()),
        }
    }
}

/// A host name that is safe to hand to a resolver: short enough, made of labels of letters, digits, `-` and
/// `_`, and with nothing at its end that a resolver could take for a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName {
    text: Box<str>,
}

impl HostName {
    /// Longest name without its final dot (RFC 1035 section 3.1 with the length bytes taken off).
    pub const MAX_LEN: usize = 253;

    /// The name, when it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let fits = name.len() <= Self::MAX_LEN && name.split('.').all(is_host_label);
        // Resolvers still read `0x7f.1` and `1.2.3.256`-like text in the old C way, octal included. What is
        // no address by our rules must not become one by theirs; and no top-level domain is a number.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
            || last
                .strip_prefix("0x")
                .or_else(|| last.strip_prefix("0X"))
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        (fits && !numeric).then(|| Self { text: text.into() })
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Reads one to four decimal parts, of which the last fills all bytes that the others leave.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let (leading, last) = text.rsplit_once('.').map_or((None, text), |(leading, last)| (Some(leading), last));
    let mut address = 0_u32;
    let mut free_bits = u32::BITS;
    for part in leading.into_iter().flat_map(|leading| leading.split('.')) {
        let byte = u8::try_from(parse_decimal(part)?).ok()?;
        free_bits = free_bits.checked_sub(8).filter(|bits| *bits > 0)?;
        address |= u32::from(byte) << free_bits;
    }
    let last = parse_decimal(last)?;
    let fits = u64::from(last) < 1 << free_bits;
    fits.then(|| Ipv4Addr::from(address | last))
}

/// A number of digits only; `parse` alone would take a sign.
fn parse_decimal(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ipv4_addresses_have_one_to_four_decimal_parts_of_which_the_last_fills_the_rest() {
        for (text, address) in [
            ("127.1", [127, 0, 0, 1]),
            ("127.0.0.1", [127, 0, 0, 1]),
            ("1.2.3", [1, 2, 0, 3]),
            ("10.258", [10, 0, 1, 2]),
            ("2130706433", [127, 0, 0, 1]),
            ("010.0.0.1", [10, 0, 0, 1]),
            ("4294967295", [255, 255, 255, 255]),
            ("1.2.65535", [1, 2, 255, 255]),
            ("0", [0, 0, 0, 0]),
        ] {
            assert_eq!(Host::parse(text), Some(Host::Ip(IpAddr::from(address))), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_no_address_are_no_name_either() {
        for text in [
            "256.1",
            "1.2.3.256",
            "1.2.65536",
            "4294967296",
            "1.2.3.4.5",
            "0x7f.1",
            "0x7f000001",
            "127.0x1",
            "1..2",
            "+1.2.3.4",
            "1.2.3.",
            "web.0x",
            "99999999999999999999",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn other_hosts_are_loopback_ipv6_or_names() {
        for text in ["", "localhost", "LocalHost"] {
            assert_eq!(Host::parse(text), Some(Host::LOOPBACK), "{text}");
        }
        assert_eq!(Host::parse("::1"), Some(Host::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST))));
        for text in ["web", "web.example.com.", "my_svc.ns", "1a.b", "10.example", "xn--bcher-kva.example"] {
            assert!(matches!(Host::parse(text), Some(Host::Name(name)) if name.as_str() == text), "{text}");
        }
    }

    #[test]
    fn what_no_resolver_should_see_is_no_host() {
        let long_label = "a".repeat(64);
        let long_name = ["a"; 128].join(".");
        for text in
            ["a..b", ".a", ".", "a b", "a:80", "bücher.example", "a/b", "a\0b", "*", &long_label, &long_name]
        {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dotted_quads_are_read_like_the_standard_library_does(octets in any::<[u8; 4]>()) {
            let address = Ipv4Addr::from(octets);
            prop_assert_eq!(Host::parse(&address.to_string()), Some(Host::Ip(IpAddr::V4(address))));
        }
    }
}
