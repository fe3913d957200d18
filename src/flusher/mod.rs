//! flusher
