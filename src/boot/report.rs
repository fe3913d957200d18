//! What the checks found, in words for the person who starts the process.

use std::fmt;

/// Something that is not as it should be, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, as one line.
    pub problem: String,
    /// What to do, one way per line.
    pub mends: Vec<String>,
}

impl Finding {
    pub(super) fn new(problem: impl Into<String>, mends: &[&str]) -> Self {
        Self { problem: problem.into(), mends: mends.iter().map(|&mend| mend.to_owned()).collect() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        self.mends.iter().try_for_each(|mend| write!(f, "\n    {mend}"))
    }
}

/// Everything that the checks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// With any of these, nothing starts.
    pub errors: Vec<Finding>,
    /// It runs, but slower or smaller than it could.
    pub warnings: Vec<Finding>,
}

impl fmt::Display for Findings {
    /// One finding after another, each ended by a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.iter().try_for_each(|finding| writeln!(f, "error: {finding}"))?;
        self.warnings.iter().try_for_each(|finding| writeln!(f, "warning: {finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_print_errors_first_and_mends_indented() {
        let findings = Findings {
            warnings: vec![Finding::new("slow", &[])],
            errors: vec![Finding::new("broken", &["do this", "or that"])],
        };
        assert_eq!(findings.to_string(), "error: broken\n    do this\n    or that\nwarning: slow\n");
    }
}
