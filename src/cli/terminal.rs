//! The only place that prints.
//!
//! The rule: what a command answers goes to standard output, what happens on the way to standard
//! error. A reader who is gone is no reason to fail.

use std::io::{IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};

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
        Self { style: if person { Style::Person } else { Style::Machine }, bars }
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

    /// Something that happens on the way.
    pub(super) fn note(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    /// Why the command fails.
    pub(super) fn error(&self, text: &str) {
        match self.style {
            Style::Person => self.note(&format!("error: {text}")),
            Style::Machine => tracing::error!("{text}"),
        }
    }
}
