//! The side that calls destinations: where a bound name leads, and the connections kept there.

mod addresses;
mod pool;

pub use addresses::{Addresses, Client};
pub use pool::{Connection, Destination, InFlight, MAX_IDLE};
