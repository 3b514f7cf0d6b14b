"""Drills of what lies in the lake: the state file and the tables."""

import pathlib
import shutil

from story import Drill, expect


def state_of(drill: Drill) -> pathlib.Path:
    """The state file; by now there is more to read than it knows."""
    drill.load()
    drill.change()
    return drill.home / "lake" / "_kustlake" / "state.json"


def lost_state(tools: dict) -> Drill:
    """Somebody removed the state file."""
    drill = Drill(tools, "The state file is lost", "0", "nothing; `kustlake status` shows `never`")
    state = state_of(drill)
    state.unlink()
    drill.say("Somebody tidied up `_kustlake/`. The cursors are in the tables too, so nobody is paged.")
    drill.run("status", 0)
    drill.say("**Do**: nothing. The next run takes the cursors from the tables, and writes the file anew.")
    drill.run("run", 0)
    expect(state.exists(), "no state file")
    drill.prove()
    return drill


def damaged_state(tools: dict) -> Drill:
    """Half a file."""
    drill = Drill(tools, "The state file is damaged", "0", "the state file is damaged")
    state = state_of(drill)
    state.write_text('{"version": 1, "enti')
    drill.say("A copy of the lake broke off in the middle of the file.")
    drill.run("run", 0, "the state file is damaged")
    drill.say("**Do**: nothing; the warning comes once, since the run has written the file anew. The next one:")
    drill.run("run", 0)
    drill.prove()
    return drill


def newer_state(tools: dict) -> Drill:
    """As a newer program would leave it."""
    drill = Drill(tools, "The state file is newer than the program", "2", "newer than this kustlake knows")
    state = state_of(drill)
    state.write_text('{"version": 2, "entities": {}}')
    drill.say("One of two machines was upgraded, the other one was not. The old program neither reads nor overwrites what it does not know.")
    drill.run("run", 2, "newer than this kustlake knows")
    drill.say(
        "**Do**: update kustlake on this machine. To stay with the old one instead, stop all runs, remove the file and write it anew "
        "([going back](operations.md#going-back)):"
    )
    state.unlink()
    drill.run("state rebuild", 0, before="rm lake/_kustlake/state.json && ")
    drill.run("run", 0)
    drill.prove()
    return drill


def damaged_table(tools: dict) -> Drill:
    """A data file is gone."""
    drill = Drill(tools, "A file of a table is lost", "6", "is damaged")
    drill.load()
    for name in drill.files("customers"):
        (drill.home / "lake" / "customers" / name).unlink()
    drill.change()
    drill.say("A clean-up job deleted a Parquet file that the table `customers` still needs. The other tables are loaded all the same.")
    drill.run("run", 6, "table customers is damaged")
    drill.say("**Do**: restore the file. Without a backup, remove the folder of the table; the next run loads it anew, from what the source still has.")
    shutil.rmtree(drill.home / "lake" / "customers")
    drill.run("run", 0, before="rm -r lake/customers && ")
    drill.prove()
    return drill


DRILLS = [lost_state, damaged_state, newer_state, damaged_table]
