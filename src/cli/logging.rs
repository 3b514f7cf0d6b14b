//! Where log events go: readable lines for a person, one JSON object a line for a program.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::LogLevel;
use super::terminal::{Style, Terminal};

/// Begins to log. A person sees warnings only, since progress is on the screen.
pub(super) fn begin(terminal: &Terminal, level: LogLevel) {
    let level = match (level, terminal.style()) {
        (LogLevel::Error, _) => Level::ERROR,
        (LogLevel::Warn, _) | (LogLevel::Info, Style::Person) => Level::WARN,
        (LogLevel::Info, Style::Machine) => Level::INFO,
        (LogLevel::Debug, _) => Level::DEBUG,
    };
    // Nothing but our own events: those of libraries may quote what passes through them.
    let ours = Targets::new().with_target("kustlake", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(Lines(terminal.clone()));
    let registry = tracing_subscriber::registry().with(ours);
    // Fails only when a test has begun to log before.
    let _ = match terminal.style() {
        Style::Person => registry.with(lines.without_time().with_target(false).with_ansi(false)).try_init(),
        Style::Machine => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// Writes a line at a time above the progress bars.
struct Lines(Terminal);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { terminal: &self.0, text: Vec::new() }
    }
}

struct Line<'a> {
    terminal: &'a Terminal,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.terminal.note(String::from_utf8_lossy(&self.text).trim_end());
    }
}
