//! Where log events go: readable lines for a person, one JSON object a line for a program.

use std::fmt;
use std::io::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::LogLevel;
use super::terminal::{Style, Terminal};
use crate::run::TOLD_AT_THE_END;

/// Begins to log. A person sees warnings only, since progress is on the screen.
pub(super) fn begin(terminal: &Terminal, level: LogLevel) {
    let level = match (level, terminal.style()) {
        (LogLevel::Error, _) => Level::ERROR,
        (LogLevel::Warn, _) | (LogLevel::Info, Style::Person) => Level::WARN,
        (LogLevel::Info, Style::Machine) => Level::INFO,
        (LogLevel::Debug, _) => Level::DEBUG,
    };
    // Nothing but our own events: those of libraries may quote what passes through them.
    let mut ours = Targets::new().with_target("kustlake", level);
    if terminal.style() == Style::Person {
        ours = ours.with_target(TOLD_AT_THE_END, LevelFilter::OFF);
    }
    let lines = tracing_subscriber::fmt::layer().with_writer(Lines(terminal.clone()));
    let registry = tracing_subscriber::registry().with(ours);
    // Fails only when a test has begun to log before.
    let _ = match terminal.style() {
        Style::Person => registry.with(lines.event_format(Sentence)).try_init(),
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

/// An event as a sentence: what happened, why, and what it concerns.
struct Sentence;

impl<S, N> FormatEvent<S, N> for Sentence
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            _ => "note",
        };
        write!(writer, "{level}: {}", parts.message)?;
        if !parts.error.is_empty() {
            write!(writer, ": {}", parts.error)?;
        }
        if !parts.others.is_empty() {
            write!(writer, " ({})", parts.others.join(", "))?;
        }
        writeln!(writer)
    }
}

/// The fields of an event.
#[derive(Default)]
struct Parts {
    message: String,
    error: String,
    others: Vec<String>,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = format!("{value:?}"),
            name => self.others.push(format!("{} {value:?}", name.replace('_', " "))),
        }
    }
}
