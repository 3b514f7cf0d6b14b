//! What the last run did, as metrics, and as a text file of them for Prometheus (node exporter's textfile collector).
//!
//! The rule: every figure is of the last run, so that a run which did not happen shows as an old timestamp; a reader never
//! meets half a file.

use std::fmt::Write as _;
use std::path::Path;

use crate::run::{EntityReport, Outcome, Report};

/// One metric. All are gauges.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// A value, and the labels that tell it apart.
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: f64,
}

/// Writes the file as a whole.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(reports: &[&Report], file: &Path) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text(reports))?;
    std::fs::rename(&beside, file)
}

/// The metrics in Prometheus' text format.
pub(super) fn text(reports: &[&Report]) -> String {
    let mut text = String::new();
    for Metric { name, help, samples } in all(reports) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for Sample { labels, value } in samples {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The metrics of these runs; where there are several organisations, each sample names its own.
pub(super) fn all(reports: &[&Report]) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for report in reports {
        for mut metric in of_run(report).into_iter().chain(of_entities(report)) {
            if let Some(organisation) = &report.organisation {
                let label = ("organisation", organisation.clone());
                metric.samples.iter_mut().for_each(|sample| sample.labels.insert(0, label.clone()));
            }
            match metrics.iter_mut().find(|known| known.name == metric.name) {
                Some(known) => known.samples.append(&mut metric.samples),
                None => metrics.push(metric),
            }
        }
    }
    metrics
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point numbers alone")]
fn of_run(report: &Report) -> Vec<Metric> {
    let one = |name, help, value: f64| Metric { name, help, samples: vec![Sample { labels: Vec::new(), value }] };
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
            samples: kinds
                .map(|(kind, count)| Sample { labels: vec![("kind", kind.to_owned())], value: count as f64 })
                .into(),
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
    let each = |name, help, value: &dyn Fn(&EntityReport) -> Option<f64>| {
        let sample = |entity| Some(Sample { labels: vec![of(entity)], value: value(entity)? });
        Metric { name, help, samples: report.entities.iter().filter_map(sample).collect() }
    };
    let changes = report.entities.iter().flat_map(|entity| {
        let rows = &entity.rows;
        [("inserted", rows.inserted), ("updated", rows.updated), ("deleted", rows.deleted)].map(|(change, count)| {
            Sample { labels: vec![of(entity), ("change", change.to_owned())], value: count as f64 }
        })
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

fn of(entity: &EntityReport) -> (&'static str, String) {
    ("entity", entity.entity.to_string())
}
