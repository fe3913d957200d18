//! Exit codes. `--help` lists them too.

/// Everything ended as asked.
pub const OK: u8 = 0;
/// Something broke while running, or requests or spans had to be cut at the end.
pub const RUNTIME: u8 = 1;
/// The configuration has mistakes; nothing was started.
pub const CONFIG: u8 = 2;
/// The machine does not allow what is needed (io_uring, limits, cores); nothing was started.
pub const MACHINE: u8 = 3;
/// An address is in use or cannot be had; nothing was started.
pub const ADDRESS: u8 = 4;
/// The command line has mistakes (`EX_USAGE` of sysexits.h).
pub const USAGE: u8 = 64;
