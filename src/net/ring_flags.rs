//! Gives every ring that glommio creates the flag `IORING_SETUP_COOP_TASKRUN`.
//!
//! glommio sets up its rings without flags, so the kernel delivers each readiness completion by interrupting
//! the running thread; with the flag it waits for the next entry into the kernel, which a proxy makes every
//! few microseconds anyway. Measured on a two-core virtual machine: 26.0 us CPU a request without, 9.7 with.
//!
//! glommio offers no way to pass flags, but its bundled liburing creates every ring through the C function
//! `__sys_io_uring_setup`. The linker option `--wrap` (in `build.rs`) sends those calls here.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many rings this process has asked the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingCounts {
    /// Rings that run with COOP_TASKRUN.
    pub cooperative: usize,
    /// Rings that run without, because the kernel is older than 5.19.
    pub plain: usize,
}

/// The counts so far, over all threads.
#[must_use]
pub fn ring_counts() -> RingCounts {
    RingCounts { cooperative: COOPERATIVE.load(Ordering::Relaxed), plain: PLAIN.load(Ordering::Relaxed) }
}

static COOPERATIVE: AtomicUsize = AtomicUsize::new(0);
static PLAIN: AtomicUsize = AtomicUsize::new(0);

const IORING_SETUP_COOP_TASKRUN: u32 = 1 << 8;

/// The start of `struct io_uring_params`; the kernel and liburing own the rest.
#[repr(C)]
struct RingParams {
    submission_entries: u32,
    completion_entries: u32,
    flags: u32,
}

unsafe extern "C" {
    fn __real___sys_io_uring_setup(entries: c_uint, params: *mut c_void) -> c_int;
}

/// Stands in for liburing's function; same contract: a descriptor, or a negative errno.
#[unsafe(no_mangle)]
extern "C" fn __wrap___sys_io_uring_setup(entries: c_uint, params: *mut c_void) -> c_int {
    let head = params.cast::<RingParams>();
    // SAFETY: liburing passes a valid, exclusively owned `struct io_uring_params`, of which `RingParams`
    // is the beginning.
    let asked = unsafe { (*head).flags };
    // SAFETY: as above; and the real function gets exactly what liburing meant for it.
    let descriptor = unsafe {
        (*head).flags = asked | IORING_SETUP_COOP_TASKRUN;
        __real___sys_io_uring_setup(entries, params)
    };
    if descriptor != -libc::EINVAL {
        if descriptor >= 0 {
            COOPERATIVE.fetch_add(1, Ordering::Relaxed);
        }
        return descriptor;
    }
    // SAFETY: as above. The flags go back to what was asked before the second try.
    let descriptor = unsafe {
        (*head).flags = asked;
        __real___sys_io_uring_setup(entries, params)
    };
    if descriptor >= 0 {
        PLAIN.fetch_add(1, Ordering::Relaxed);
    }
    descriptor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ring_of_an_executor_runs_cooperatively() {
        let before = ring_counts();
        let executor = glommio::LocalExecutorBuilder::default().make().unwrap();
        executor.run(async {});
        let after = ring_counts();
        assert!(after.cooperative >= before.cooperative + 3, "main, latency and poll ring");
        assert_eq!(after.plain, before.plain);
    }
}
