//! One lookup of one name, by the system's resolver: hosts file, DNS, whatever the machine is set up for.

use super::policy;
use std::ffi::{CStr, CString};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::{fmt, ptr};

/// What a lookup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Addresses, in any order; none means that the name has none.
    Found(Vec<IpAddr>),
    /// There is no such name.
    NoSuchHost,
    /// The lookup did not work; why.
    Failed(String),
}

type Lookup = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// How names are looked up.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(Arc<str>) -> Lookup + Send + Sync>);

impl Resolver {
    /// The system's resolver, on the runtime's blocking threads. Addresses that this machine cannot reach
    /// are left out (see `policy.rs`).
    #[must_use]
    pub fn system() -> Self {
        Self::with(|host| async move {
            let lookup = tokio::task::spawn_blocking(move || match look_up(&host) {
                Outcome::Found(addresses) => Outcome::Found(policy::usable(addresses, has_ipv6()).to_vec()),
                other => other,
            });
            lookup.await.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
        })
    }

    /// A resolver that answers what `lookup` says.
    pub fn with<F, A>(lookup: F) -> Self
    where
        F: Fn(Arc<str>) -> A + Send + Sync + 'static,
        A: Future<Output = Outcome> + Send + 'static,
    {
        Self(Arc::new(move |host| Box::pin(lookup(host))))
    }

    pub(super) fn look_up(&self, host: Arc<str>) -> Lookup {
        (self.0)(host)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

fn has_ipv6() -> bool {
    std::fs::read_to_string("/proc/net/if_inet6").is_ok_and(|text| policy::has_ipv6(&text))
}

/// Asks `getaddrinfo` and blocks. The standard library's lookup would do, but its error does not tell a name
/// that does not exist from a lookup that did not work.
fn look_up(host: &str) -> Outcome {
    let Ok(name) = CString::new(host) else { return Outcome::NoSuchHost };
    // SAFETY: all fields of addrinfo are integers and pointers, for which zero is the documented default.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_UNSPEC;
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: `name` is a C string, a service of null is allowed, `hints` and `list` outlive the call.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    match code {
        0 => {
            let found = addresses_of(list);
            // SAFETY: `list` came from a getaddrinfo that worked, and nothing refers to it any more.
            unsafe { libc::freeaddrinfo(list) };
            Outcome::Found(found)
        }
        libc::EAI_NONAME | libc::EAI_NODATA => Outcome::NoSuchHost,
        libc::EAI_SYSTEM => Outcome::Failed(format!("{host}: {}", std::io::Error::last_os_error())),
        code => {
            // SAFETY: gai_strerror answers a constant C string for every code.
            let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
            Outcome::Failed(format!("{host}: {}", text.to_string_lossy()))
        }
    }
}

fn addresses_of(list: *const libc::addrinfo) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: `next` is null or an entry of the list, which lives until the caller frees it.
    while let Some(entry) = unsafe { next.as_ref() } {
        match entry.ai_family {
            libc::AF_INET => {
                // SAFETY: an entry of this family points at a sockaddr_in.
                let address = unsafe { ptr::read_unaligned(entry.ai_addr.cast::<libc::sockaddr_in>()) };
                found.push(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into());
            }
            libc::AF_INET6 => {
                // SAFETY: an entry of this family points at a sockaddr_in6.
                let address = unsafe { ptr::read_unaligned(entry.ai_addr.cast::<libc::sockaddr_in6>()) };
                found.push(Ipv6Addr::from(address.sin6_addr.s6_addr).into());
            }
            _ => {}
        }
        next = entry.ai_next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_found_without_dns() {
        let Outcome::Found(addresses) = look_up("localhost") else { panic!("localhost is not found") };
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }

    #[test]
    fn literals_are_read_in_both_families() {
        for literal in ["192.0.2.7", "2001:db8::7"] {
            assert_eq!(look_up(literal), Outcome::Found(vec![literal.parse().unwrap()]));
        }
    }

    #[test]
    fn a_name_that_cannot_exist_is_no_such_host() {
        assert_eq!(look_up("a\0b"), Outcome::NoSuchHost);
    }
}
