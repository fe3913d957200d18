//! Asks the kernel for a ring before glommio does: its own answer to a refusal is a panic.

use super::report::{Finding, Findings};
use std::os::fd::{FromRawFd, OwnedFd};
use std::{fs, io};

/// `IORING_SETUP_COOP_TASKRUN`, see `net/ring_flags.rs`.
const COOP_TASKRUN: u32 = 1 << 8;
/// Where `flags` is in `struct io_uring_params`: the third of its thirty words.
const FLAGS_WORD: usize = 2;
/// The first kernel with everything that glommio asks of io_uring.
const OLDEST_KERNEL: (u32, u32) = (5, 8);

/// What was found out about io_uring.
#[derive(Debug)]
struct Facts {
    /// The kernel's version, if its name could be read.
    kernel: Option<(u32, u32)>,
    /// The text of `kernel.io_uring_disabled`, on kernels that have it.
    disabled: Option<String>,
    /// What became of asking for a ring.
    ring: Result<(), i32>,
    /// What became of asking for one with COOP_TASKRUN.
    fast_ring: Result<(), i32>,
}

/// Checks that rings can be had and adds what stands in the way to `findings`.
pub(super) fn check(findings: &mut Findings) {
    let read = |path| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    judge(
        &Facts {
            kernel: read("/proc/sys/kernel/osrelease").as_deref().and_then(parse_version),
            disabled: read("/proc/sys/kernel/io_uring_disabled"),
            ring: make_ring(0),
            fast_ring: make_ring(COOP_TASKRUN),
        },
        findings,
    );
}

fn judge(facts: &Facts, findings: &mut Findings) {
    if let Err(error) = facts.ring {
        findings.errors.push(refused(error, facts));
        return;
    }
    if let Some((major, minor)) = facts.kernel.filter(|&version| version < OLDEST_KERNEL) {
        let problem =
            format!("the kernel is {major}.{minor}; the shards need Linux 5.8, and 5.19 for full speed");
        findings.errors.push(Finding::new(problem, &["boot a newer kernel"]));
        return;
    }
    if facts.fast_ring.is_err() {
        let problem = "this kernel's io_uring has no COOP_TASKRUN (Linux 5.19): everything works, and a request \
                       costs about two and a half times the processor time";
        findings.warnings.push(Finding::new(problem, &["boot a kernel of 5.19 or newer"]));
    }
}

/// Why no ring could be had, and what helps.
fn refused(error: i32, facts: &Facts) -> Finding {
    let seccomp = [
        "docker or podman: run with a seccomp profile that allows io_uring_setup, io_uring_enter and \
         io_uring_register, or try --security-opt seccomp=unconfined",
        "Kubernetes: a securityContext.seccompProfile of type Localhost with these three calls, or Unconfined",
        "systemd: SystemCallFilter=@io-uring beside the filter that the unit has",
    ];
    match (error, facts.disabled.as_deref()) {
        (libc::EPERM, Some(disabled @ ("1" | "2"))) => Finding::new(
            format!(
                "io_uring is switched off on this machine (kernel.io_uring_disabled = {disabled}); allow it:"
            ),
            &[
                "now: sysctl -w kernel.io_uring_disabled=0",
                "for good: put kernel.io_uring_disabled=0 into /etc/sysctl.d/60-io-uring.conf",
            ],
        ),
        (libc::EPERM | libc::EACCES, _) => Finding::new(
            "io_uring is forbidden to this process, most likely by a seccomp filter; allow it:",
            &seccomp,
        ),
        (libc::ENOSYS, _) if facts.kernel.is_none_or(|version| version >= OLDEST_KERNEL) => Finding::new(
            "io_uring is missing though the kernel is new enough: a sandbox or seccomp filter hides it; allow it:",
            &seccomp,
        ),
        (libc::ENOSYS, _) => {
            let (major, minor) = facts.kernel.unwrap_or_default();
            let problem = format!("the kernel is {major}.{minor} and has no io_uring; Linux 5.8 is needed");
            Finding::new(problem, &["boot a newer kernel (5.19 for full speed)"])
        }
        (libc::ENOMEM, _) => Finding::new(
            "there is not enough lockable memory for an io_uring",
            &[
                "raise the limit on locked memory: LimitMEMLOCK=64M (systemd) or --ulimit memlock=67108864:67108864 (docker)",
            ],
        ),
        (libc::EMFILE | libc::ENFILE, _) => Finding::new(
            "no more files can be opened, not even one for an io_uring",
            &["raise the limit on open files"],
        ),
        (error, _) => {
            let text = io::Error::from_raw_os_error(error);
            Finding::new(format!("the kernel gives no io_uring: {text}"), &[])
        }
    }
}

/// Makes the smallest ring and closes it again.
fn make_ring(flags: u32) -> Result<(), i32> {
    // struct io_uring_params: ten words, then the offsets of the two rings, ten words each; zero but the flags.
    let mut params = [0_u32; 30];
    params[FLAGS_WORD] = flags;
    let entries: libc::c_uint = 1;
    // SAFETY: the call writes at most one io_uring_params, 120 bytes, to the second argument.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, params.as_mut_ptr()) };
    match i32::try_from(fd) {
        Ok(fd) if fd >= 0 => {
            // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            Ok(())
        }
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or_default()),
    }
}

/// `6.1.0-13-amd64` is (6, 1).
fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(kernel: (u32, u32), disabled: Option<&str>, ring: Result<(), i32>) -> Findings {
        let facts =
            Facts { kernel: Some(kernel), disabled: disabled.map(str::to_owned), ring, fast_ring: ring };
        let mut findings = Findings::default();
        judge(&facts, &mut findings);
        findings
    }

    #[test]
    fn every_refusal_names_its_cause_and_its_mend() {
        for (kernel, disabled, error, parts) in [
            (
                (6, 6),
                Some("2"),
                libc::EPERM,
                ["kernel.io_uring_disabled = 2", "sysctl -w kernel.io_uring_disabled=0"],
            ),
            ((6, 6), Some("0"), libc::EPERM, ["seccomp filter", "--security-opt seccomp"]),
            ((5, 10), None, libc::EPERM, ["seccomp filter", "io_uring_register"]),
            ((5, 10), None, libc::ENOSYS, ["hides it", "Kubernetes"]),
            ((4, 19), None, libc::ENOSYS, ["the kernel is 4.19", "5.8"]),
            ((5, 10), None, libc::ENOMEM, ["lockable memory", "LimitMEMLOCK"]),
            ((5, 10), None, libc::EMFILE, ["files", "limit on open files"]),
            ((5, 10), None, libc::EINVAL, ["no io_uring", "Invalid argument"]),
        ] {
            let findings = judged(kernel, disabled, Err(error));
            assert_eq!((findings.errors.len(), findings.warnings.len()), (1, 0));
            let text = findings.to_string();
            for part in parts {
                assert!(text.contains(part), "error {error}: {part} is not in {text}");
            }
        }
    }

    #[test]
    fn an_old_kernel_is_an_error_and_a_middling_one_a_warning() {
        assert_eq!(judged((5, 7), None, Ok(())).errors.len(), 1);
        assert_eq!(judged((5, 19), None, Ok(())), Findings::default());
        let facts =
            Facts { kernel: Some((5, 15)), disabled: None, ring: Ok(()), fast_ring: Err(libc::EINVAL) };
        let mut findings = Findings::default();
        judge(&facts, &mut findings);
        assert_eq!((findings.errors.len(), findings.warnings.len()), (0, 1));
    }

    #[test]
    fn versions_are_read_from_release_names() {
        for (release, expected) in [
            ("6.1.0-13-amd64", Some((6, 1))),
            ("5.19.0", Some((5, 19))),
            ("6.18", Some((6, 18))),
            ("", None),
            ("six", None),
        ] {
            assert_eq!(parse_version(release), expected, "{release}");
        }
    }

    #[test]
    fn flags_that_no_kernel_knows_are_refused_with_an_error_number() {
        let error = make_ring(u32::MAX).unwrap_err();
        assert!([libc::EINVAL, libc::EPERM, libc::ENOSYS].contains(&error), "{error}");
    }
}
