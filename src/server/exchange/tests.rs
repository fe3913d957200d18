use super::*;
use crate::router::rewrite::ConnectionLine;

#[test]
fn a_body_goes_out_in_the_framing_that_the_caller_understands() {
    use BodyLength::{Chunked, Length, None, UntilClose};
    for (version, from, to, framing) in [
        (Version::Http11, Chunked, Chunked, Framing::Chunked),
        (Version::Http11, UntilClose, Chunked, Framing::Chunked),
        (Version::Http11, Length(3), Length(3), Framing::AsIs),
        (Version::Http11, None, None, Framing::AsIs),
        (Version::Http10, Chunked, UntilClose, Framing::AsIs),
        (Version::Http10, UntilClose, UntilClose, Framing::AsIs),
        (Version::Http10, Length(3), Length(3), Framing::AsIs),
        (Version::Http10, None, None, Framing::AsIs),
    ] {
        assert_eq!(reply_body(version, from), (to, framing), "{from:?} to {version:?}");
    }
}

#[test]
fn each_version_is_told_what_it_does_not_assume() {
    for (version, keep, line) in [
        (Version::Http11, true, ConnectionLine::Absent),
        (Version::Http10, true, ConnectionLine::KeepAlive),
        (Version::Http11, false, ConnectionLine::Close),
        (Version::Http10, false, ConnectionLine::Close),
    ] {
        assert_eq!(connection_line(version, keep), line);
    }
}
