//! Which of the addresses that a lookup found are used.

use std::net::IpAddr;
use std::sync::Arc;

/// Addresses of one name that are used; the rest of a longer answer is ignored.
pub const ADDRESSES_PER_NAME: usize = 1_000;

/// The usable ones of `found`: sorted, each once, so that two answers in another order are the same set.
///
/// IPv6 addresses are used when `ipv6` says that the machine has an address to reach them from. `::1` needs
/// none, and is used when nothing else is left: a name that only means this machine keeps working.
pub(super) fn usable(mut found: Vec<IpAddr>, ipv6: bool) -> Arc<[IpAddr]> {
    found.sort_unstable();
    found.dedup();
    let reachable = |address: &IpAddr| address.is_ipv4() || ipv6;
    let used: Arc<[IpAddr]> = found.iter().copied().filter(reachable).take(ADDRESSES_PER_NAME).collect();
    if used.is_empty() { found.into_iter().filter(IpAddr::is_loopback).collect() } else { used }
}

/// Whether the machine has an IPv6 address that is neither loopback nor link-local, by the text of
/// `/proc/net/if_inet6`: address, interface number, prefix length, scope, flags, interface name.
pub(super) fn has_ipv6(if_inet6: &str) -> bool {
    /// The scopes of loopback and link-local addresses.
    const LOCAL: [&str; 2] = ["10", "20"];
    let scopes = if_inet6.lines().filter_map(|line| line.split_whitespace().nth(3));
    scopes.into_iter().any(|scope| !LOCAL.contains(&scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ipv6_is_used_where_the_machine_has_it() {
        for (found, ipv6, expected) in [
            (
                &["10.0.0.2", "2001:db8::1", "10.0.0.1"][..],
                true,
                &["10.0.0.1", "10.0.0.2", "2001:db8::1"][..],
            ),
            (&["10.0.0.2", "2001:db8::1"], false, &["10.0.0.2"]),
            (&["2001:db8::1"], false, &[]),
            (&["::1"], false, &["::1"]),
            (&["127.0.0.1", "::1"], false, &["127.0.0.1"]),
            (&["10.0.0.1", "10.0.0.1"], false, &["10.0.0.1"]),
            (&[], true, &[]),
        ] {
            assert_eq!(
                usable(addresses(found), ipv6).as_ref(),
                addresses(expected),
                "{found:?}, ipv6 {ipv6}"
            );
        }
    }

    #[test]
    fn an_endless_answer_is_cut() {
        let found = (0..5_000_u32).map(|n| IpAddr::V4((0x0a00_0000 + n).into())).collect();
        assert_eq!(usable(found, false).len(), ADDRESSES_PER_NAME);
    }

    #[test]
    fn loopback_and_link_local_addresses_do_not_make_ipv6() {
        let loopback = "00000000000000000000000000000001 01 80 10 80       lo\n";
        let link = "fe80000000000000021122fffe334455 02 40 20 80     eth0\n";
        let global = "20010db8000000000000000000000001 02 40 00 80     eth0\n";
        for (text, expected) in [
            (String::new(), false),
            (loopback.to_owned(), false),
            (format!("{loopback}{link}"), false),
            (format!("{loopback}{link}{global}"), true),
            ("nonsense".to_owned(), false),
        ] {
            assert_eq!(has_ipv6(&text), expected, "{text:?}");
        }
    }
}
