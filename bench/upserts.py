"""What an upsert costs: our run after changes, and a merge by deltalake of the very same rows."""

import collections
import json
import os
import pathlib
import shutil
import sys
import urllib.request

from measured import STEP, Lake, Simulator, live, spread
from others import PROGRAMS, look, median, python, run, scratch, table, turns

# No query gives more.
CEILING, PAGE = 10_000, 500


def newest(simulator, count):
    """The messages that were created last, as search gives them; their ids are the last ones, too."""
    body = {"queryContext": "message", "and": [], "sort": [{"message_created_at": "desc"}]}
    headers = {"Authorization": "Bearer sim-token", "Content-Type": "application/json"}
    found = []
    for page in range(1, (count - 1) // PAGE + 2):
        url = f"{simulator.url}/v1/customers/search?page={page}&pageSize={PAGE}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found += json.load(answer)["data"]
    return found[:count]


def change_newest(simulator, changed):
    """Changes the newest messages, some each second; returns which."""
    found = newest(simulator, changed)
    for start in range(0, len(found), STEP):
        now = simulator.ask("clock", {"advance_ms": 1000})["now"]
        part = found[start : start + STEP]
        for record in part:
            record["attributes"]["updatedAt"] = now
            record["attributes"]["rev"] += 1
        simulator.post("raw/message", "\n".join(json.dumps(record) for record in part).encode())
    simulator.settle()
    return {record["id"] for record in found}


KINDS = {
    "the newest": lambda simulator, _, changed: change_newest(simulator, changed),
    "spread over the table": lambda simulator, number, changed: simulator.change(number, changed),
}
OURS = "kustlake, whole run"
WAYS = {"deltalake merge": "streamed", "deltalake merge, not streamed": "pruned"}


def copied(table, copy):
    """A copy of a table as it is now. Data files are links: nobody changes one, and no copy has to reach the disk."""
    shutil.copytree(table / "_delta_log", copy / "_delta_log")
    for name in live(table):
        os.link(table / name, copy / name)
    return copy


def settle_disk():
    """What one process has left to write would slow down the next one."""
    os.sync()


def our_run(simulator, lake, folder, number, kind, changed):
    """Our run after changes. Leaves in the folder what a merge needs: the table before, and the rows that changed."""
    copied(lake.table, folder / "before")
    ids = KINDS[kind](simulator, number, changed)
    settle_disk()
    found = lake.run()
    (folder / "ids").write_text(json.dumps(sorted(ids)))
    count = look("changes", lake.table, folder / "ids", folder / "changes.parquet")["rows"]
    return {**found, "whole": found["seconds"], "changed": count, "differ": 0}


def merge(how, folder, lake, check=True, memory=0):
    """Merges into a copy of the table as it was before our run; leaves nothing."""
    work = folder / how
    copy = copied(folder / "before", work / "table")
    had = {path.name for path in copy.glob("*.parquet")}
    try:
        settle_disk()
        command = [python("delta"), PROGRAMS / "merge.py", copy, folder / "changes.parquet", how]
        took = run(command, work, memory=memory)
        written = [path.stat().st_size for path in copy.glob("*.parquet") if path.name not in had]
        return {
            "seconds": json.loads((work / "out").read_text())["seconds"],
            "whole": took["seconds"],
            "peak": took["peak"],
            "files written": len(written),
            "MB written": sum(written) / 1e6,
            "files": len(live(copy)),
            **({"differ": look("differ", lake.table, copy)["rows"]} if check else {}),
        }
    finally:
        shutil.rmtree(work)


def upsert(simulator, lake, folder, number, kind, changed):
    """Our run after changes, and the merge of the very same rows."""
    folder = folder / f"{number}"
    found = {OURS: our_run(simulator, lake, folder, number, kind, changed)}
    for name in turns(WAYS, number):
        found[name] = {**merge(WAYS[name], folder, lake), "changed": found[OURS]["changed"]}
    shutil.rmtree(folder)
    return found


def pass_a_day(simulator, lake):
    """A run reads the last hours before the newest change again: no changes that were measured may lie there."""
    simulator.ask("clock", {"advance_ms": 24 * 60 * 60 * 1000})
    # A run that finds no change remembers nothing new.
    simulator.ask("mutate", {"context": "message", "op": "update", "count": 1, "seed": 0})
    simulator.settle()
    lake.run()


def loaded(folder, simulator):
    """A table of everything there is."""
    simulator.settle()
    lake = Lake(folder, simulator.url)
    lake.run()
    return lake


def measure_upserts(rows, changed, times):
    kinds = {kind: collections.defaultdict(list) for kind in KINDS}
    with Simulator(rows) as simulator, scratch() as folder:
        folder = pathlib.Path(folder)
        lake = loaded(folder, simulator)
        for number in range(times):
            for place, kind in enumerate(turns(KINDS, number)):
                pass_a_day(simulator, lake)
                turn = upsert(simulator, lake, folder, number * len(KINDS) + place, kind, changed)
                for name, figures in turn.items():
                    kinds[kind][name].append(figures)
                print(f"changes, {kind}, {number + 1} of {times}", file=sys.stderr)
    return kinds


def show_upserts(rows, kinds):
    for kind, found in kinds.items():
        names = [OURS, *WAYS]
        line = table(f"Changed messages, {kind}, in a table of {rows:,} (min / median / max)", names)

        def each(label, key, digits=0):
            line(label, [spread(found[name], lambda run: run[key], digits) for name in names])

        each("changed rows", "changed")
        each("seconds (of a merge: the call alone)", "seconds", 2)
        each("seconds of the whole process", "whole", 2)
        each("peak memory of the process, MiB", "peak")
        each("files written", "files written")
        each("MB written", "MB written", 1)
        each("rows that differ from our table after it", "differ")
        for label, key in [("seconds", "seconds"), ("peak memory", "peak"), ("MB written", "MB written")]:
            ours = median(found[names[0]], lambda run: run[key])
            ratios = [ours / max(median(found[name], lambda run: run[key]), 1e-9) for name in names]
            line(f"{label} of kustlake for 1 of it", [f"{figure:.2f}" for figure in ratios])
