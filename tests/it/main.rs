//! Ringspan as its users meet it: the real binary, real sockets, and everything around it scripted.
//!
//! Each test starts what it needs on ports of the kernel's choice, or, where a configuration must name its
//! own ports, on a loopback address that is the test's alone ([`support::own_ip`]). So all of them can run
//! side by side, and beside any other process of the machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected ends there, and waits in real time"
)]

mod support;

mod accounting;
mod bodies;
mod cli;
mod faults;
mod lifecycle;
mod names;
mod startup;
mod tracing;
mod tutorial;
mod wire;
