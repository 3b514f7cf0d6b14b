"""Plays every drill for whoever is on call, with the real program, and writes or checks the document that tells them.

Usage: tests/drill/run.py --write docs/drill.md | --check docs/drill.md [--binaries FOLDER] [--python FILE] [--only WORD]

--write FILE      write the document
--check FILE      fail, with a diff, if the document is another one
--binaries FOLDER where kustlake and kustlake-sim lie; default: target/release
--python FILE     the Python that has the storage server of the tests; default: .venv/readers/bin/python
--only WORD       play only drills with this word in the names of their module and function, and print them

It needs nothing but the standard library, and util-linux for a terminal and a small disk. Everything is on loopback.
"""

import argparse
import concurrent.futures
import difflib
import pathlib
import sys
import time
import traceback

import changes
import keys
import places
import runs
import stored

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRILLS = [*keys.DRILLS, *places.DRILLS, *stored.DRILLS, *runs.DRILLS, *changes.DRILLS]
AT_ONCE = 4
HEAD = """\
# A drill for whoever is on call

What goes wrong with kustlake, what it says then, and what to do. Each drill was played with the real program against a simulated
organisation; what stands here is what a terminal showed. Only times, ids, addresses and paths are invented. The lake has three tables, and
between two runs the organisation changes. `tests/drill/run.py --check docs/drill.md` plays all of it again.

In cron's log the same words stand as JSON: `error` of the report, and of each entity in it. [Operations](operations.md#exit-codes-and-whom-to-wake)
tells whom to wake.

"""


def play(drill: object, tools: dict) -> tuple[object, str | None]:
    """Plays one; gives it, and what went wrong."""
    begun: list = []
    try:
        return drill(tools | {"begun": begun}), None
    except Exception:
        return None, f"{drill.__module__}.{drill.__name__}: {traceback.format_exc()}"
    finally:
        for one in begun:
            one.close()


def anchor(heading: str) -> str:
    """The fragment of a heading."""
    kept = "".join(character for character in heading.lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")


def document(played: list) -> str:
    """All drills, and a table of them."""
    rows = ["| exit code | the message says | drill |", "| --- | --- | --- |"]
    for number, drill in enumerate(played, 1):
        title = f"{number}. {drill.title}"
        rows.append(f"| {drill.code} | {drill.pager} | [{title}](#{anchor(title)}) |")
    sections = [drill.document(number) for number, drill in enumerate(played, 1)]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections)


def settled(chosen: list, ended: list, tools: dict, stands: str) -> list:
    """What was played; what went wrong or stands otherwise in the document is played once more, with nothing beside it.

    Some counts hang on the second: two drills that share a core with two others, and a test, may be too slow for them.
    """
    sections = [drill and drill.document(number) for number, (drill, _) in enumerate(ended, 1)]
    again = [at for at, section in enumerate(sections) if section is None or section not in stands]
    for at in again:
        print(f"{chosen[at].__module__}.{chosen[at].__name__} is played again", file=sys.stderr)
        ended[at] = play(chosen[at], tools)
    return ended


def main() -> int:
    """Plays, and writes, checks or prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target" / "release")
    parser.add_argument("--python", type=pathlib.Path, default=ROOT / ".venv" / "readers" / "bin" / "python")
    asked = parser.parse_args()
    tools = {"binaries": asked.binaries.resolve(), "python": asked.python.absolute()}
    chosen = [drill for drill in DRILLS if asked.only in f"{drill.__module__}.{drill.__name__}"]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda drill: play(drill, tools), chosen))
    if asked.check:
        ended = settled(chosen, ended, tools, asked.check.read_text(encoding="utf-8"))
    if wrong := [problem for _, problem in ended if problem]:
        sys.exit("drill: " + "\n".join(wrong))
    text = document([drill for drill, _ in ended])
    print(f"{len(ended)} drills in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")
    elif asked.check:
        stands = asked.check.read_text(encoding="utf-8")
        difference = difflib.unified_diff(
            stands.splitlines(), text.splitlines(), str(asked.check), "as it is now", lineterm=""
        )
        if stands != text:
            print("\n".join(difference))
            sys.exit(f"drill: {asked.check} is not what happens; if that is right: tests/drill/run.py --write {asked.check}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
