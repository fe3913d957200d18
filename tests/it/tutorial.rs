//! The two tutorial set-ups that ringspan ships with.
