//! A collector that behaves as it is told, over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the collector does with a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Manner {
    /// Reads it and answers with this text.
    Answer(String),
    /// Reads half of the body and resets the connection.
    Reset,
    /// Reads it, answers 202 and resets the connection in the middle of the answer's body.
    ResetAnswer,
    /// Reads it and never answers, until the manner changes.
    Silence,
}

impl Manner {
    pub(crate) fn status(status: &str) -> Self {
        Self::Answer(format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nwhy\n"))
    }
}

/// A request as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether it was answered with a 202.
    pub(crate) accepted: bool,
}

#[derive(Default)]
struct State {
    manner: Mutex<Option<Manner>>,
    changed: Condvar,
    received: Mutex<Vec<Received>>,
    connections: AtomicU64,
    /// Requests of which the end was not read count here, too.
    requests: AtomicU64,
    over: AtomicBool,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { manner: Mutex::new(Some(manner)), ..State::default() });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::Relaxed) {
                    return;
                }
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let (state, stream) = (Arc::clone(&serving), stream.unwrap());
                // A connection that breaks ends its thread; what the other side makes of it is what is tested.
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        Self { address, state }
    }

    pub(crate) fn accepting() -> Self {
        Self::start(Manner::status("202 Accepted"))
    }

    pub(crate) fn change(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = Some(manner);
        self.state.changed.notify_all();
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// The ids of all spans in bodies that were answered with a 202.
    pub(crate) fn accepted_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for request in self.received().iter().filter(|request| request.accepted) {
            let spans: Vec<serde_json::Value> = serde_json::from_slice(&request.body).unwrap();
            ids.extend(spans.iter().map(|span| span["id"].as_str().unwrap().to_owned()));
        }
        ids
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        self.change(Manner::Reset);
        let _wakes_the_listener = TcpStream::connect(self.address);
    }
}

fn serve(state: &State, mut stream: TcpStream) -> Option<()> {
    loop {
        let (head, mut body) = read_head(&mut stream)?;
        state.requests.fetch_add(1, Ordering::Relaxed);
        let length: usize = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
        let manner = state.manner.lock().unwrap().clone()?;
        let wanted = if manner == Manner::Reset { length / 2 } else { length };
        let mut rest = vec![0; wanted.saturating_sub(body.len())];
        stream.read_exact(&mut rest).ok()?;
        body.extend_from_slice(&rest);
        match manner {
            Manner::Answer(answer) => {
                let accepted = answer.starts_with("HTTP/1.1 202");
                state.received.lock().unwrap().push(Received { head, body, accepted });
                stream.write_all(answer.as_bytes()).ok()?;
            }
            Manner::Reset => return reset(&stream),
            Manner::ResetAnswer => {
                state.received.lock().unwrap().push(Received { head, body, accepted: true });
                stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\nhalf").ok()?;
                return reset(&stream);
            }
            Manner::Silence => {
                let mut now = state.manner.lock().unwrap();
                while *now == Some(Manner::Silence) {
                    now = state.changed.wait(now).unwrap();
                }
                stream.shutdown(Shutdown::Both).ok()?;
                return None;
            }
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end + 2]).to_lowercase();
            return Some((head, bytes[end + 4..].to_vec()));
        }
    }
}

fn reset(stream: &TcpStream) -> Option<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok()?;
    None
}
