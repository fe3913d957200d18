//! `/$/inet/<host>/<port>` and, for this machine, `/$/inet/<port>`. What follows is the residual.

use super::{Name, NamerError};
use crate::name::{Bound, Destination, Host, Label, NameTree, Path};
use std::num::ParseIntError;

/// Binds an inet name; `None` when no label is where the port should be. A name always binds: whether its
/// host exists is a matter of addresses, not of names.
pub(super) fn lookup(path: &Path) -> Result<Option<NameTree<Name>>, NamerError> {
    let mut arguments = path.labels().skip(SYSTEM_AND_KIND);
    let (first, second) = (arguments.next(), arguments.next());
    // Of two numbers the first is a host, so this form has to be tried first.
    if let (Some(host), Some(port)) = (first, second)
        && let Some(port) = parse_port(port)
    {
        let port = port.into_port(path)?;
        return Ok(Some(bind(path, SYSTEM_AND_KIND + 2, destination(host, port))));
    }
    if let Some(port) = first.and_then(parse_port) {
        let port = port.into_port(path)?;
        return Ok(Some(bind(path, SYSTEM_AND_KIND + 1, Destination::Inet { host: Host::LOOPBACK, port })));
    }
    Ok(None)
}

fn bind(path: &Path, used: usize, destination: Destination) -> NameTree<Name> {
    NameTree::Leaf(Name::Bound(Bound { id: path.take(used), residual: path.skip(used), destination }))
}

fn destination(label: Label<'_>, port: u16) -> Destination {
    let bytes = label.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    if let Some(host) = Host::parse(&text) {
        return Destination::Inet { host, port };
    }
    let reason = if text.contains(':') {
        format!("You must specify host and port in hosts: {text}:{port}")
    } else {
        // The escaped form: what is no host name may hold anything.
        format!("Not a host name: {}", label.as_str())
    };
    Destination::Failed { reason: reason.into() }
}

/// A label that has the form of a port: decimal digits, possibly with a sign.
struct Port<'p> {
    label: Label<'p>,
    number: Result<u16, ParseIntError>,
}

impl Port<'_> {
    fn into_port(self, path: &Path) -> Result<u16, NamerError> {
        match self.number {
            Ok(port) if port != 0 => Ok(port),
            _ => Err(NamerError::PortOutOfRange { port: self.label.as_str().into(), path: path.clone() }),
        }
    }
}

fn parse_port(label: Label<'_>) -> Option<Port<'_>> {
    let bytes = label.to_bytes();
    let text = std::str::from_utf8(&bytes).ok()?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_integer.then(|| Port { label, number: text.parse() })
}

/// How many labels of an inet name come before its arguments.
const SYSTEM_AND_KIND: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::namer;
    use std::net::IpAddr;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn bound(text: &str) -> Bound {
        match namer::lookup(&path(text)) {
            Ok(NameTree::Leaf(Name::Bound(bound))) => bound,
            other => panic!("{text} is not bound: {other:?}"),
        }
    }

    #[test]
    fn the_port_ends_the_id_and_the_rest_is_residual() {
        for (text, id, residual, host, port) in [
            ("/$/inet/127.1/8080", "/$/inet/127.1/8080", "/", [127, 0, 0, 1], 8080),
            ("/$/inet/127.1/8080/a/b", "/$/inet/127.1/8080", "/a/b", [127, 0, 0, 1], 8080),
            ("/$/inet/8080", "/$/inet/8080", "/", [127, 0, 0, 1], 8080),
            ("/$/inet/8080/foo", "/$/inet/8080", "/foo", [127, 0, 0, 1], 8080),
            ("/$/inet/8080/9090/x", "/$/inet/8080/9090", "/x", [0, 0, 31, 144], 9090),
            ("/$/inet/1/2/3", "/$/inet/1/2", "/3", [0, 0, 0, 1], 2),
        ] {
            let host = Host::Ip(IpAddr::from(host));
            let expected = Bound {
                id: path(id),
                residual: path(residual),
                destination: Destination::Inet { host, port },
            };
            assert_eq!(bound(text), expected, "{text}");
        }
    }

    #[test]
    fn a_host_name_binds_whether_or_not_it_exists() {
        let destination = bound("/$/inet/web.example.com/80").destination;
        let host = Host::parse("web.example.com").unwrap();
        assert_eq!(destination, Destination::Inet { host, port: 80 });
    }

    #[test]
    fn a_host_that_cannot_be_one_is_a_destination_that_has_failed() {
        for (text, reason) in [
            ("/$/inet/a:b/80", "You must specify host and port in hosts: a:b:80"),
            ("/$/inet/a..b/80", "Not a host name: a..b"),
            (r"/$/inet/\x61\x00/80", r"Not a host name: \x61\x00"),
        ] {
            assert_eq!(bound(text).destination, Destination::Failed { reason: reason.into() });
        }
    }

    #[test]
    fn ports_out_of_range_are_errors() {
        for (text, port) in [
            ("/$/inet/127.1/65536", "65536"),
            ("/$/inet/127.1/0", "0"),
            ("/$/inet/127.1/-1/x", "-1"),
            ("/$/inet/99999999999", "99999999999"),
            ("/$/inet/8080/99999999999", "99999999999"),
        ] {
            let error = namer::lookup(&path(text)).unwrap_err();
            assert_eq!(error, NamerError::PortOutOfRange { port: port.into(), path: path(text) });
        }
    }
}
