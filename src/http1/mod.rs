//! HTTP/1.1 on the wire: functions on byte slices that own no buffer and await nothing.

/// Limits on a message head (`maxInitialLineKB`, `maxHeadersKB`), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request or status line, without its line end.
    pub initial_line: usize,
    /// Longest header section: all header lines together, with their line ends.
    pub headers: usize,
}

impl Default for Limits {
    /// Linkerd's: 4 KiB and 8 KiB.
    fn default() -> Self {
        Self { initial_line: 4 * 1024, headers: 8 * 1024 }
    }
}
