//! Request targets in absolute form, `http://host:port/path?query` (RFC 9112 3.2.2), as callers send them that
//! were told to use a proxy.

use super::authority::is_authority;

/// A target in absolute form, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteTarget<'b> {
    /// The scheme as it was written.
    pub scheme: &'b [u8],
    /// Host and optional port; never empty, and without userinfo.
    pub authority: &'b [u8],
    /// Everything behind the authority, byte for byte: empty, or beginning with `/` or `?`.
    pub rest: &'b [u8],
}

impl<'b> AbsoluteTarget<'b> {
    /// Takes `target` apart; `None` when it is not a valid target in absolute form.
    #[must_use]
    pub fn parse(target: &'b [u8]) -> Option<Self> {
        let colon = target.iter().position(|&byte| byte == b':')?;
        let (scheme, behind) = target.split_at(colon);
        let behind = behind.strip_prefix(b"://")?;
        let end = behind.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(behind.len());
        let (authority, rest) = behind.split_at(end);
        // RFC 9110 4.2.1: a sender must not generate an http URI with an empty host.
        let valid = is_scheme(scheme)
            && !authority.is_empty()
            && !authority.starts_with(b":")
            && is_authority(authority);
        valid.then_some(Self { scheme, authority, rest })
    }

    /// The origin form to send on, as the bytes before and after: an empty path becomes `/`, or `*` for OPTIONS
    /// without a query (RFC 9112 3.2.4).
    #[must_use]
    pub fn origin_form(&self, method: &str) -> (&'static [u8], &'b [u8]) {
        match self.rest.first() {
            Some(b'/') => (b"", self.rest),
            Some(_) => (b"/", self.rest),
            None if method == "OPTIONS" => (b"*", b""),
            None => (b"/", b""),
        }
    }
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_target_gives_its_authority_and_the_origin_form() {
        for (method, target, authority, origin) in [
            ("GET", "http://acme.co:8080/foo", "acme.co:8080", "/foo"),
            ("GET", "http://acme.co:8080/foo?x=R%26D", "acme.co:8080", "/foo?x=R%26D"),
            ("GET", "HTTP://Acme.co/a/b", "Acme.co", "/a/b"),
            ("GET", "http://t.example", "t.example", "/"),
            ("GET", "http://t.example?q=/1", "t.example", "/?q=/1"),
            ("OPTIONS", "http://t.example", "t.example", "*"),
            ("OPTIONS", "http://t.example?q", "t.example", "/?q"),
            ("OPTIONS", "http://t.example/", "t.example", "/"),
            ("GET", "http://[::1]:80/x://y", "[::1]:80", "/x://y"),
        ] {
            let parsed = AbsoluteTarget::parse(target.as_bytes()).unwrap();
            assert_eq!(parsed.authority, authority.as_bytes(), "{target}");
            let (before, after) = parsed.origin_form(method);
            assert_eq!([before, after].concat(), origin.as_bytes(), "{target}");
        }
    }

    #[test]
    fn what_is_not_an_absolute_target_is_refused() {
        for (target, why) in [
            ("", "empty"),
            ("foo", "neither path nor scheme"),
            ("/r?u=http://other/", "origin form"),
            ("http:/a", "one slash"),
            ("http:///a", "no host"),
            ("http://:80/", "port without host"),
            ("://a/", "no scheme"),
            ("1http://a/", "scheme begins with a digit"),
            ("ht tp://a/", "blank in scheme"),
            ("http://user@a/", "userinfo"),
            ("http://a:x/", "port is no number"),
            ("http://a\\b/", "backslash in host"),
            ("t.example:443", "authority form"),
        ] {
            assert_eq!(AbsoluteTarget::parse(target.as_bytes()), None, "{target}: {why}");
        }
    }
}
