//! What the kernel says about this process.

use std::fs;

/// Gauges of the whole process; a value that the kernel does not tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessGauges {
    /// Milliseconds since start.
    pub uptime_ms: u64,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
}

impl ProcessGauges {
    /// Reads the kernel's accounts in `/proc/self`.
    #[must_use]
    pub fn read(uptime_ms: u64) -> Self {
        let open_files = fs::read_dir("/proc/self/fd").ok().and_then(|entries| {
            // Listing the folder opens a descriptor of its own.
            u64::try_from(entries.count()).ok()?.checked_sub(1)
        });
        let status = fs::read_to_string("/proc/self/status").ok();
        Self { uptime_ms, open_files, resident_bytes: status.as_deref().and_then(parse_resident) }
    }
}

/// `VmRSS:     1234 kB` in bytes.
fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(parse_resident("Name:\tx\n"), None);
        assert_eq!(parse_resident("VmRSS: lots kB"), None);
    }

    #[test]
    fn this_process_has_files_and_memory() {
        let gauges = ProcessGauges::read(7);
        assert!(gauges.open_files.unwrap() >= 3);
        assert!(gauges.resident_bytes.unwrap() > 0);
        assert_eq!(gauges.uptime_ms, 7);
    }
}
