"""Checks packaging/ and docs/operations.md: what can be checked without building the program.

Usage: tests/packaged/run.py [--commands] [--binary FILE] [--airflow-python FILE]

Standard output is a JSON line for each `kustlake ...` command in these files: {"file", "line", "argv"}, for whoever has the
program's own parser. Standard error tells what was checked by which tool, and what could not be. It ends with 1 if
anything failed. It compiles nothing.

--commands        only collect the commands; needs nothing but the standard library
--binary FILE     also let this kustlake parse the commands; by default target/release/kustlake, if it is there
--airflow-python FILE   also load the DAGs, with this Python, which has Airflow

The tools of tests/packaging.txt are looked for beside the Python that runs this, then in PATH.
"""

import argparse
import json
import pathlib
import sys

from artefacts import check_containerfile, check_page, check_release, check_secrets
from commands import check_commands, commands
from common import ROOT, counts
from services import check_airflow, check_cron, check_kubernetes, check_schedules, check_systemd


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", action="store_true")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "release" / "kustlake")
    parser.add_argument("--airflow-python", type=pathlib.Path)
    asked = parser.parse_args()
    collected = list(commands())
    for one in collected:
        print(json.dumps(one))
    if asked.commands:
        return 0
    sys.stdout.flush()
    check_commands(collected, asked.binary)
    check_kubernetes(asked.binary)
    check_systemd()
    check_schedules()
    check_cron()
    check_airflow(asked.airflow_python)
    check_containerfile()
    check_release(asked.binary)
    check_page()
    check_secrets()
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['not checked']} skipped", file=sys.stderr)
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
