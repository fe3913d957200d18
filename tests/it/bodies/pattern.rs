//! Bodies of any length that nobody has to keep: whoever knows the place of a byte knows the byte.

use std::io::{self, BufRead, Write};

pub(super) const MIB: u64 = 1024 * 1024;

/// A body whose every byte depends on its place: blocks of noise, each with its number in front.
pub(super) struct Pattern {
    block: Vec<u8>,
    /// The next byte.
    pub(super) at: u64,
}

const BLOCK: u64 = MIB;

impl Pattern {
    pub(super) fn new() -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut block = Vec::with_capacity(usize::try_from(BLOCK).unwrap());
        while (block.len() as u64) < BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        Self { block, at: 0 }
    }

    /// The next bytes: at least one, at most `limit`.
    pub(super) fn next(&mut self, limit: usize) -> &[u8] {
        self.block[..8].copy_from_slice(&(self.at / BLOCK).to_le_bytes());
        let start = usize::try_from(self.at % BLOCK).unwrap();
        let end = self.block.len().min(start + limit);
        self.at += (end - start) as u64;
        &self.block[start..end]
    }

    /// Asserts that `bytes` come next.
    pub(super) fn expect(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = self.at;
            let expected = self.next(bytes.len());
            let (piece, rest) = bytes.split_at(expected.len());
            assert!(piece == expected, "the body differs between bytes {at} and {}", self.at);
            bytes = rest;
        }
    }

    pub(super) fn send(mut self, to: &mut impl Write, length: u64, piece: usize) -> io::Result<()> {
        while self.at < length {
            let limit = usize::try_from(length - self.at).unwrap().min(piece);
            to.write_all(self.next(limit))?;
        }
        Ok(())
    }

    /// Sends chunks of these sizes in turn.
    pub(super) fn send_chunked(
        mut self,
        to: &mut impl Write,
        length: u64,
        sizes: &[usize],
    ) -> io::Result<()> {
        // Framing and payload in large writes, or small chunks would take all day.
        let mut buffer = Vec::new();
        for size in sizes.iter().cycle() {
            if self.at == length {
                break;
            }
            let limit = usize::try_from(length - self.at).unwrap().min(*size);
            let payload = self.next(limit);
            write!(buffer, "{:x}\r\n", payload.len())?;
            buffer.extend_from_slice(payload);
            buffer.extend_from_slice(b"\r\n");
            if buffer.len() > 256 * 1024 {
                to.write_all(&buffer)?;
                buffer.clear();
            }
        }
        buffer.extend_from_slice(b"0\r\n\r\n");
        to.write_all(&buffer)
    }

    /// Reads a body of known length, at most `piece` bytes at a time. `watch` sees how far it got.
    pub(super) fn check(
        mut self,
        from: &mut impl BufRead,
        length: u64,
        piece: usize,
        mut watch: impl FnMut(u64),
    ) {
        while self.at < length {
            let limit = usize::try_from(length - self.at).unwrap_or(usize::MAX).min(piece);
            let bytes = from.fill_buf().expect("the body goes on");
            assert!(!bytes.is_empty(), "the body ends after {} of {length} bytes", self.at);
            let count = bytes.len().min(limit);
            self.expect(&bytes[..count]);
            from.consume(count);
            watch(self.at);
        }
    }

    /// Reads a chunked body up to its end.
    pub(super) fn check_chunked(mut self, from: &mut impl BufRead, length: u64, mut watch: impl FnMut(u64)) {
        loop {
            let mut line = String::new();
            from.read_line(&mut line).expect("a chunk size");
            let size =
                u64::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("chunk size {line:?}"));
            let end = self.at + size;
            while self.at < end {
                let bytes = from.fill_buf().expect("the body goes on");
                assert!(!bytes.is_empty(), "the body ends after {} of {length} bytes", self.at);
                let count = bytes.len().min(usize::try_from(end - self.at).unwrap());
                self.expect(&bytes[..count]);
                from.consume(count);
            }
            let mut crlf = [0; 2];
            from.read_exact(&mut crlf).expect("the end of a chunk");
            assert_eq!(&crlf, b"\r\n");
            if size == 0 {
                assert_eq!(self.at, length);
                return;
            }
            watch(self.at);
        }
    }
}
