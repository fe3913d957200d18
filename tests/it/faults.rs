//! What callers are answered when a destination fails.
