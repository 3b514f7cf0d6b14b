//! What is done with the report of a run besides telling it: it is kept for those who look back, written as metrics, and
//! handed to a command when the run failed.
//!
//! The rule: none of it changes how the run ended. What fails here is a warning.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::args::Outside;
use super::{metrics, telemetry};
use crate::config::{API_KEY_VARIABLE, Config, HASH_KEY_VARIABLE};
use crate::run::{self, Exit, PastRun, Report, World};

/// A command that was told of a failure ends within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector that hangs holds nobody up for longer.
const PATIENCE_WITH_COLLECTOR: Duration = Duration::from_secs(5);

/// Storage that hangs holds nobody up for longer: the run is over, and may have been asked to stop.
const PATIENCE_WITH_STORAGE: Duration = Duration::from_secs(3);

/// Keeps the report beside the tables.
pub(super) async fn keep(report: &Report, config: &Config, world: &World) {
    // A destination that cannot be used is no place to keep that it could not.
    if report.exit_code == Exit::Destination {
        return;
    }
    let keeping = async {
        let lake = run::lake(config, world).map_err(|error| error.to_string())?;
        PastRun::keep(report, &lake).await.map_err(|error| error.to_string())
    };
    let kept = tokio::select! {
        kept = keeping => kept,
        () = world.clock.sleep(PATIENCE_WITH_STORAGE) => Err("the storage does not answer".to_owned()),
    };
    if let Err(problem) = kept {
        tracing::warn!(error = problem, "`kustlake report` will not know of this run");
    }
}

/// Tells the others: metrics of all runs in one file and to one collector, each failure by itself.
pub(super) async fn tell_others(
    reports: &[&Report],
    asked: &Outside,
    secret_variables: &BTreeSet<&String>,
    world: &World,
) {
    if let Some(file) = &asked.metrics
        && let Err(error) = metrics::write(reports, file)
    {
        tracing::warn!(file = %file.display(), %error, "the metrics were not written; is the folder there and writable?");
    }
    if telemetry::is_wanted()
        && let Err(problem) = tokio::select! {
            sent = telemetry::send(reports) => sent,
            () = world.clock.sleep(PATIENCE_WITH_COLLECTOR) => Err("it does not answer".to_owned()),
        }
    {
        tracing::warn!(
            error = problem,
            "the metrics did not reach the collector; do the OTEL_EXPORTER_OTLP_… variables name it?"
        );
    }
    for report in reports.iter().filter(|report| report.exit_code != Exit::Ok) {
        if let Some(command) = &asked.on_failure
            && let Err(problem) = notify(command, report, secret_variables, world).await
        {
            tracing::warn!(error = problem, "the command of --on-failure did not do its work");
        }
    }
}

/// Runs a command of the shell, with the report as JSON at its standard input. It inherits no key of ours.
async fn notify(
    command: &str,
    report: &Report,
    secret_variables: &BTreeSet<&String>,
    world: &World,
) -> Result<(), String> {
    let told = serde_json::to_string(report).map_err(|error| error.to_string())?;
    let mut shell = Command::new("sh");
    for variable in
        [API_KEY_VARIABLE, HASH_KEY_VARIABLE].into_iter().chain(secret_variables.iter().map(|name| name.as_str()))
    {
        shell.env_remove(variable);
    }
    let mut child = shell
        .args(["-c", command])
        .env("KUSTLAKE_EXIT_CODE", report.exit_code.code().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("it did not start: {error}"))?;
    let done = async {
        if let Some(mut input) = child.stdin.take() {
            // A command that reads nothing is as good.
            let _unread = input.write_all(told.as_bytes()).await;
        }
        child.wait().await
    };
    tokio::select! {
        ended = done => match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("it ended with {status}")),
            Err(error) => Err(error.to_string()),
        },
        () = world.clock.sleep(PATIENCE) => Err(format!("it was ended after {} s", PATIENCE.as_secs())),
    }
}
