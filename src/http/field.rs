//! Field names the proxy acts on, as one byte each, so that a name is compared once per message and is a
//! number afterwards; and the grammar of field names and values (RFC 9110 5).

/// Declares [`Known`] and the table of its names from one list.
macro_rules! known {
    ($($variant:ident = $name:literal,)*) => {
        /// A field name the proxy knows. Everything it does not know is [`Known::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            /// A name the proxy does nothing with.
            Other,
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// A name otherwise unknown that the message's own Connection field lists: it ends at this hop.
            Nominated,
        }

        impl Known {
            /// Every name, with its variant.
            pub(super) const NAMES: &[(Self, &'static str)] = &[$((Self::$variant, $name),)*];

            /// The name in lower case; empty for `Other` and `Nominated`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Other | Self::Nominated => "",
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

known! {
    Host = "host",
    Connection = "connection",
    ContentLength = "content-length",
    TransferEncoding = "transfer-encoding",
    Te = "te",
    Trailer = "trailer",
    Upgrade = "upgrade",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    KeepAlive = "keep-alive",
    ProxyConnection = "proxy-connection",
    Expect = "expect",
    Via = "via",
    MaxForwards = "max-forwards",
    ContentType = "content-type",
    ContentEncoding = "content-encoding",
    ContentRange = "content-range",
    CacheControl = "cache-control",
    Date = "date",
    Authorization = "authorization",
    Cookie = "cookie",
    SetCookie = "set-cookie",
    Location = "location",
    Refresh = "refresh",
    RetryAfter = "retry-after",
    Forwarded = "forwarded",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedProto = "x-forwarded-proto",
    XForwardedClientCert = "x-forwarded-client-cert",
    L5dCtxTrace = "l5d-ctx-trace",
    L5dCtxDtab = "l5d-ctx-dtab",
    L5dCtxDeadline = "l5d-ctx-deadline",
    L5dDtab = "l5d-dtab",
    L5dSample = "l5d-sample",
    L5dReqid = "l5d-reqid",
    L5dName = "l5d-name",
    L5dDstService = "l5d-dst-service",
    L5dDstClient = "l5d-dst-client",
    L5dDstResidual = "l5d-dst-residual",
    L5dAddContext = "l5d-add-context",
    L5dErr = "l5d-err",
    L5dRetryable = "l5d-retryable",
    L5dSuccessClass = "l5d-success-class",
    XB3TraceId = "x-b3-traceid",
    XB3SpanId = "x-b3-spanid",
    XB3ParentSpanId = "x-b3-parentspanid",
    XB3Sampled = "x-b3-sampled",
    XB3Flags = "x-b3-flags",
}

impl Known {
    /// The bit of this name in a [`KnownSet`].
    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

// A `KnownSet` is one machine word.
const _: () = assert!((Known::Nominated as u8) < 64, "too many known names for a KnownSet");

/// A set of known names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownSet(u64);

impl KnownSet {
    /// The set of `names`.
    #[must_use]
    pub const fn of(names: &[Known]) -> Self {
        let mut set = Self(0);
        let mut index = 0;
        while index < names.len() {
            set = set.with(names[index]);
            index += 1;
        }
        set
    }

    /// This set and `name`.
    #[must_use]
    pub const fn with(self, name: Known) -> Self {
        Self(self.0 | name.bit())
    }

    /// The names in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The names in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `name` is in the set.
    #[must_use]
    pub const fn contains(self, name: Known) -> bool {
        self.0 & name.bit() != 0
    }
}

/// Whether fields of this name carry context from hop to hop (`l5d-*`, `x-b3-*`, `x-forwarded-*`), known to us
/// or not.
#[must_use]
pub fn carries_context(name: &[u8]) -> bool {
    [&b"l5d-"[..], b"x-b3-", b"x-forwarded-"]
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

/// Whether `name` is a token (RFC 9110 5.6.2), as field names and methods must be.
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether `value` may stand in a field line: visible characters, blanks, tabs and bytes above 0x7F.
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

/// `value` without the blanks and tabs around it.
#[must_use]
pub fn trim(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once_and_in_lower_case() {
        for (index, (_, name)) in Known::NAMES.iter().enumerate() {
            assert_eq!(*name, name.to_lowercase());
            assert!(is_token(name.as_bytes()));
            assert!(Known::NAMES.iter().skip(index + 1).all(|(_, other)| other != name), "{name} twice");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = KnownSet::of(&[Known::Te, Known::Nominated]);
        assert!(set.contains(Known::Te) && set.contains(Known::Nominated));
        assert!(!set.contains(Known::Host) && !set.contains(Known::Other));
        assert_eq!(set.intersection(KnownSet::of(&[Known::Te, Known::Via])), KnownSet::of(&[Known::Te]));
        assert_eq!(KnownSet::default().union(set), set);
    }

    #[test]
    fn context_fields_are_told_by_prefix() {
        for (name, expected) in [
            ("L5D-anything", true),
            ("x-b3-TraceId", true),
            ("X-Forwarded-Port", true),
            ("l5d", false),
            ("x-b30", false),
            ("", false),
        ] {
            assert_eq!(carries_context(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn trimming_takes_blanks_and_tabs_only() {
        for (value, expected) in [(" \ta b\t ", "a b"), ("", ""), (" \t ", ""), ("\u{b}a", "\u{b}a")] {
            assert_eq!(trim(value.as_bytes()), expected.as_bytes());
        }
    }
}
