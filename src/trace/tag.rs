//! The closed sets of what is recorded on a span: keys of tags and texts of annotations.
//!
//! A record holds one byte for each; the words are written by the encoder, off the request path.

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* #[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as it is sent.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one whose place in [`Self::ALL`] is `index`.
            #[must_use]
            pub fn from_index(index: u8) -> Option<Self> {
                Self::ALL.get(usize::from(index)).copied()
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> u8 {
                self as u8
            }
        }
    };
}

words! {
    /// The key of a tag. In the order of their texts, which is the order in which they are sent.
    Tag {
        /// Server: the id of the bound name.
        Client = "client",
        /// Client: bytes of the request's body.
        ClientRequestBytes = "clnt/request_payload_bytes",
        /// Client: bytes of the response's body.
        ClientResponseBytes = "clnt/response_payload_bytes",
        /// Server: the router's dtab.
        DtabBase = "dtab.base",
        /// Server: the request's own dtab.
        DtabLocal = "dtab.local",
        /// What went wrong, in a few words.
        Error = "error",
        /// The request's Content-Length.
        HttpReqContentLength = "http.req.content-length",
        /// The request's Content-Type.
        HttpReqContentType = "http.req.content-type",
        /// The request's Host.
        HttpReqHost = "http.req.host",
        /// The request's method.
        HttpReqMethod = "http.req.method",
        /// The request's Transfer-Encoding.
        HttpReqTransferEncoding = "http.req.transfer-encoding",
        /// The request's version, `HTTP/1.1`.
        HttpReqVersion = "http.req.version",
        /// The response's Content-Length.
        HttpRspContentLength = "http.rsp.content-length",
        /// The response's Content-Type.
        HttpRspContentType = "http.rsp.content-type",
        /// The response's status code.
        HttpRspStatus = "http.rsp.status",
        /// The response's Transfer-Encoding.
        HttpRspTransferEncoding = "http.rsp.transfer-encoding",
        /// The response's version.
        HttpRspVersion = "http.rsp.version",
        /// The request target as sent, with query.
        HttpUri = "http.uri",
        /// Server: the stage that failed: `Identification`, `ClientAcquisition` or `Service`.
        RouterFailure = "io.buoyant.router.Failure",
        /// Client: the success fraction of the response, `1.0` for a plain success.
        L5dSuccess = "l5d.success",
        /// Server: why no name was bound, when the router is closing.
        NamerClosed = "namer.closed",
        /// Server: why the name was not bound.
        NamerFailure = "namer.failure",
        /// The version of the proxy.
        ProxyVersion = "proxy.version",
        /// Server: what is left of the path behind the bound name.
        Residual = "residual",
        /// Server: the router's label.
        RouterLabel = "router.label",
        /// Server: the path of the service's name.
        Service = "service",
        /// Server: bytes of the request's body.
        ServerRequestBytes = "srv/request_payload_bytes",
        /// Server: bytes of the response's body.
        ServerResponseBytes = "srv/response_payload_bytes",
    }
}

words! {
    /// The text of an annotation.
    Note {
        /// Server: a retry begins.
        FinagleRetry = "finagle.retry",
        /// The time-out fired.
        FinagleTimeout = "finagle.timeout",
        /// Client: a failure that is final.
        L5dFailure = "l5d.failure",
        /// Client: a failure that may be retried.
        L5dRetryable = "l5d.retryable",
        /// Server: the name is bound.
        NamerSuccess = "namer.success",
        /// The head was read from the socket.
        WireReceive = "wr",
        /// The head was written to the socket.
        WireSend = "ws",
    }
}

// The encoder keeps the tags of a span as the bits of one word; a record marks an annotation by the top bit.
const _: () = assert!(Tag::ALL.len() <= 64 && Note::ALL.len() < 127);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_the_order_of_their_texts_without_repeats() {
        assert!(Tag::ALL.windows(2).all(|pair| pair[0].text() < pair[1].text()));
        assert!(Note::ALL.windows(2).all(|pair| pair[0].text() < pair[1].text()));
    }

    #[test]
    fn an_index_leads_back_to_its_word() {
        for tag in Tag::ALL {
            assert_eq!(Tag::from_index(tag.index()), Some(*tag));
        }
        let beyond = u8::try_from(Tag::ALL.len()).unwrap();
        assert_eq!(Tag::from_index(beyond), None);
        assert_eq!(Note::from_index(u8::MAX), None);
    }

    #[test]
    fn texts_need_no_escape_in_json() {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        assert!(Tag::ALL.iter().all(|tag| plain(tag.text())));
        assert!(Note::ALL.iter().all(|note| plain(note.text())));
    }
}
