//! How long a message head may be.

use super::parse::MAX_EMPTY_LINES;

/// Limits on a message head (`maxInitialLineKB`, `maxHeadersKB`), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request or status line, without its line end.
    pub initial_line: usize,
    /// Longest header section: all header lines together, with their line ends.
    pub headers: usize,
}

impl Limits {
    /// Most bytes an unfinished head can take up: a buffer of this size is never full while the parsers ask for more.
    #[must_use]
    pub const fn longest_head(&self) -> usize {
        let line_ends = 2 * (MAX_EMPTY_LINES + 2);
        self.initial_line.saturating_add(self.headers).saturating_add(line_ends)
    }
}

impl Default for Limits {
    /// Linkerd's: 4 KiB and 8 KiB.
    fn default() -> Self {
        Self { initial_line: 4 * 1024, headers: 8 * 1024 }
    }
}
