//! Head parsing, by tables of good and bad heads.
