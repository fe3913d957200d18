//! The ways in which a body's end is told, and a destination that takes and gives bodies in each of them.

use super::pattern::Pattern;
use crate::support::Connection;
use std::io::{self, Write};

/// The forms in which a body of `length` can be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Length,
    /// In chunks of these sizes, in turn.
    Chunks(&'static [usize]),
    /// Up to the end of the connection.
    Close,
}

pub(super) const LARGE_CHUNKS: Form = Form::Chunks(&[64 * 1024]);
pub(super) const SMALL_CHUNKS: Form = Form::Chunks(&[4 * 1024]);
pub(super) const ODD_CHUNKS: Form =
    Form::Chunks(&[1, 65_537, 7, 4_095, 32_768, 4_097, 100_003, 15, 16, 17, 32_761]);

impl Form {
    pub(super) fn head(self, length: u64) -> String {
        match self {
            Self::Length => format!("content-length: {length}\r\n\r\n"),
            Self::Chunks(_) => "transfer-encoding: chunked\r\n\r\n".to_owned(),
            Self::Close => "\r\n".to_owned(),
        }
    }

    pub(super) fn send(self, to: &mut impl Write, length: u64) -> io::Result<()> {
        match self {
            Self::Length | Self::Close => Pattern::new().send(to, length, 256 * 1024),
            Self::Chunks(sizes) => Pattern::new().send_chunked(to, length, sizes),
        }
    }
}

/// A destination that answers `/LENGTH` with a body of that length, and checks the body it gets.
pub(super) fn serve(mut connection: Connection, form: Form) {
    while let Some(head) = connection.head() {
        if let Some(length) = head.header("content-length") {
            Pattern::new().check(connection.reader(), length.parse().unwrap(), usize::MAX, |_| {});
        } else if let Some(length) = head.header("x-length") {
            Pattern::new().check_chunked(connection.reader(), length.parse().unwrap(), |_| {});
        }
        let target = head.first_line.split(' ').nth(1).unwrap();
        let length = target.trim_start_matches('/').parse().unwrap();
        if connection.send(format!("HTTP/1.1 200 OK\r\n{}", form.head(length))).is_err()
            || form.send(&mut Writer(&mut connection), length).is_err()
            || matches!(form, Form::Close)
        {
            return;
        }
    }
}

/// A destination's connection as something to write to.
pub(super) struct Writer<'a>(pub(super) &'a mut Connection);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
