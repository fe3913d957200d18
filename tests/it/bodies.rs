//! Bodies of every size and framing pass through byte for byte.
