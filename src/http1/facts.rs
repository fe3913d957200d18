//! What the header fields of a head say about the message as a whole, gathered in one pass over their numbers.

use super::body::{parse_content_length, parse_transfer_encoding};
use super::head::{HeadError, Header};
use crate::http::{Known, KnownSet, Version, carries_context, classify, is_authority, trim};

/// Most options in the Connection fields of one head. Each is compared with the name of each header, which
/// makes the product of both the price of a head.
pub const MAX_CONNECTION_OPTIONS: usize = 32;

/// The fields that end at this hop in every message (RFC 9110 7.6.1). Keep-Alive and Proxy-Connection end here
/// only when Connection lists them, as with Linkerd.
const ALWAYS_HOP_BY_HOP: KnownSet = KnownSet::of(&[
    Known::Connection,
    Known::Nominated,
    Known::ProxyAuthenticate,
    Known::ProxyAuthorization,
    Known::Te,
    Known::Trailer,
    Known::TransferEncoding,
    Known::Upgrade,
]);

/// The known fields that Connection may list. The others travel end to end by definition, and we act on many of
/// them: a peer that could remove Host, Content-Length or l5d-* by listing them would change what a message
/// means behind the back of whoever reads it next.
const NOMINABLE: KnownSet = KnownSet::of(&[Known::KeepAlive, Known::ProxyConnection]);

/// What the fields of one head say.
#[derive(Debug)]
pub(super) struct Facts<'b> {
    pub(super) host: Option<&'b [u8]>,
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) expect_continue: bool,
    /// Connection lists `close`.
    close: bool,
    /// Connection lists `keep-alive`.
    keep_alive: bool,
    pub(super) hop_by_hop: KnownSet,
}

impl<'b> Facts<'b> {
    /// Gathers the facts, and marks as [`Known::Nominated`] the headers that only Connection knows to end here.
    #[inline]
    pub(super) fn gather(headers: &mut [Header<'b>]) -> Result<Self, HeadError> {
        let mut facts = Self {
            host: None,
            content_length: None,
            chunked: false,
            expect_continue: false,
            close: false,
            keep_alive: false,
            hop_by_hop: ALWAYS_HOP_BY_HOP,
        };
        let mut options = Options::default();
        for header in headers.iter() {
            match header.known {
                Known::Other => {}
                Known::Host => facts.set_host(header.value)?,
                Known::ContentLength => facts.set_content_length(header.value)?,
                Known::TransferEncoding => facts.set_transfer_encoding(header.value)?,
                Known::Connection => facts.read_connection(header.value, &mut options)?,
                Known::Expect => facts.expect_continue |= header.value.eq_ignore_ascii_case(b"100-continue"),
                _ => {}
            }
        }
        if options.others {
            mark_nominated(headers);
        }
        Ok(facts)
    }

    /// Whether the peer keeps the connection open after this message (RFC 9112 9.3).
    pub(super) const fn keep_alive(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        }
    }

    fn set_host(&mut self, value: &'b [u8]) -> Result<(), HeadError> {
        if self.host.replace(value).is_some() {
            return Err(HeadError::bad("several Host fields"));
        }
        if is_authority(value) { Ok(()) } else { Err(HeadError::bad("invalid Host")) }
    }

    fn set_content_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.content_length.replace(parse_content_length(value)?).is_some() {
            return Err(HeadError::bad("several Content-Length fields"));
        }
        Ok(())
    }

    fn set_transfer_encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if std::mem::replace(&mut self.chunked, true) {
            return Err(HeadError::bad("several Transfer-Encoding fields"));
        }
        parse_transfer_encoding(value)
    }

    fn read_connection(&mut self, value: &[u8], options: &mut Options) -> Result<(), HeadError> {
        for option in connection_options(value) {
            options.count += 1;
            if options.count > MAX_CONNECTION_OPTIONS {
                return Err(HeadError::bad("too many Connection options"));
            }
            match classify(option) {
                Known::Other if option.eq_ignore_ascii_case(b"close") => self.close = true,
                Known::Other => options.others |= !option.is_empty(),
                known => {
                    self.keep_alive |= known == Known::KeepAlive;
                    self.hop_by_hop = self.hop_by_hop.union(NOMINABLE.intersection(KnownSet::of(&[known])));
                }
            }
        }
        Ok(())
    }
}

/// What the Connection fields hold besides the options that have a fact of their own.
#[derive(Default)]
struct Options {
    count: usize,
    /// Some option is a name we do not know.
    others: bool,
}

fn connection_options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Marks every unknown header that a Connection field lists; rare enough not to be quick about.
#[cold]
fn mark_nominated(headers: &mut [Header<'_>]) {
    for index in 0..headers.len() {
        let (before, rest) = headers.split_at_mut(index);
        let Some((header, after)) = rest.split_first_mut() else {
            return;
        };
        let listed = header.known == Known::Other
            && !carries_context(header.name)
            && before
                .iter()
                .chain(after.iter())
                .filter(|other| other.known == Known::Connection)
                .flat_map(|connection| connection_options(connection.value))
                .any(|option| option.eq_ignore_ascii_case(header.name));
        if listed {
            header.known = Known::Nominated;
        }
    }
}
