//! A destination that follows a script, and remembers what it was asked.

use super::message::{Kind, Message};
use super::{PATIENCE, eventually, lock};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The plain answer: status 200, four bytes.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

/// A listening server. Dropping it ends all its connections.
#[derive(Debug)]
pub(crate) struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    /// Every connection so far, in the order of their arrival.
    accepted: Mutex<Vec<TcpStream>>,
    /// Every request so far, over all connections.
    requests: Mutex<Vec<Message>>,
}

/// One accepted connection, in the hands of a script.
#[derive(Debug)]
pub(crate) struct Connection {
    /// How many came before.
    pub(crate) number: usize,
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
}

impl Origin {
    /// Answers every request with `response`, and keeps connections.
    pub(crate) fn answering(response: impl AsRef<[u8]>) -> Self {
        let response = response.as_ref().to_vec();
        Self::with(move |_| response.clone())
    }

    /// The same without a memory of its requests, for loads of many megabytes.
    pub(crate) fn forgetful(response: impl AsRef<[u8]>) -> Self {
        let response = response.as_ref().to_vec();
        Self::scripted(move |mut connection| {
            while let Ok(Some(_)) = Message::read(connection.reader(), Kind::Request) {
                if connection.send(&response).is_err() {
                    break;
                }
            }
        })
    }

    /// Answers every request with what `answer` makes of it, and keeps connections.
    pub(crate) fn with<B: AsRef<[u8]>>(answer: impl Fn(&Message) -> B + Send + Sync + 'static) -> Self {
        Self::scripted(move |mut connection| {
            while let Some(request) = connection.request() {
                if connection.send(answer(&request)).is_err() {
                    break;
                }
            }
        })
    }

    /// Runs `script` with every connection, on a thread of its own. The connection closes with its end.
    pub(crate) fn scripted(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// The same on an address of the test's choice.
    pub(crate) fn on(address: SocketAddr, script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (script, accepting) = (Arc::new(script), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(2 * PATIENCE)).unwrap();
                stream.set_write_timeout(Some(2 * PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = {
                    let mut accepted = lock(&accepting.accepted);
                    accepted.push(stream.try_clone().unwrap());
                    accepted.len() - 1
                };
                let shared = Arc::clone(&accepting);
                let script = Arc::clone(&script);
                thread::spawn(move || {
                    let closing = stream.try_clone().unwrap();
                    script(Connection { number, stream: BufReader::new(stream), shared });
                    // The list of connections holds a copy, which would keep it open.
                    let _ = closing.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        lock(&self.shared.requests).clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn request(&self) -> Message {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    /// Every request, once there are at least `count`.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) -> Vec<Message> {
        eventually("that many requests at the destination", || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.shared.accepted).len()
    }

    /// Ends every connection that was accepted so far; new ones are accepted.
    pub(crate) fn close_all(&self) {
        for stream in lock(&self.shared.accepted).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the thread that accepts, and with it the listener goes.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
        self.close_all();
    }
}

impl Connection {
    /// The next request with its body, which is remembered; None at the end of the connection.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let request = Message::read(&mut self.stream, Kind::Request).ok().flatten()?;
        lock(&self.shared.requests).push(request.clone());
        Some(request)
    }

    /// The head of the next request, which is remembered; its body stays unread.
    pub(crate) fn head(&mut self) -> Option<Message> {
        let head = Message::read_head(&mut self.stream).ok().flatten()?;
        lock(&self.shared.requests).push(head.clone());
        Some(head)
    }

    /// The body of a request whose head was read.
    pub(crate) fn body_of(&mut self, mut head: Message) -> io::Result<Message> {
        head.read_body(&mut self.stream, Kind::Request)?;
        Ok(head)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// The bytes as they arrive.
    pub(crate) fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let socket = self.stream.into_inner();
        let socket = SockRef::from(&socket);
        let _ = socket.set_linger(Some(Duration::ZERO));
        // Copies of the descriptor are open; a reset comes at once with a connect to nowhere.
        disconnect(&socket);
    }
}

/// Aborts a connection even while copies of its descriptor are open. With no time to linger this is a reset.
fn disconnect(socket: &SockRef<'_>) {
    use std::os::fd::AsRawFd;
    let nowhere =
        libc::sockaddr { sa_family: libc::sa_family_t::try_from(libc::AF_UNSPEC).unwrap(), sa_data: [0; 14] };
    let length = libc::socklen_t::try_from(size_of_val(&nowhere)).unwrap();
    // SAFETY: the address is valid for reading, and as long as is said.
    unsafe { libc::connect(socket.as_raw_fd(), &raw const nowhere, length) };
}

/// An address that refuses connections, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Refusing {
    /// Bound and not listening, so that nobody else gets the port.
    _socket: Socket,
    pub(crate) address: SocketAddr,
}

impl Refusing {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { _socket: socket, address }
    }
}
