//! From a request to its logical name.

mod header_token;

pub use header_token::host_token;
