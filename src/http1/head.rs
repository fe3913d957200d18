//! Parsed message heads: views into the caller's buffer, with every question the proxy asks of a head already
//! answered. How they come about is in `parse.rs`.

use super::body::BodyLength;
use super::copy::copy_headers;
use crate::http::{AbsoluteTarget, Known, KnownSet, Version};
use std::mem::MaybeUninit;

/// Most header lines in one head; one more is answered with 431.
pub const MAX_HEADERS: usize = 128;

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'b> {
    /// Which name it is, when the proxy knows it.
    pub known: Known,
    /// The name as it was written; a token.
    pub name: &'b [u8],
    /// The value without the blanks around it: visible characters, blanks, tabs and bytes above 0x7F.
    pub value: &'b [u8],
}

/// Room for the header lines of one head, on the caller's stack. It is left uninitialised until a parser fills
/// it: clearing five KiB would cost as much as parsing a small head.
pub struct HeaderSlots<'b>([MaybeUninit<Header<'b>>; MAX_HEADERS]);

impl<'b> HeaderSlots<'b> {
    /// Empty slots.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_HEADERS])
    }

    /// Fills the slots from the start; what does not fit is left out.
    #[inline]
    pub(super) fn fill(&mut self, headers: impl Iterator<Item = Header<'b>>) -> &mut [Header<'b>] {
        let mut filled = 0;
        for (slot, header) in self.0.iter_mut().zip(headers) {
            slot.write(header);
            filled += 1;
        }
        // SAFETY: the loop has initialised the first `filled` slots, `filled` is at most the number of slots, and
        // `MaybeUninit<T>` has the layout of `T`.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), filled) }
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for HeaderSlots<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderSlots").finish_non_exhaustive()
    }
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'b, 's> {
    /// The method, a token; never CONNECT.
    pub method: &'b str,
    /// The target as it was received: origin form, absolute form or `*`. Visible ASCII without `#`.
    pub target: &'b [u8],
    /// The target taken apart, when it is in absolute form.
    pub absolute: Option<AbsoluteTarget<'b>>,
    /// The version the request line states.
    pub version: Version,
    /// The header lines in arrival order.
    pub headers: &'s [Header<'b>],
    /// Whom the request is for: the authority of an absolute target, else the Host field, which may be empty. A
    /// valid authority (`http::is_authority`).
    pub host: Option<&'b [u8]>,
    /// How the body is framed; never `UntilClose`.
    pub body: BodyLength,
    /// Whether the caller is ready to send another request on this connection.
    pub keep_alive: bool,
    /// Whether the caller waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The header lines as they stand in the buffer, without the empty line.
    pub(super) lines: &'b [u8],
    /// The names that end at this hop.
    pub(super) hop_by_hop: KnownSet,
}

impl<'b> RequestHead<'b, '_> {
    /// Whether `header`, one of this head's, ends here and must not be sent on.
    #[must_use]
    #[inline]
    pub const fn is_hop_by_hop(&self, header: &Header<'b>) -> bool {
        self.hop_by_hop.contains(header.known)
    }

    /// The value of the first header named `name`.
    #[must_use]
    pub fn header(&self, name: Known) -> Option<&'b [u8]> {
        first_value(self.headers, name)
    }

    /// Appends to `out` the header lines that do not end at this hop and for which `keep` is true, as they were
    /// received, line ends included. Neighbouring lines are copied together.
    #[inline]
    pub fn copy_headers(&self, out: &mut Vec<u8>, mut keep: impl FnMut(&Header<'b>) -> bool) {
        copy_headers(self.headers, self.lines, out, |header| !self.is_hop_by_hop(header) && keep(header));
    }
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'b, 's> {
    /// The version the status line states.
    pub version: Version,
    /// The status code, 100 to 999; below 200 the final response is still to come.
    pub status: u16,
    /// The reason phrase; may be empty, and may hold bytes above 0x7F.
    pub reason: &'b [u8],
    /// The header lines in arrival order.
    pub headers: &'s [Header<'b>],
    /// How the body is framed.
    pub body: BodyLength,
    /// Whether the connection can serve another request once the body has been read.
    pub keep_alive: bool,
    /// The header lines as they stand in the buffer, without the empty line.
    pub(super) lines: &'b [u8],
    /// The names that end at this hop.
    pub(super) hop_by_hop: KnownSet,
}

impl<'b> ResponseHead<'b, '_> {
    /// Whether `header`, one of this head's, ends here and must not be sent on. A Content-Length counts as such
    /// where the status forbids one (1xx and 204, RFC 9110 8.6).
    #[must_use]
    #[inline]
    pub const fn is_hop_by_hop(&self, header: &Header<'b>) -> bool {
        self.hop_by_hop.contains(header.known)
    }

    /// The value of the first header named `name`.
    #[must_use]
    pub fn header(&self, name: Known) -> Option<&'b [u8]> {
        first_value(self.headers, name)
    }

    /// Appends to `out` the header lines that do not end at this hop and for which `keep` is true, as they were
    /// received, line ends included. Neighbouring lines are copied together.
    #[inline]
    pub fn copy_headers(&self, out: &mut Vec<u8>, mut keep: impl FnMut(&Header<'b>) -> bool) {
        copy_headers(self.headers, self.lines, out, |header| !self.is_hop_by_hop(header) && keep(header));
    }
}

fn first_value<'b>(headers: &[Header<'b>], name: Known) -> Option<&'b [u8]> {
    headers.iter().find(|header| header.known == name).map(|header| header.value)
}

/// What a head parser has to say about its input.
#[derive(Debug)]
pub enum Parsed<T> {
    /// A whole head, which takes up the first `consumed` bytes.
    Complete {
        /// The head.
        head: T,
        /// Bytes of the input that belong to it, empty lines before it included.
        consumed: usize,
    },
    /// The input is the beginning of a head within the limits: read more, and call again with all of it.
    NeedMore,
}

/// Why a head is refused. The connection it came on is of no further use: where the next message would begin is
/// unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HeadError {
    /// The status to answer a request with: 400, 414, 431, 501 or 505. Without meaning for a response.
    pub status: u16,
    /// What is wrong with it, as a short phrase.
    pub reason: &'static str,
}

impl HeadError {
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }
}
