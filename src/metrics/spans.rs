//! Where the spans went: filled by the flusher, printed by the admin server.

/// Span accounting at one moment: `recorded = sent + dropped + queued` whenever no span is moving.
///
/// Whoever fills this reads `sent` and `dropped` before `recorded`, so that it never shows more spans
/// leaving than were recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanTotals {
    /// Spans recorded.
    pub recorded: u64,
    /// Spans that a collector took (answered 2xx).
    pub sent: u64,
    /// Spans that wait anywhere, counted there.
    pub queued: u64,
    /// Spans lost, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Requests to collectors, retries included.
    pub posts: u64,
    /// Bytes of those requests' bodies.
    pub posted_bytes: u64,
}

impl SpanTotals {
    /// Spans lost for any reason.
    #[must_use]
    pub fn all_dropped(&self) -> u64 {
        self.dropped.iter().map(|&(_, count)| count).sum()
    }
}
