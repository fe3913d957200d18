//! From a configuration to a running process and back to an exit code: the only wiring.
//!
//! Before anything serves, the machine is asked for all that will be needed, so that what is wrong is said at
//! once and in plain words. Then everything starts from the outside in, and ends in the opposite order.

mod cores;
pub mod exit;
mod internal;
mod io_uring;
mod limits;
mod listeners;
mod ports;
mod report;
mod run;
mod shards;

pub use report::{Finding, Findings};
pub use run::{Announce, check_machine, run};
