//! What one router decides; pure given its inputs.

mod params;

pub use params::RouterParams;
