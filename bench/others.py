"""What measurements beside others share: their environments, how they are run, and how figures are shown."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import measured
from measured import ROOT

PROGRAMS = ROOT / "bench" / "peers-programs"
REQUIREMENTS = ROOT / "bench" / "peers-requirements"


def python(name):
    """The interpreter of an environment, which is made anew if it is missing or its list is another one."""
    folder, wanted = ROOT / ".venv" / f"bench-{name}", (REQUIREMENTS / f"{name}.txt").read_text()
    interpreter, installed = folder / "bin" / "python", folder / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {name} into {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=300)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "--requirement", REQUIREMENTS / f"{name}.txt"], check=True, timeout=1800)
        installed.write_text(wanted)
    return str(interpreter)


def run(command, folder, environment=(), memory=0):
    """Runs a program of somebody else; returns what it used."""
    # Nobody is told about the run, and what a program keeps for the next one stays in the folder.
    quiet = {"DO_NOT_TRACK": "1", "RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(folder), "PATH": os.defpath}
    return measured.timed(command, folder, {**quiet, **dict(environment)}, memory=memory)


def look(*arguments):
    command = [python("delta"), PROGRAMS / "look.py", *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=measured.PATIENCE).stdout)


def scratch():
    return tempfile.TemporaryDirectory(prefix="kustlake-peers-")


def turns(names, number):
    """Everybody comes first once in a while."""
    names = list(names)
    start = number % len(names)
    return names[start:] + names[:start]


def median(runs, value):
    return statistics.median(value(run) for run in runs)


def table(header, names):
    print(f"\n| {header} | " + " | ".join(names) + " |")
    print("| --- |" + " ---: |" * len(names))

    def line(name, cells):
        print(f"| {name} | " + " | ".join(cells) + " |")

    return line
