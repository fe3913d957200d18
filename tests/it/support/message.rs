//! HTTP/1.1 messages as the far side of a test reads them: simply and strictly, so that every byte which the
//! proxy sends is looked at.

use std::io::{self, BufRead, Read};

/// Longest body that is collected; longer ones are read piecemeal by their test.
const LONGEST_BODY: usize = 64 * 1024 * 1024;

/// A request or response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request line or status line, without its line end.
    pub(crate) first_line: String,
    /// Names as sent, values without surrounding blanks.
    pub(crate) headers: Vec<(String, String)>,
    /// The payload: of a chunked body, without its framing.
    pub(crate) body: Vec<u8>,
    /// The sizes of the chunks, if the body was chunked; the last one, of size 0, included.
    pub(crate) chunks: Vec<usize>,
    /// The trailer fields of a chunked body.
    pub(crate) trailers: Vec<(String, String)>,
}

/// How the end of a body is told when no header says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Then there is no body.
    Request,
    /// Then it ends with the connection, except for the statuses that have none.
    Response,
    /// Headers may speak of a body, and there is none.
    ResponseToHead,
}

impl Message {
    /// The first value of `name`, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of `name`, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The code of a response.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let code = self.first_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("no status line: {:?}", self.first_line))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads a head, up to and with its empty line. None if the connection ends before the first byte.
    pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first_line) = read_line(stream)? else { return Ok(None) };
        Ok(Some(Self { first_line, headers: read_fields(stream)?, ..Self::default() }))
    }

    /// Reads a whole message. None if the connection ends before its first byte.
    pub(crate) fn read(stream: &mut impl BufRead, kind: Kind) -> io::Result<Option<Self>> {
        let Some(mut message) = Self::read_head(stream)? else { return Ok(None) };
        message.read_body(stream, kind)?;
        Ok(Some(message))
    }

    /// Reads the body that the head promises.
    pub(crate) fn read_body(&mut self, stream: &mut impl BufRead, kind: Kind) -> io::Result<()> {
        if kind == Kind::ResponseToHead {
            return Ok(());
        }
        if kind == Kind::Response && matches!(self.status(), 100..=199 | 204 | 304) {
            return Ok(());
        }
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks(stream);
        }
        match (self.header("content-length"), kind) {
            (Some(length), _) => {
                let length: usize = length.parse().map_err(|_| bad("content-length", length))?;
                if length > LONGEST_BODY {
                    return Err(bad("too long a body to collect", &length.to_string()));
                }
                self.body.resize(length, 0);
                stream.read_exact(&mut self.body)
            }
            (None, Kind::Response) => {
                stream.take(LONGEST_BODY as u64).read_to_end(&mut self.body)?;
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    fn read_chunks(&mut self, stream: &mut impl BufRead) -> io::Result<()> {
        loop {
            let line = read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let digits = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).map_err(|_| bad("chunk size", &line))?;
            self.chunks.push(size);
            if size == 0 {
                self.trailers = read_fields(stream)?;
                return Ok(());
            }
            let start = self.body.len();
            if start + size > LONGEST_BODY {
                return Err(bad("too long a body to collect", &line));
            }
            self.body.resize(start + size, 0);
            stream.read_exact(&mut self.body[start..])?;
            match read_line(stream)?.as_deref() {
                Some("") => {}
                other => return Err(bad("no line end after a chunk", other.unwrap_or_default())),
            }
        }
    }
}

fn read_fields(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("field line", &line))?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A line without its CR LF; anything else at its end is an error. None at the end of the stream.
fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Err(bad("line end", &String::from_utf8_lossy(&line)));
    };
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

fn bad(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {text:?}"))
}
