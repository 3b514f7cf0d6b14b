//! What the last run did, as a text file for Prometheus (node exporter's textfile collector).
//!
//! The rule: every figure is of the last run, so that a run which did not happen shows as an old timestamp; a reader never
//! meets half a file.

use std::fmt::Write as _;
use std::path::Path;

use crate::run::{Outcome, Report};

/// One metric: name, help, and its samples as labels and value.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

/// Writes the file as a whole.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(report: &Report, file: &Path) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text(report))?;
    std::fs::rename(&beside, file)
}

/// The metrics in Prometheus' text format.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for Metric { name, help, samples } in of_run(report).into_iter().chain(of_entities(report)) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point numbers alone")]
fn of_run(report: &Report) -> Vec<Metric> {
    let one = |name, help, value: f64| Metric { name, help, samples: vec![(String::new(), value)] };
    let requests = &report.requests;
    let kinds = [
        ("all", requests.total),
        ("search", requests.search),
        ("repeated", requests.retried),
        ("refused", requests.throttled),
    ];
    vec![
        one(
            "kustlake_run_start_timestamp_seconds",
            "When the last run began.",
            report.started_at.timestamp_millis() as f64 / 1000.0,
        ),
        one("kustlake_run_duration_seconds", "How long the last run took.", report.seconds),
        one("kustlake_run_exit_code", "Exit code of the last run; 0 is all well.", f64::from(report.exit_code.code())),
        Metric {
            name: "kustlake_run_requests",
            help: "Requests of the last run; repeated and refused ones and searches are among all.",
            samples: kinds.map(|(kind, count)| (format!("{{kind=\"{kind}\"}}"), count as f64)).into(),
        },
        one(
            "kustlake_run_budget_wait_seconds",
            "Seconds that requests of the last run waited for the budget, summed.",
            requests.waited_seconds,
        ),
        one("kustlake_run_received_bytes", "Bytes of JSON that the last run received.", requests.bytes as f64),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point numbers alone")]
fn of_entities(report: &Report) -> Vec<Metric> {
    let each = |name, help, value: &dyn Fn(&crate::run::EntityReport) -> Option<f64>| {
        let sample = |entity| Some((format!("{{entity=\"{}\"}}", label(entity)), value(entity)?));
        Metric { name, help, samples: report.entities.iter().filter_map(sample).collect() }
    };
    let changes = report.entities.iter().flat_map(|entity| {
        let rows = &entity.rows;
        [("inserted", rows.inserted), ("updated", rows.updated), ("deleted", rows.deleted)]
            .map(|(change, count)| (format!("{{entity=\"{}\",change=\"{change}\"}}", label(entity)), count as f64))
    });
    vec![
        each("kustlake_entity_complete", "Whether the last run completed the entity.", &|entity| {
            Some(f64::from(u8::from(entity.outcome == Outcome::Complete)))
        }),
        each("kustlake_entity_cursor_timestamp_seconds", "Everything updated before it is committed.", &|entity| {
            entity.cursor.map(|cursor| cursor.timestamp_millis() as f64 / 1000.0)
        }),
        each("kustlake_entity_read_records", "Records that the last run read, repeats included.", &|entity| {
            Some(entity.rows.read as f64)
        }),
        Metric {
            name: "kustlake_entity_changed_rows",
            help: "Rows that the last run changed.",
            samples: changes.collect(),
        },
        each(
            "kustlake_entity_odd_values",
            "Values of the last run that fit no column and stand in _extra.",
            &|entity| Some(entity.problems.values().sum::<u64>() as f64),
        ),
        each("kustlake_entity_requests", "Requests of the last run.", &|entity| Some(entity.requests as f64)),
    ]
}

/// The name of the entity as a label has it.
fn label(entity: &crate::run::EntityReport) -> String {
    entity.entity.as_str().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
