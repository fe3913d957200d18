//! Which cores the shards run on.

use super::report::{Finding, Findings};
use crate::shard::ShardsParams;
use std::{io, mem};

/// The core of each shard, as `params` asks for, on cores that this process may use. What cannot be had is
/// added to `findings`.
pub(super) fn choose(params: &ShardsParams, findings: &mut Findings) -> Vec<usize> {
    match allowed() {
        Ok(allowed) => choose_from(params, &allowed, findings),
        Err(error) => {
            let problem = format!("the kernel does not say which cores this process may use: {error}");
            findings.errors.push(Finding::new(problem, &[]));
            Vec::new()
        }
    }
}

fn choose_from(params: &ShardsParams, allowed: &[usize], findings: &mut Findings) -> Vec<usize> {
    match params {
        ShardsParams::AllCores => allowed.to_vec(),
        ShardsParams::Count(count) => {
            if *count > allowed.len() {
                let cores = allowed.len();
                let problem = format!(
                    "runtime.shards is {count}, and this process may use {cores} cores: some share one"
                );
                findings
                    .warnings
                    .push(Finding::new(problem, &["lower runtime.shards, or widen the process's CPU set"]));
            }
            allowed.iter().copied().cycle().take(*count).collect()
        }
        ShardsParams::Cores(cores) => {
            let missing: Vec<_> = cores.iter().filter(|core| !allowed.contains(core)).collect();
            if !missing.is_empty() {
                let problem = format!(
                    "runtime.shards lists cores that this process may not use: {missing:?}; it may use {allowed:?}"
                );
                findings
                    .errors
                    .push(Finding::new(problem, &["change runtime.shards, or widen the process's CPU set"]));
            }
            cores.clone()
        }
    }
}

/// The cores in this process's affinity mask, in ascending order.
fn allowed() -> io::Result<Vec<usize>> {
    // SAFETY: a cpu_set_t is a bit mask, and zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is valid for writing and as large as is said.
    if unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: every index is within the mask.
    Ok((0..8 * mem::size_of_val(&set)).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_run_on_cores_that_may_be_used() {
        for (params, expected, errors, warnings) in [
            (ShardsParams::AllCores, vec![2, 3, 5], 0, 0),
            (ShardsParams::Count(2), vec![2, 3], 0, 0),
            (ShardsParams::Count(4), vec![2, 3, 5, 2], 0, 1),
            (ShardsParams::Cores(vec![5, 2]), vec![5, 2], 0, 0),
            (ShardsParams::Cores(vec![2, 7]), vec![2, 7], 1, 0),
        ] {
            let mut findings = Findings::default();
            assert_eq!(choose_from(&params, &[2, 3, 5], &mut findings), expected, "{params:?}");
            assert_eq!((findings.errors.len(), findings.warnings.len()), (errors, warnings), "{params:?}");
        }
    }

    #[test]
    fn this_process_may_use_a_core() {
        assert!(!allowed().unwrap().is_empty());
    }
}
