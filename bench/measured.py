"""What measurements share: a simulated organisation, a folder that the program loads, and how a process is measured."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Another folder of ready binaries may be named, so that a measurement can be tried where nothing is to be built.
BINARIES = pathlib.Path(os.environ.get("KUSTLAKE_BENCH_BINARIES") or ROOT / "target" / "dist")
# The simulated present. Records are spread over the three years before it, so that the archive is read too.
PRESENT_MS = 1_790_000_000_000
UNLIMITED = {"org_limit": 1_000_000_000, "search_limit": 1_000_000_000}
CHANGED, STEP = 10_000, 100
# No single process of a measurement takes as long as this, unless it hangs.
PATIENCE = 1_800


def build():
    subprocess.run(["cargo", "build", "--profile", "dist", "--workspace", "--bins", "--locked"], cwd=ROOT, check=True)


class Simulator:
    """A simulated organisation; ends with the `with` block."""

    def __init__(self, rows):
        command = [BINARIES / "kustlake-sim", "--messages", str(rows), "--start", str(PRESENT_MS)]
        command += ["--customers", "1000", "--conversations", str(max(rows // 4, 1)), "--notes", "0"]
        command += ["--switches", json.dumps(UNLIMITED)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def post(self, path, body):
        request = urllib.request.Request(f"{self.url}/_sim/{path}", body, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def ask(self, path, body):
        return self.post(path, json.dumps(body).encode())

    def lines(self, path):
        with urllib.request.urlopen(f"{self.url}/_sim/{path}", timeout=PATIENCE) as answer:
            yield from (json.loads(line) for line in answer if line.strip())

    def change(self, seed, changed=CHANGED):
        """Changes records all over the table, some each second: all at one instant would be a case of its own."""
        ids = set()
        for step in range(changed // STEP):
            change = {"context": "message", "op": "update", "count": STEP, "seed": seed * changed + step}
            ids.update(self.ask("mutate", change)["ids"])
            self.ask("clock", {"advance_ms": 1000})
        self.settle()
        return ids

    def settle(self):
        """Lets ten minutes pass, so that a run may read everything that was changed."""
        self.ask("clock", {"advance_ms": 10 * 60 * 1000})


class Failed(SystemExit):
    """A process that did not end well. It ends the measurement too, unless somebody expects it."""


def timed(command, folder, environment, out="out", log="log", memory=0):
    """Runs a command in a folder to its end; returns what it used. What it says goes into two files of the folder.

    It is killed when it has more than `memory` MiB, if that is not 0.
    """
    usage = folder / "usage"
    launch = [sys.executable, "-S", "-E", ROOT / "bench" / "launch.py", usage, str(PATIENCE), str(memory), *command]
    with open(folder / out, "w") as said, open(folder / log, "w") as logged:
        process = subprocess.Popen(launch, cwd=folder, env=environment, stdout=said, stderr=logged)
        try:
            code = process.wait(PATIENCE + 60)
        finally:
            # Only after an interruption there is something to end.
            process.terminate()
            process.wait()
    if code != 0:
        last = "\n".join((folder / name).read_text()[-2000:] for name in (out, log))
        raise Failed(f"{' '.join(map(str, command))} ended with {code}:\n{last}")
    return json.loads(usage.read_text())


def live(table):
    """The files that the newest version of a Delta table consists of, by the log."""
    names = set()
    for commit in sorted((table / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                names.add(action["add"]["path"])
            elif "remove" in action:
                names.discard(action["remove"]["path"])
    return names


class Lake:
    """A folder with a configuration, loaded by the program: messages, or everything there is."""

    def __init__(self, folder, url, pipelines="pipelines:\n  messages: {mode: update}\n"):
        self.folder = pathlib.Path(folder)
        self.table = self.folder / "lake" / "messages"
        (self.folder / "pipelines.yaml").write_text(
            f"source:\n  base_url: {url}\n  requests_per_minute: 9000000\n  rate_share: 1.0\n"
            "  search_requests_per_minute: 9000000\n"
            f"destination:\n  url: ./lake\n{pipelines}"
        )

    def files(self):
        return {path.name: path.stat().st_size for path in self.table.glob("*.parquet")}

    def process(self):
        """Runs the program; returns what the process took and its report."""
        command = [BINARIES / "kustlake", "run", "--log-level", "warn"]
        took = timed(command, self.folder, {"KUSTOMER_API_KEY": "sim-token"}, out="report")
        return took, json.loads((self.folder / "report").read_text().splitlines()[-1])

    def run(self):
        before = self.files()
        took, report = self.process()
        entity = report["entities"][0]
        files, newest = self.files(), live(self.table)
        written = [size for name, size in files.items() if name not in before]
        return {
            **took,
            "rows": entity["inserted"] + entity["updated"] + entity["deleted"],
            "read": entity["read"],
            "requests": entity["requests"],
            "json": entity["bytes"] / 1e6,
            "commits": entity["commits"],
            "files written": len(written),
            "MB written": sum(written) / 1e6,
            "files": len(newest),
            "MB": sum(files[name] for name in newest) / 1e6,
        }


def spread(runs, value, digits):
    values = sorted(value(run) for run in runs)
    figures = [values[0], statistics.median(values), values[-1]]
    return " / ".join(f"{figure:,.{digits}f}" for figure in figures)
