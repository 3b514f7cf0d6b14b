"""What a drill is made of: an organisation and a lake of its own, commands at a terminal, and the story told of them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import textwrap
import time

from source import KEY, Simulator
from terminal import Program

PLACE = "/var/lib/kustlake"
INSTANT = "2026-11-02T03:00:00"
# What differs from one play to the next, and what stands in the document instead.
CHANGES = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "5f0c2d9e-7a41-4f6b-9d3e-3c1b8a6e2d70"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=\.\d{3}Z)", INSTANT),
    (r"(?<=T03:00:00)\.\d{3}Z", ".000Z"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", lambda found: found[0] if INSTANT in found[0] else f"{INSTANT}Z"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC", INSTANT.replace("T", " ") + " UTC"),
    (r"requests, at \d{4}-\d\d-\d\d \d\d:\d\d(, \d+ \w+ to go)?", "requests, at 2026-11-02 03:00"),
    (r"\d+\.\d s of which \d+\.\d s waiting", "0.4 s of which 0.0 s waiting"),
    (r"going on in \d+ s", "going on in 7 s"),
    (r"pause_ms=\d+", "pause_ms=1000"),
    (r"\d+ s ago", "2 s ago"),
    (r"\bprocess \d+", "process 4711"),
    (r"\d{5} s ahead", "10800 s ahead"),
    (r"seconds=(-?)\d{5}", r"seconds=\g<1>10800"),
    (r"(\d+) attempts in \d+ s", r"\1 attempts in 4 s"),
]


# Limits that are known from the start: otherwise a run waits for what the one before has spent of a guessed one.
LIMITS = "  requests_per_minute: 1000000\n  search_requests_per_minute: 1000000\n"


class Wrong(Exception):
    """Something did not go as the drill says."""


def expect(holds: bool, problem: object) -> None:
    """Fails unless it holds; unlike assert also under -O."""
    if not holds:
        raise Wrong(str(problem))


class Drill:
    """A drill: its story, and what it plays on."""

    def __init__(self, tools: dict, title: str, code: str, pager: str, switches: dict | None = None):
        self.tools, self.title, self.code, self.pager = tools, title, code, pager
        self.parts: list[str] = []
        self.names: list[tuple[str, str]] = []
        # When the last command ended.
        self.ended = 0.0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="drill-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        unlimited = {"org_limit": 1_000_000, "search_limit": 1_000_000}
        self.source = Simulator(tools["binaries"] / "kustlake-sim", unlimited | (switches or {}))
        self.renamed(self.source.gate.url.removeprefix("http://"), "127.0.0.1:4010")
        self.renamed(str(self.home), PLACE)
        # Some messages leave out the slash at the beginning.
        self.renamed(str(self.home).lstrip("/"), PLACE.lstrip("/"))
        self.renamed(os.uname().nodename, "etl-1")
        self.environment = {"KUSTOMER_API_KEY": KEY, "TERM": "xterm-256color", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        self.closing = [self.source.close, lambda: shutil.rmtree(self.folder, ignore_errors=True)]
        tools["begun"].append(self)
        self.expected = {"users": "user", "customers": "customer", "conversations": "conversation"}
        # Words before each command, such as to enter the file system of a small disk.
        self.within: list[str] = []
        self.configure()

    def renamed(self, found: str, told: str) -> None:
        """What is found of this machine is told under another name."""
        self.names.append((found, told))

    def configure(self, destination: str = "./lake", more: str = "", pipelines: str = "users customers conversations") -> None:
        """Writes the configuration."""
        text = f"source:\n  base_url: {self.source.gate.url}\n{more or LIMITS}"
        text += f"destination:\n  url: {destination}\npipelines:\n"
        (self.home / "pipelines.yaml").write_text(text + "".join(f"  {name}: {{}}\n" for name in pipelines.split()))

    # What is told.

    def say(self, text: str) -> None:
        """A paragraph."""
        self.parts.append(textwrap.dedent(text).strip())

    def told(self, lines: list[str]) -> str:
        """Lines of the terminal, under names that are the same in each play."""
        text = "\n".join(lines)
        for found, name in self.names:
            text = text.replace(found, name)
        for pattern, stated in CHANGES:
            text = re.sub(pattern, stated, text)
        return text

    def block(self, *commands: tuple[str, list[str], int | None]) -> None:
        """Commands with what they printed and their exit code, unless that is not to be told."""
        text = []
        for shown, lines, code in commands:
            text += [f"$ {shown}"] + ([self.told(lines)] if lines else [])
            text += [] if code is None else ["$ echo $?", str(code)]
        self.parts.append("```console\n" + "\n".join(text) + "\n```")

    # What is done.

    def start(self, *arguments: str) -> Program:
        """Starts the program at a terminal."""
        self.rest()
        command = [*self.within, str(self.tools["binaries"] / "kustlake"), *arguments]
        return Program(command, str(self.home), self.environment)

    def run(self, arguments: str, code: int, *wanted: str, before: str = "") -> list[str]:
        """Runs the program to its end at a terminal, tells it, and sees to it that it ends with this code and says so."""
        return self.end(self.start(*arguments.split()), arguments, code, *wanted, before=before)

    def end(self, program: Program, arguments: str, code: int, *wanted: str, before: str = "") -> list[str]:
        """As `run`, of a program that was started before."""
        ended, lines = program.end()
        self.ended = time.monotonic()
        text = "\n".join(lines)
        expect(ended == code, f"{arguments}: exit code {ended} instead of {code}:\n{text}")
        for word in wanted:
            expect(word in text, f"{arguments}: {word!r} is not in:\n{text}")
        self.block((f"{before}kustlake {arguments}", lines, code))
        return lines

    def machine(self, *arguments: str) -> tuple[int, str, str]:
        """Runs the program as cron does: exit code, output, log."""
        self.rest()
        command = [*self.within, str(self.tools["binaries"] / "kustlake"), *arguments]
        ended = subprocess.run(
            command, cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, check=False,
        )
        self.ended = time.monotonic()
        return ended.returncode, ended.stdout, ended.stderr

    def rest(self) -> None:
        """The source tells its time in whole seconds, and what a run does depends on whether rows are of its own second."""
        time.sleep(max(0.0, self.ended + 1.1 - time.monotonic()))
        self.ended = 0.0

    def load(self) -> None:
        """The load before the drill, of which nothing is told."""
        code, out, log = self.machine("run")
        expect(code == 0, f"the load before: exit code {code}\n{out}\n{log}")

    def change(self) -> None:
        """Twelve customers change and five conversations are new, long enough ago that a run reads them."""
        self.source.in_the_past(self.source.mutate("customer", "update", 12), self.source.mutate("conversation", "create", 5))

    # What is proved.

    def rows(self, table: str) -> int:
        """Rows of a table, by the transaction log alone."""
        return sum(json.loads(file["stats"])["numRecords"] for file in self.files(table).values())

    def files(self, table: str) -> dict[str, dict]:
        """The files of a table's newest version."""
        files: dict[str, dict] = {}
        for commit in sorted((self.home / "lake" / table / "_delta_log").glob("*.json")):
            for action in map(json.loads, commit.read_text().splitlines()):
                if "remove" in action:
                    files.pop(action["remove"]["path"], None)
                if "add" in action:
                    files[action["add"]["path"]] = action["add"]
        return files

    def prove(self) -> None:
        """Every table has as many rows as the source has records, and the program finds no difference between them."""
        counts = {name: self.source.count(context) for name, context in self.expected.items()}
        if (self.home / "lake").exists():
            # By the log alone, which no mistake of the program's own reader can embellish.
            found = {name: self.rows(name) for name in counts}
        else:
            _, out, _ = self.machine("status", "--json")
            found = {table["entity"]: table["rows"] for table in json.loads(out)["tables"]}
        expect(counts == found, f"the source has {counts}, the tables {found}")
        code, out, log = self.machine("verify")
        expect(code == 0, f"verify: exit code {code}\n{out}\n{log}")
        told = " and ".join(", ".join(f"{count} {name}" for name, count in counts.items()).rsplit(", ", 1))
        self.say(f"*Checked: {told}, as many as the source has, and `kustlake verify` finds no difference.*")

    def document(self, number: int) -> str:
        """The drill as a section."""
        return "\n\n".join([f"## {number}. {self.title}", *self.parts]) + "\n"

    def close(self) -> None:
        """Ends whatever runs, and removes the folder."""
        for close in self.closing:
            close()
