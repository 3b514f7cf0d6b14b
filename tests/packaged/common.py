"""What all checks of packaging share: where things are, and how a finding is told."""

import importlib.metadata
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
OPERATIONS = ROOT / "docs" / "operations.md"
TARGETS = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]
CRON = PACKAGING / "cron" / "kustlake.cron"
DAG = PACKAGING / "airflow" / "kustlake_dag.py"
KUBERNETES = PACKAGING / "kubernetes" / "cronjob.yaml"
CONTAINERFILE = PACKAGING / "Containerfile"
RELEASE = PACKAGING / "release"
counts = {"ok": 0, "FAILED": 0, "not checked": 0}


def told(verdict, what, tool):
    """Tells what was checked, and by what."""
    counts[verdict] += 1
    print(f"{verdict:<11}  {what}  [{tool}]", file=sys.stderr)


def check(what, tool, problems):
    """Tells of a check and of each problem that it found."""
    problems = [str(problem).strip() for problem in problems]
    told("FAILED" if problems else "ok", what, tool)
    for problem in problems:
        print("             " + problem.replace("\n", "\n             "), file=sys.stderr)


def tool(name):
    """A program beside this Python, or in PATH."""
    beside = pathlib.Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def run(*command, **options):
    """Runs a program and keeps what it says."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def said(result):
    """What a program said, if it failed."""
    return [] if result.returncode == 0 else [f"exit code {result.returncode}\n{result.stdout}{result.stderr}"]


def package(name):
    """A package with its version, or nothing if it is not installed."""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def short(path):
    """The path as the repository has it."""
    return str(path.relative_to(ROOT))


def files():
    """Every file that was checked in, in the order of names."""
    found = [path for path in PACKAGING.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [*sorted(found), OPERATIONS]
