//! A caller that sends the bytes it is given and looks at the bytes it gets.

use super::PATIENCE;
use super::message::{Kind, Message};
use socket2::SockRef;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// One connection. Every read ends within [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .unwrap_or_else(|error| panic!("{address} does not accept: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the proxy takes what is sent");
    }

    /// Sends what the other side may no longer want to read.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// The next response, with its body.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Message {
        self.try_response().expect("a response before the connection ends")
    }

    /// The next response, or None if the connection ends instead.
    #[track_caller]
    pub(crate) fn try_response(&mut self) -> Option<Message> {
        Message::read(&mut self.stream, Kind::Response).expect("a well-formed response")
    }

    /// The next response, or None if the connection ends instead, be it by a reset before its first byte.
    #[track_caller]
    pub(crate) fn try_response_or_reset(&mut self) -> Option<Message> {
        match self.stream.fill_buf() {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            _ => self.try_response(),
        }
    }

    /// The next response, which answers a HEAD request.
    #[track_caller]
    pub(crate) fn response_to_head(&mut self) -> Message {
        let response = Message::read(&mut self.stream, Kind::ResponseToHead).expect("a well-formed response");
        response.expect("a response before the connection ends")
    }

    /// The head of the next response; its body stays unread.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Message {
        let head = Message::read_head(&mut self.stream).expect("a well-formed head");
        head.expect("a response before the connection ends")
    }

    /// One exchange: sends and reads the response.
    #[track_caller]
    pub(crate) fn exchange(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request);
        self.response()
    }

    /// Exactly `length` bytes.
    #[track_caller]
    pub(crate) fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("that many bytes before the connection ends");
        bytes
    }

    /// Everything up to the end of the connection, be it orderly or a reset.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }

    /// Asserts that the other side closes without another byte.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "unexpected: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Makes the kernel's buffer for what arrives small, so that a caller that does not read is soon felt.
    /// (One that goes on to read a lot gets it at the pace of the sender's window probes, five a second.)
    pub(crate) fn receive_little(&self) {
        SockRef::from(self.stream.get_ref()).set_recv_buffer_size(4096).unwrap();
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.get_ref().local_addr().unwrap()
    }

    /// The bytes as they arrive.
    pub(crate) fn reader(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }

    /// The socket, for a thread that writes while another reads.
    pub(crate) fn socket(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }
}

/// `GET path` on a connection of its own, for the service `web`.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Message {
    Raw::connect(address).exchange(get_request(path, ""))
}

/// The bytes of a GET for the service `web`. `fields` are whole lines with CR LF.
pub(crate) fn get_request(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: web\r\n{fields}\r\n")
}
