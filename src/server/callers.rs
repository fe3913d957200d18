//! The connections that are open on this shard, so that draining can end the idle ones and wait for the rest.

use crate::net::{Notify, Stream};
use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

/// One caller's connection.
#[derive(Debug)]
pub struct Caller {
    /// The connection itself.
    pub stream: Stream,
    /// Between two requests, with nothing of the next one read.
    pub idle: Cell<bool>,
    /// Both ends, asked of the kernel when a span or an explanation first wants them.
    ends: OnceCell<(Option<SocketAddr>, Option<SocketAddr>)>,
}

impl Caller {
    /// The address of this side.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.ends().0
    }

    /// The caller's address.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.ends().1
    }

    fn ends(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        *self.ends.get_or_init(|| (self.stream.local_address().ok(), self.stream.peer_address().ok()))
    }
}

/// The open callers of those servers of a shard that are drained together.
#[derive(Debug, Default)]
pub struct Callers {
    slots: RefCell<Vec<Option<Rc<Caller>>>>,
    free: RefCell<Vec<usize>>,
    draining: Cell<bool>,
    ended: Notify,
}

impl Callers {
    /// Registers a connection until the guard is dropped.
    pub fn enter(self: &Rc<Self>, stream: Stream) -> Entered {
        let caller = Rc::new(Caller { stream, idle: Cell::new(true), ends: OnceCell::new() });
        let mut slots = self.slots.borrow_mut();
        let slot = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(None);
            slots.len() - 1
        });
        if let Some(place) = slots.get_mut(slot) {
            *place = Some(Rc::clone(&caller));
        }
        Entered { caller, callers: Rc::clone(self), slot }
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len()
    }

    /// Whether no further request is to be taken.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Ends idle connections, and lets the others end with the request they are serving.
    pub fn drain(&self) {
        self.draining.set(true);
        for caller in self.slots.borrow().iter().flatten().filter(|caller| caller.idle.get()) {
            // Its pending read ends as if the caller had closed.
            caller.stream.close_read();
        }
    }

    /// Waits until no connection is open.
    pub async fn all_ended(&self) {
        while self.open() > 0 {
            self.ended.changed().await;
        }
    }
}

/// A registered connection.
#[derive(Debug)]
pub struct Entered {
    caller: Rc<Caller>,
    callers: Rc<Callers>,
    slot: usize,
}

impl std::ops::Deref for Entered {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(place) = self.callers.slots.borrow_mut().get_mut(self.slot) {
            *place = None;
        }
        self.callers.free.borrow_mut().push(self.slot);
        if self.callers.is_draining() && self.callers.open() == 0 {
            self.callers.ended.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Buffers, Listener, ReadBuffer, Readiness, bind};
    use futures_lite::future::{block_on, poll_once};
    use std::net::{Ipv4Addr, TcpStream};

    /// A caller's connection and the caller's end of it.
    fn enter(callers: &Rc<Callers>) -> (Entered, TcpStream) {
        let readiness = Readiness::new().unwrap();
        let listener = Listener::new(bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap(), &readiness).unwrap();
        let caller = TcpStream::connect(listener.local_address().unwrap()).unwrap();
        let stream = block_on(listener.accept()).unwrap().unwrap();
        (callers.enter(stream), caller)
    }

    /// What a read tells that does not wait.
    fn read(caller: &Caller) -> Option<usize> {
        let (mut input, buffers) = (ReadBuffer::default(), Buffers::default());
        block_on(poll_once(caller.stream.fill(&mut input, &buffers, 1))).map(|count| count.unwrap())
    }

    #[test]
    fn connections_are_counted_while_they_are_open_and_their_places_used_again() {
        let callers = Rc::<Callers>::default();
        for _ in 0..3 {
            let (first, _first_end) = enter(&callers);
            let (second, _second_end) = enter(&callers);
            assert_eq!(callers.open(), 2);
            drop(first);
            assert_eq!(callers.open(), 1);
            drop(second);
            assert_eq!(callers.open(), 0);
        }
        assert_eq!(callers.slots.borrow().len(), 2);
    }

    #[test]
    fn draining_ends_idle_connections_and_waits_for_the_others() {
        let callers = Rc::<Callers>::default();
        let (idle, _idle_end) = enter(&callers);
        let (busy, _busy_end) = enter(&callers);
        busy.idle.set(false);
        callers.drain();
        assert!(callers.is_draining());
        assert_eq!((read(&idle), read(&busy)), (Some(0), None));
        let mut ended = Box::pin(callers.all_ended());
        drop(idle);
        assert!(block_on(poll_once(&mut ended)).is_none());
        drop(busy);
        assert!(block_on(poll_once(&mut ended)).is_some());
    }

    #[test]
    fn draining_ends_at_once_when_nobody_is_there() {
        let callers = Rc::<Callers>::default();
        callers.drain();
        assert!(block_on(poll_once(callers.all_ended())).is_some());
    }
}
