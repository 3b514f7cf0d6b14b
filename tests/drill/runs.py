"""Drills of runs that meet, wait, or end early."""

import json
import os
import signal
import time

from story import Drill, expect
from terminal import Program

SEARCH = ("/v1/customers/search", '"conversation"')


def held(drill: Drill) -> tuple[Program, object]:
    """A run that has come to the conversations, with users and customers complete, and what lets it go on."""
    come, go_on = drill.source.gate.hold(*SEARCH)
    program = drill.start("run")
    expect(come.wait(30), f"the request does not come: {program.shown()}")
    for name in ("users", "customers"):
        program.until(name, "complete")
    return program, go_on


def kill(drill: Drill) -> int:
    """Kills a run that has come to the conversations; gives its exit code as a shell tells it."""
    program, go_on = held(drill)
    os.kill(program.child.pid, signal.SIGKILL)
    go_on.set()
    code, _ = program.end()
    drill.ended = time.monotonic()
    return code


def two(tools: dict) -> Drill:
    """Two crons."""
    drill = Drill(tools, "Two crons start a run of the same lake", "4", "another run is active")
    drill.load()
    drill.change()
    first, go_on = held(drill)
    drill.say("While a run is under way, another one begins, on this machine or elsewhere. It ends at once.")
    drill.run("run", 4, "another run is active")
    drill.say("**Do**: nothing; the first run does the work. If it lasts longer than a load can take, find its process and end it: the next run goes on. The first run meanwhile:")
    go_on.set()
    drill.end(first, "run", 0)
    drill.prove()
    return drill


def killed(tools: dict) -> Drill:
    """kill -9."""
    drill = Drill(tools, "A run was killed", "137", "exit code 137, or a report that never came")
    drill.load()
    drill.change()
    code = kill(drill)
    drill.say("`kill -9`, or the kernel for want of memory, while conversations are read. The run tells nothing any more.")
    drill.block(("kustlake run", ["Killed"], code))
    drill.say("**Do**: nothing; see to the memory if it happens again. On the same machine the next run takes over at once, elsewhere after two minutes.")
    drill.run("run", 0, "taking over its lease")
    drill.prove()
    return drill


def killed_elsewhere(tools: dict) -> Drill:
    """kill -9 on a machine that is not this one."""
    drill = Drill(tools, "A run was killed on another machine", "4", "another run is active")
    drill.load()
    drill.change()
    kill(drill)
    lease = drill.home / "lake" / "_kustlake" / "lease.json"
    record = json.loads(lease.read_text())
    # As the process of another machine would have left it.
    record["process"]["boot"] = "another"
    lease.write_text(json.dumps(record))
    drill.say("Or in a container that was replaced. Whether that process has ended cannot be seen from here.")
    drill.run("run", 4, "another run is active")
    drill.say("**Do**: nothing. Without a heartbeat for two minutes the lease counts as left behind, and the next run takes it. Then:")
    past = time.time() - 130
    os.utime(lease, (past, past))
    drill.run("run", 0)
    drill.prove()
    return drill


def interrupted(tools: dict) -> Drill:
    """Ctrl-C."""
    drill = Drill(tools, "Somebody presses Ctrl-C", "130", "stopped from outside")
    drill.load()
    drill.change()
    program, go_on = held(drill)
    drill.say("During the conversations.")
    program.press_ctrl_c()
    code, lines = program.end()
    drill.ended = time.monotonic()
    go_on.set()
    # The terminal's own echo of Ctrl-C stands somewhere among the progress.
    table = next(at for at, line in enumerate(lines) if line.startswith("entity "))
    expect(code == 130, lines)
    drill.block(("kustlake run", ["^C", *lines[table:]], code))
    drill.say("**Do**: nothing. The table tells what was committed; the next run reads the rest. SIGTERM does the same, with exit code 143.")
    drill.run("run", 0)
    drill.prove()
    return drill


def drained(tools: dict) -> Drill:
    """Another client takes what there is."""
    title = "Another client has used up the organisation's rate limit"
    drill = Drill(tools, title, "0", "nothing; the progress line says what is waited for", {"org_limit": 300, "reset_header": "always"})
    drill.configure(more="  requests_per_minute: auto\n")
    # The minute of the source ends a few seconds after the run has begun.
    now = time.time()
    drill.source.control("clock", {"set": round((now - now % 60 + 50) * 1000)})
    drill.source.control("switches", {"other_clients": 297})
    drill.say("An export of somebody else leaves 3 of 300 requests a minute. The run waits for the next minute, and says so:")
    program = drill.start("run")
    for name in drill.expected:
        program.until(name, " requests")
    shown = program.until("others have", "going on in")
    drill.block(("kustlake run", [line for line in shown if line.strip()], None))
    drill.source.control("switches", {"other_clients": 0})
    drill.say("**Do**: nothing. If it takes too long, slow the other client down, or give this one a larger `rate_share`. It ends like any other run:")
    drill.end(program, "run", 0)
    drill.source.control("switches", {"org_limit": 1_000_000})
    drill.configure()
    drill.prove()
    return drill


DRILLS = [two, killed, killed_elsewhere, drained, interrupted]
