//! HTTP/1.1 to the byte: framing, keep-alive, limits, hop-by-hop fields.
