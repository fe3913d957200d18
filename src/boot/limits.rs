//! Limits of the process: raised as far as they go, then judged.

use super::report::{Finding, Findings};
use std::io;

/// glommio starts no executor with less locked memory allowed.
const LEAST_MEMLOCK: u64 = 512 * 1024;
/// Fewer open files than this are used up by ordinary traffic: a proxied connection takes two.
const SENSIBLE_FILES: u64 = 4 * 1024;
/// What the process has open without any traffic, and room for a handful of connections ...
const LEAST_FILES: u64 = 128;
/// ... and this many more for the rings, listeners and wake-ups of each shard.
const FILES_OF_A_SHARD: u64 = 16;

/// A limit as the kernel has it: what counts now, and how far it may be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// Raises the limit on open files as far as the process may, and adds to `findings` if it is still low for so
/// many shards.
pub(super) fn raise_and_check_files(shards: usize, findings: &mut Findings) {
    match raise(libc::RLIMIT_NOFILE) {
        Ok(limit) => judge_files(limit, shards, findings),
        Err(error) => findings.warnings.push(unread("open files", &error)),
    }
}

/// The same for the limit on locked memory, which executors insist on.
pub(super) fn raise_and_check_memlock(findings: &mut Findings) {
    match raise(libc::RLIMIT_MEMLOCK) {
        Ok(limit) => findings.errors.extend(judge_memlock(limit)),
        Err(error) => findings.warnings.push(unread("locked memory", &error)),
    }
}

fn judge_memlock(limit: Limit) -> Option<Finding> {
    (limit.soft < LEAST_MEMLOCK).then(|| {
        let problem = format!(
            "the limit on locked memory is {} KiB (hard limit {} KiB), and io_uring needs {} KiB; raise it:",
            limit.soft / 1024,
            limit.hard / 1024,
            LEAST_MEMLOCK / 1024,
        );
        let mends = [
            "systemd: LimitMEMLOCK=8M in the unit's [Service] section",
            "docker or podman: --ulimit memlock=8388608:8388608",
            "login sessions: a line \"* hard memlock 8192\" in /etc/security/limits.conf, then log in again",
            "shell, as root: ulimit -l 8192",
        ];
        Finding::new(problem, &mends)
    })
}

fn judge_files(limit: Limit, shards: usize, findings: &mut Findings) {
    let shards = u64::try_from(shards).unwrap_or(u64::MAX);
    let needed = LEAST_FILES.saturating_add(FILES_OF_A_SHARD.saturating_mul(shards));
    let (place, consequence) = if limit.soft < needed {
        (&mut findings.errors, format!("and {needed} are needed to serve at all"))
    } else if limit.soft < SENSIBLE_FILES {
        (&mut findings.warnings, format!("which is enough for about {} proxied connections", limit.soft / 2))
    } else {
        return;
    };
    let mends = [
        "systemd: LimitNOFILE=1048576 in the unit's [Service] section",
        "docker or podman: --ulimit nofile=1048576:1048576",
        "login sessions: a line \"* hard nofile 1048576\" in /etc/security/limits.conf, then log in again",
    ];
    place.push(Finding::new(
        format!("at most {} files may be open, {consequence}; raise it:", limit.soft),
        &mends,
    ));
}

fn unread(what: &str, error: &io::Error) -> Finding {
    Finding::new(format!("the limit on {what} cannot be read or raised: {error}"), &[])
}

/// Raises the soft limit to the hard one and answers both as they are then.
fn raise(resource: libc::__rlimit_resource_t) -> io::Result<Limit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: `raised` is valid for reading.
        if unsafe { libc::setrlimit(resource, &raw const raised) } == 0 {
            limit = raised;
        }
        // Otherwise the soft limit stays as it was, and is judged as it is.
    }
    Ok(Limit { soft: limit.rlim_cur, hard: limit.rlim_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(soft: u64, hard: u64) -> Limit {
        Limit { soft, hard }
    }

    #[test]
    fn too_little_locked_memory_is_an_error_that_says_how_to_mend_it() {
        let finding = judge_memlock(limit(64 * 1024, 64 * 1024)).unwrap().to_string();
        for part in ["is 64 KiB", "needs 512 KiB", "LimitMEMLOCK=", "--ulimit memlock=", "limits.conf"] {
            assert!(finding.contains(part), "{part} is not in {finding}");
        }
        assert_eq!(judge_memlock(limit(LEAST_MEMLOCK, LEAST_MEMLOCK)), None);
        assert_eq!(judge_memlock(limit(u64::MAX, u64::MAX)), None);
    }

    #[test]
    fn few_files_are_a_warning_and_too_few_an_error() {
        for (soft, shards, errors, warnings) in [
            (100, 0, 1, 0),
            (1_024, 2, 0, 1),
            (1_024, 64, 1, 0),
            (SENSIBLE_FILES, 64, 0, 0),
            (u64::MAX, 1, 0, 0),
        ] {
            let mut findings = Findings::default();
            judge_files(limit(soft, u64::MAX), shards, &mut findings);
            assert_eq!((findings.errors.len(), findings.warnings.len()), (errors, warnings), "{soft} files");
        }
    }

    #[test]
    fn soft_limits_are_raised_to_the_hard_ones() {
        let raised = raise(libc::RLIMIT_NOFILE).unwrap();
        assert_eq!(raised.soft, raised.hard);
    }
}
