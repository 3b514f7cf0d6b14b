//! What is done with the report of a run besides telling it: it is kept for those who look back, written as metrics, and
//! handed to a command when the run failed.
//!
//! The rule: none of it changes how the run ended. What fails here is a warning.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::args::Outside;
use super::metrics;
use crate::config::{API_KEY_VARIABLE, Config, HASH_KEY_VARIABLE};
use crate::run::{self, Exit, PastRun, Report, World};

/// A command that was told of a failure ends within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Storage that hangs holds nobody up for longer: the run is over, and may have been asked to stop.
const PATIENCE_WITH_STORAGE: Duration = Duration::from_secs(3);

/// Does what was asked for.
pub(super) async fn look_after(report: &Report, asked: &Outside, config: &Config, world: &World) {
    let kept = tokio::select! {
        kept = keep(report, config, world) => kept,
        () = world.clock.sleep(PATIENCE_WITH_STORAGE) => Err("the storage does not answer".to_owned()),
    };
    if let Err(problem) = kept {
        tracing::warn!(problem, "`kustlake report` will not know of this run");
    }
    if let Some(file) = &asked.metrics
        && let Err(error) = metrics::write(report, file)
    {
        tracing::warn!(file = %file.display(), %error, "the metrics were not written; is the folder there and writable?");
    }
    if let Some(command) = &asked.on_failure
        && report.exit_code != Exit::Ok
        && let Err(problem) = notify(command, report, world).await
    {
        tracing::warn!(problem, "the command of --on-failure did not do its work");
    }
}

async fn keep(report: &Report, config: &Config, world: &World) -> Result<(), String> {
    // A destination that cannot be used is no place to keep that it could not.
    if report.exit_code == Exit::Destination {
        return Ok(());
    }
    let lake = run::lake(config, world).map_err(|error| error.to_string())?;
    PastRun::keep(report, &lake).await.map_err(|error| error.to_string())
}

/// Runs a command of the shell, with the report as JSON at its standard input. It inherits no key of ours.
async fn notify(command: &str, report: &Report, world: &World) -> Result<(), String> {
    let told = serde_json::to_string(report).map_err(|error| error.to_string())?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env_remove(API_KEY_VARIABLE)
        .env_remove(HASH_KEY_VARIABLE)
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
