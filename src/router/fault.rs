//! Every error that a router answers itself: status, text, and the stage it belongs to (routing.md 7.4).

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

/// Why a request could not be served as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No identifier gave the request a name. Text as Linkerd's, reason included.
    Unidentified {
        /// Method and request target, as received.
        request: String,
        /// The caller; none when its address could not be read any more.
        peer: Option<SocketAddr>,
        /// Why, for instance `Host header is absent`.
        reason: String,
    },
    /// The name leads nowhere: neg, fail, empty, or no addresses. The explanation is Linkerd's block.
    Unroutable {
        /// The service name.
        service: String,
        /// The base dtab, an entry a line, as [`crate::name::Dtab`] explains itself.
        base_dtab: String,
    },
    /// Binding failed, or the addresses never came; the text says why.
    Unbound(String),
    /// Not bound, or no connection, within the router's binding timeout.
    BindingTimeout {
        /// The timeout.
        limit: Duration,
        /// What had been reached.
        waiting: Waiting,
        /// The service name.
        service: String,
    },
    /// The destination could not be connected to.
    Unconnected(Box<Target>),
    /// The caller's body is not framed as its head said; the text says how.
    BrokenBody(String),
    /// The exchange with the destination failed before a response began; the text says how.
    BrokenExchange {
        /// What happened.
        problem: String,
        /// Nothing of the request was written, so that it is safe to send it again.
        unsent: bool,
    },
}

/// What a binding timeout interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The name had not been resolved.
    Resolving,
    /// The name had been resolved to this tree.
    Connecting(String),
}

/// Where a request was to be sent, for explanations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service name.
    pub service: String,
    /// The bound id.
    pub client: String,
    /// All addresses of the client, as printed.
    pub addresses: Vec<String>,
    /// The one that was picked.
    pub selected: String,
}

/// The stage that failed, as the tag `io.buoyant.router.Failure` names it (tracing.md 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding a name.
    Identification,
    /// Binding the name and getting a connection.
    ClientAcquisition,
    /// The exchange with the destination.
    Service,
}

impl Stage {
    /// The tag's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identification => "Identification",
            Self::ClientAcquisition => "ClientAcquisition",
            Self::Service => "Service",
        }
    }
}

impl Fault {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unidentified { .. } | Self::BrokenBody(_) => 400,
            _ => 502,
        }
    }

    /// The stage that failed.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Unidentified { .. } => Stage::Identification,
            Self::BrokenBody(_) | Self::BrokenExchange { .. } => Stage::Service,
            _ => Stage::ClientAcquisition,
        }
    }

    /// Whether the answer says `l5d-retryable: true`: nothing of the request reached the destination.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::BrokenExchange { unsent: true, .. })
    }

    /// Appends the answer, head and body, to `out`.
    ///
    /// `err_limit` cuts the `l5d-err` header. A `bodiless` answer (to HEAD) keeps its Content-Length.
    pub fn encode(&self, out: &mut Vec<u8>, err_limit: usize, bodiless: bool, connection: &str) {
        let message = self.to_string();
        let body = cut(&message, MAX_BODY);
        let status = self.status();
        let reason = crate::http::reason(status);
        let mut head = format!("HTTP/1.1 {status} {reason}\r\nl5d-err: ");
        encode_err(&message, err_limit, &mut head);
        head.push_str("\r\n");
        if self.is_retryable() {
            head.push_str("l5d-retryable: true\r\n");
        }
        // Writing into a String cannot fail.
        let _ =
            write!(head, "Content-Type: text/plain\r\nContent-Length: {}\r\n{connection}\r\n", body.len());
        out.extend_from_slice(head.as_bytes());
        if !bodiless {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

impl fmt::Display for Fault {
    /// The text of body and `l5d-err`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unidentified { request, peer, reason } => {
                write!(f, "Unknown destination: Request(\"{request}\", from /")?;
                match peer {
                    Some(peer) => write!(f, "{peer}")?,
                    None => f.write_str("unknown")?,
                }
                write!(f, ") / {reason}")
            }
            Self::Unroutable { service, base_dtab } => {
                write!(f, "Unable to route request!\n\nservice name: {service}\ndtab:\n\nbase dtab:\n")?;
                write!(f, "{base_dtab}\noverride dtab:\n\n")
            }
            Self::Unbound(text) | Self::BrokenBody(text) => f.write_str(text),
            Self::BindingTimeout { limit, waiting, service } => {
                write!(f, "Exceeded {} binding timeout while ", DurationText(*limit))?;
                match waiting {
                    Waiting::Resolving => f.write_str("resolving name")?,
                    Waiting::Connecting(tree) => write!(f, "connecting to {tree} for name")?,
                }
                write!(f, ": {service}")
            }
            Self::Unconnected(target) => {
                let Target { service, client, addresses, selected } = &**target;
                let addresses = addresses.join(", ");
                write!(f, "Unable to establish connection to {selected}.\n\nservice name: {service}\n")?;
                write!(f, "client name: {client}\naddresses: [{addresses}]\nselected address: {selected}\n")
            }
            Self::BrokenExchange { problem, .. } => f.write_str(problem),
        }
    }
}

/// A duration as Finagle prints it: the non-zero units joined with `+`, `1.seconds+500.milliseconds`.
struct DurationText(Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let mut first = true;
        for (unit, milliseconds) in [
            ("days", 86_400_000),
            ("hours", 3_600_000),
            ("minutes", 60_000),
            ("seconds", 1_000),
            ("milliseconds", 1),
        ] {
            let count = left / milliseconds;
            left %= milliseconds;
            if count > 0 {
                write!(f, "{}{count}.{unit}", if first { "" } else { "+" })?;
                first = false;
            }
        }
        if first { f.write_str("0.milliseconds") } else { Ok(()) }
    }
}

/// Appends `message` form-encoded as ISO-8859-1 (routing.md 6.2), cut before it passes `limit` bytes.
pub fn encode_err(message: &str, limit: usize, out: &mut String) {
    let start = out.len();
    for character in message.chars() {
        let before = out.len();
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '*' | '_' => out.push(character),
            ' ' => out.push('+'),
            other => {
                let byte = u8::try_from(u32::from(other)).unwrap_or(b'?');
                // Writing into a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
        if out.len() - start > limit {
            out.truncate(before);
            return;
        }
    }
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Bytes of an explanation that are sent.
const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_finagle_prints_them() {
        let cases = [
            (10_000, "10.seconds"),
            (500, "500.milliseconds"),
            (1_500, "1.seconds+500.milliseconds"),
            (90_000, "1.minutes+30.seconds"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(DurationText(Duration::from_millis(milliseconds)).to_string(), text);
        }
    }

    #[test]
    fn an_error_header_is_never_cut_inside_an_escape() {
        for limit in 0..12 {
            let mut out = String::new();
            encode_err("a/b/c", limit, &mut out);
            assert!(out.len() <= limit && "a%2Fb%2Fc".starts_with(&out), "{limit}: {out}");
            assert!(!out.ends_with('%') && !out.ends_with("%2"), "{limit}: {out}");
        }
    }

    #[test]
    fn an_answer_to_head_keeps_its_length_and_sends_no_body() {
        let fault = Fault::Unbound("no".into());
        let mut out = Vec::new();
        fault.encode(&mut out, 8192, true, "Connection: close\r\n");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 502 Bad Gateway\r\nl5d-err: no\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\
             Connection: close\r\n\r\n"
        );
    }
}
