//! boot
pub mod exit;
mod io_uring;
mod limits;
mod ports;
mod report;

pub use report::{Finding, Findings};
