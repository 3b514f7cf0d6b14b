//! The only place that prints.
//!
//! The rule: what a command answers goes to standard output, what happens on the way to standard
//! error. A reader who is gone is no reason to fail.

use std::io::{IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use crate::run::RunError;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A person: progress bars, tables, sentences.
    Person,
    /// A program: one JSON line an event, a JSON report.
    Machine,
}

/// Standard output and standard error.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    style: Style,
    bars: MultiProgress,
    organisation: Option<String>,
}

impl Terminal {
    /// Those of this process; a person reads when both are a terminal.
    pub(super) fn of_process() -> Self {
        let person = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let bars = MultiProgress::with_draw_target(if person {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        Self { style: if person { Style::Person } else { Style::Machine }, bars, organisation: None }
    }

    /// The same for what concerns one of several organisations.
    pub(super) fn of(&self, organisation: Option<&str>) -> Self {
        Self { organisation: organisation.map(str::to_owned), ..self.clone() }
    }

    /// Whom it concerns, where there are several.
    pub(super) fn organisation(&self) -> Option<&str> {
        self.organisation.as_deref()
    }

    pub(super) const fn style(&self) -> Style {
        self.style
    }

    pub(super) const fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Part of the answer.
    pub(super) fn line(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        });
    }

    /// Part of the answer, as one line of JSON for a program.
    pub(super) fn json(&self, answer: &impl Serialize) -> Result<(), RunError> {
        #[derive(Serialize)]
        struct Of<'a, T> {
            #[serde(skip_serializing_if = "Option::is_none")]
            organisation: Option<&'a str>,
            #[serde(flatten)]
            answer: &'a T,
        }
        let told = serde_json::to_string(&Of { organisation: self.organisation(), answer });
        self.line(&told.map_err(|error| RunError::Internal(error.to_string()))?);
        Ok(())
    }

    /// Something that happens on the way.
    pub(super) fn note(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    /// Whether there is a person who can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.style == Style::Person && std::io::stdin().is_terminal()
    }

    /// Asks, until the answer will do; an empty one means the usual one. Nothing when there is no answer any more.
    pub(super) fn ask(
        &self,
        question: &str,
        usual: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        loop {
            let mut error = std::io::stderr().lock();
            let _ = write!(error, "{question} [{usual}]: ").and_then(|()| error.flush());
            drop(error);
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).ok().filter(|read| *read > 0)?;
            let answer = Some(answer.trim()).filter(|answer| !answer.is_empty()).unwrap_or(usual);
            match check(answer) {
                Ok(()) => return Some(answer.to_owned()),
                Err(told) => self.note(&told),
            }
        }
    }

    /// Why the command fails.
    pub(super) fn error(&self, text: &str) {
        match self.style {
            Style::Person => match self.organisation() {
                Some(name) => self.note(&format!("error: {name}: {text}")),
                None => self.note(&format!("error: {text}")),
            },
            Style::Machine => tracing::error!("{text}"),
        }
    }
}
