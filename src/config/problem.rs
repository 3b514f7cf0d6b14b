//! What is wrong with a configuration: everything at once, each with its line and a hint.

use std::fmt;

use thiserror::Error;

/// One mistake in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line in the file, from 1; 0 where it concerns the whole file.
    pub line: u64,
    /// Path of the key: `source.rate_share`.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub told: String,
}

/// A configuration that cannot be used, with all that is wrong with it.
#[derive(Debug, Error)]
pub struct ConfigError {
    file: String,
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        // What stands beside several organisations is read for each of them.
        problems.dedup();
        Self { file: file.to_owned(), problems }
    }

    pub(super) fn whole(file: &str, told: impl Into<String>) -> Self {
        Self::new(file, vec![Problem { line: 0, key: String::new(), told: told.into() }])
    }

    /// All mistakes, in the order of their lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            write!(f, ": {}", problem.told)?;
        }
        Ok(())
    }
}
