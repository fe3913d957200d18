//! What every version of HTTP has in common: versions, field names the proxy acts on, authorities, targets,
//! reason phrases. Nothing here knows how a message looks on the wire; that is `http1/`.

mod authority;
mod classify;
mod field;
mod reason;
mod target;

pub use authority::is_authority;
pub use classify::classify;
pub use field::{Known, KnownSet, carries_context, is_field_value, is_token, trim};
pub use reason::reason;
pub use target::AbsoluteTarget;

/// The HTTP version of a message, as its first line states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// The version as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}
