//! Buffers of one shard: taken for as long as there are bytes in flight, given back when a connection idles.

use std::cell::RefCell;

/// A shard's spare buffers, last used first, so that the busiest one stays in the cache.
#[derive(Debug, Default)]
pub struct Buffers {
    read: RefCell<Vec<Vec<u8>>>,
    write: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    fn take_read(&self) -> Vec<u8> {
        self.read.borrow_mut().pop().unwrap_or_else(|| vec![0; READ_BYTES])
    }

    fn give_read(&self, buffer: Vec<u8>) {
        let mut spare = self.read.borrow_mut();
        if buffer.len() == READ_BYTES && spare.len() < MAX_SPARE {
            spare.push(buffer);
        }
    }

    /// An empty buffer to encode into.
    #[must_use]
    pub fn take_write(&self) -> Vec<u8> {
        self.write.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(WRITE_BYTES))
    }

    /// Takes back a buffer of [`Buffers::take_write`].
    pub fn give_write(&self, mut buffer: Vec<u8>) {
        let mut spare = self.write.borrow_mut();
        // One that was moved out of has no memory worth keeping.
        if (1..=MAX_SPARE_WRITE_BYTES).contains(&buffer.capacity()) && spare.len() < MAX_SPARE {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

/// Bytes read from a peer and not yet used.
///
/// ```text
/// 0 .......... start ............ end .......... bytes.len()
///   used           unread             free
/// ```
///
/// Holds no memory while it is empty and released.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// What was read and not consumed.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is unread.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Marks the first `count` unread bytes as used.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start, "consumed more than was read");
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Space for the next read: at least one byte unless `limit` bytes are already unread.
    ///
    /// Unread bytes move to the front, and the buffer doubles, only when there is no space left behind them.
    pub(super) fn space(&mut self, buffers: &Buffers, limit: usize) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = buffers.take_read();
        }
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else if self.bytes.len() < limit {
                self.bytes.resize((self.bytes.len() * 2).min(limit), 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    pub(super) fn filled(&mut self, count: usize) {
        debug_assert!(self.end + count <= self.bytes.len(), "filled more than there was space");
        self.end += count;
    }

    /// Forgets what is unread and gives the memory back.
    pub fn clear(&mut self, buffers: &Buffers) {
        self.start = 0;
        self.end = 0;
        self.release(buffers);
    }

    /// Gives the memory back if nothing is unread.
    pub fn release(&mut self, buffers: &Buffers) {
        if self.is_empty() && !self.bytes.is_empty() {
            buffers.give_read(std::mem::take(&mut self.bytes));
            self.start = 0;
            self.end = 0;
        }
    }
}

/// One read: large enough that a small request or response always fits, and that large bodies need few reads.
pub(super) const READ_BYTES: usize = 32 * 1024;
const WRITE_BYTES: usize = 2 * 1024;
/// Write buffers that grew beyond this are freed rather than kept.
const MAX_SPARE_WRITE_BYTES: usize = 64 * 1024;
/// Spare buffers kept of each sort; the rest is freed after a burst.
const MAX_SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut ReadBuffer, buffers: &Buffers, bytes: &[u8]) {
        buffer.space(buffers, READ_BYTES)[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
    }

    #[test]
    fn an_empty_buffer_gives_its_memory_back_and_the_next_one_takes_it() {
        let buffers = Buffers::default();
        let mut buffer = ReadBuffer::default();
        put(&mut buffer, &buffers, b"hello");
        buffer.release(&buffers);
        assert_eq!(buffer.unread(), b"hello", "unread bytes are never given away");
        buffer.consume(5);
        buffer.release(&buffers);
        assert_eq!(buffers.read.borrow().len(), 1);
        let mut next = ReadBuffer::default();
        put(&mut next, &buffers, b"again");
        assert!(buffers.read.borrow().is_empty());
    }

    #[test]
    fn a_write_buffer_comes_back_with_its_memory_and_an_empty_one_does_not() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take_write();
        buffer.extend_from_slice(b"head");
        let memory = buffer.as_ptr();
        buffers.give_write(buffer);
        buffers.give_write(Vec::new());
        let again = buffers.take_write();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), memory);
    }

    #[test]
    fn unread_bytes_move_to_the_front_before_the_buffer_grows() {
        let buffers = Buffers::default();
        let mut buffer = ReadBuffer::default();
        put(&mut buffer, &buffers, &vec![b'a'; READ_BYTES]);
        buffer.consume(READ_BYTES - 3);
        assert_eq!(buffer.space(&buffers, READ_BYTES).len(), READ_BYTES - 3);
        assert_eq!(buffer.unread(), b"aaa");
    }

    #[test]
    fn a_full_buffer_grows_up_to_its_limit_and_no_further() {
        let buffers = Buffers::default();
        let mut buffer = ReadBuffer::default();
        put(&mut buffer, &buffers, &vec![b'a'; READ_BYTES]);
        assert_eq!(buffer.space(&buffers, READ_BYTES + 10).len(), 10);
        buffer.filled(10);
        assert!(buffer.space(&buffers, READ_BYTES + 10).is_empty());
        assert_eq!(buffer.unread().len(), READ_BYTES + 10);
    }
}
