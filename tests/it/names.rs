//! Which destination a request goes to.
