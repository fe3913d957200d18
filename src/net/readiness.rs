//! Tells the streams of a shard when they can go on: one edge-triggered epoll set, whose own descriptor the
//! shard's ring polls.
//!
//! glommio polls a socket anew after every short read: an operation submitted and completed in the ring, and
//! memory for it, twice for every request that a proxy serves. A socket enters this set once in its life, and a
//! whole turn's worth of events costs one system call. Measured beside each other, 64 connections and 4-byte
//! bodies: see the commit that brought this file.

use super::ring_readable::ring_readable;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Waker};

/// The epoll set of one shard.
#[derive(Debug)]
pub struct Readiness {
    epoll: OwnedFd,
    sockets: RefCell<Vec<Option<Rc<Interest>>>>,
    free: RefCell<Vec<usize>>,
}

/// What is known of one socket, and who waits for it.
#[derive(Debug, Default)]
struct Interest {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The peer has ended its side, or the connection failed: reading will tell, however much is left to read.
    ended: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

/// A socket in the set, until it is dropped. The socket must be closed right after.
#[derive(Debug)]
pub(super) struct Registration {
    interest: Rc<Interest>,
    readiness: Rc<Readiness>,
    slot: usize,
}

impl Readiness {
    /// An empty set.
    ///
    /// # Errors
    /// When the process is out of descriptors or memory.
    pub fn new() -> io::Result<Rc<Self>> {
        // SAFETY: no pointers; the result is checked before it is used.
        let epoll = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        Ok(Rc::new(Self { epoll, sockets: RefCell::default(), free: RefCell::default() }))
    }

    /// Puts a socket into the set. `readable` is what to believe until the kernel has said something.
    ///
    /// # Errors
    /// When the kernel is out of memory or watches (fs.epoll.max_user_watches).
    pub(super) fn register(self: &Rc<Self>, socket: RawFd, readable: bool) -> io::Result<Registration> {
        let interest = Rc::new(Interest::default());
        interest.readable.set(readable);
        let mut sockets = self.sockets.borrow_mut();
        let slot = self.free.borrow_mut().pop().unwrap_or(sockets.len());
        let mut event = libc::epoll_event { events: EVENTS, u64: slot as u64 };
        // SAFETY: `event` lives through the call; both descriptors are open.
        let added =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, socket, &raw mut event) };
        if let Err(error) = checked(added) {
            if slot < sockets.len() {
                self.free.borrow_mut().push(slot);
            }
            return Err(error);
        }
        let place = Some(Rc::clone(&interest));
        match sockets.get_mut(slot) {
            Some(free) => *free = place,
            None => sockets.push(place),
        }
        Ok(Registration { interest, readiness: Rc::clone(self), slot })
    }

    /// Wakes waiting tasks as events come in, for as long as the shard runs.
    pub async fn run(&self) {
        let mut events = Vec::with_capacity(EVENTS_PER_TURN);
        let mut busy_turns = 0;
        loop {
            if self.dispatch(&mut events) && busy_turns < MAX_BUSY_TURNS {
                busy_turns += 1;
                // The woken tasks are before this one in the queue.
                futures_lite::future::yield_now().await;
            } else {
                busy_turns = 0;
                // The ring has its turn as well: timers, other threads, and sleep if there is nothing to do.
                ring_readable(self.epoll.as_raw_fd()).await;
            }
        }
    }

    /// Takes note of what has happened. False when nothing has.
    fn dispatch(&self, events: &mut Vec<libc::epoll_event>) -> bool {
        events.clear();
        let room = i32::try_from(events.capacity()).unwrap_or(i32::MAX);
        // SAFETY: the buffer has room for so many events, and the kernel fills as many as it says.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), room, 0) };
        // An interrupted call has seen nothing; every other error would be one of this code.
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the kernel has initialised the first `count` events.
        unsafe { events.set_len(count) };
        let sockets = self.sockets.borrow();
        for event in events.iter() {
            let slot = usize::try_from(event.u64).unwrap_or(usize::MAX);
            if let Some(Some(interest)) = sockets.get(slot) {
                interest.take_note(event.events);
            }
        }
        count > 0
    }
}

impl Interest {
    fn take_note(&self, events: u32) {
        if events & (ENDED | READABLE) != 0 {
            self.readable.set(true);
            if events & ENDED != 0 {
                self.ended.set(true);
            }
            if let Some(reader) = &*self.reader.borrow() {
                reader.wake_by_ref();
            }
        }
        if events & (WRITABLE | ENDED) != 0
            && !self.writable.replace(true)
            && let Some(writer) = &*self.writer.borrow()
        {
            writer.wake_by_ref();
        }
    }
}

impl Registration {
    /// Whether a read is worth trying; if not, `cx` is woken when it is.
    #[inline]
    pub(super) fn poll_readable(&self, cx: &Context<'_>) -> bool {
        self.interest.readable.get() || wait(&self.interest.reader, cx)
    }

    /// Whether a read would tell something, without waiting for it.
    #[inline]
    pub(super) fn is_readable(&self) -> bool {
        self.interest.readable.get()
    }

    /// Whether a write is worth trying; if not, `cx` is woken when it is.
    #[inline]
    pub(super) fn poll_writable(&self, cx: &Context<'_>) -> bool {
        self.interest.writable.get() || wait(&self.interest.writer, cx)
    }

    /// A read has emptied the socket: there is nothing to read until the next event. (An end that came together
    /// with the last bytes gave its event already.)
    #[inline]
    pub(super) fn drained(&self) {
        if !self.interest.ended.get() {
            self.interest.readable.set(false);
        }
    }

    /// A write has filled the socket, or it is still connecting.
    #[inline]
    pub(super) fn filled(&self) {
        self.interest.writable.set(false);
    }

    /// There is room in a socket that was just accepted; no need to wait for the kernel to say so.
    pub(super) fn assume_writable(&self) {
        self.interest.writable.set(true);
    }

    /// Nobody waits for this socket any more; a waker would keep its task alive.
    pub(super) fn forget_waiting(&self) {
        self.interest.reader.take();
        self.interest.writer.take();
    }
}

impl Drop for Registration {
    /// The socket leaves the set when it is closed, which follows; no event can name this slot after that.
    fn drop(&mut self) {
        if let Some(place) = self.readiness.sockets.borrow_mut().get_mut(self.slot) {
            *place = None;
        }
        self.readiness.free.borrow_mut().push(self.slot);
    }
}

/// Leaves the waker of `cx`, and answers that it has to wait.
fn wait(waiting: &RefCell<Option<Waker>>, cx: &Context<'_>) -> bool {
    let mut waiting = waiting.borrow_mut();
    match &mut *waiting {
        // The same task waits again, as it nearly always does.
        Some(waker) if waker.will_wake(cx.waker()) => {}
        other => *other = Some(cx.waker().clone()),
    }
    false
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const READABLE: u32 = libc::EPOLLIN as u32;
const WRITABLE: u32 = libc::EPOLLOUT as u32;
const ENDED: u32 = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;
const EVENTS: u32 = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;

/// Events taken at once; more wait for the next turn.
const EVENTS_PER_TURN: usize = 256;
/// Busy turns in a row after which the ring is looked at: its timers may be late by as many.
const MAX_BUSY_TURNS: usize = 16;
