//! From a logical name to destinations: a dtab and the namers applied over and over.

mod bind;

pub use bind::{BindError, BindLimits, bind, bind_within};
