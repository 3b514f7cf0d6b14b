"""kustlake by Airflow: a run every quarter of an hour, maintenance every night.

Each worker that may get these tasks needs the binary in its PATH and /etc/kustlake/pipelines.yaml. The connection
`kustlake_kustomer` holds the API key as its password; let your secrets backend serve it. Credentials for S3 come from the
worker's own role or environment, as AWS_* variables.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

CONFIG = "/etc/kustlake/pipelines.yaml"
START = datetime(2024, 1, 1, tzinfo=timezone.utc)

# Exit code 4: another run is active at the same lake. It does the work, so this task is skipped rather than failed.
# A skipped task alerts nobody: watch the age of the tables as well (`kustlake status --json`).
ANOTHER_RUN_IS_ACTIVE = 4

DEFAULTS = {
    # The next run goes on where this one stopped, and requests are already repeated inside it. What is left has a reason that
    # five minutes do not remove: a key, a configuration, a destination. So a failure is told at once.
    "retries": 0,
    # Where a night without data costs more than a late alert, 1 is as far as it makes sense. The delay is longer than
    # the two minutes for which a run that was killed on another machine is waited for.
    "retry_delay": timedelta(minutes=3),
}

with DAG(
    dag_id="kustlake_run",
    schedule="*/15 * * * *",
    start_date=START,
    # A run reads all that changed since the last one. Former intervals have nothing of their own to load.
    catchup=False,
    # A second one would only end with exit code 4.
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["kustlake"],
    doc_md=__doc__,
):
    BashOperator(
        task_id="run",
        bash_command=f"exec kustlake --config {CONFIG} run",
        # Not on the command line, where every user of the worker would see it. Airflow masks it in its logs.
        env={"KUSTOMER_API_KEY": "{{ conn.kustlake_kustomer.password }}"},
        append_env=True,
        skip_on_exit_code=ANOTHER_RUN_IS_ACTIVE,
    )

with DAG(
    dag_id="kustlake_maintain",
    schedule="20 3 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["kustlake"],
    doc_md=__doc__,
):
    # It asks Kustomer for nothing, so it gets no key. Runs may go on beside it.
    BashOperator(
        task_id="maintain",
        bash_command=f"exec kustlake --config {CONFIG} maintain",
        skip_on_exit_code=ANOTHER_RUN_IS_ACTIVE,
    )
