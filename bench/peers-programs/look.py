"""Looks at what was written; prints JSON. Nothing of this is measured.

Usage: look.py ids delta|parquet|airbyte PATH TRUTH     which records arrived; TRUTH: a JSON list of all ids
       look.py changes TABLE IDS OUT                    writes the rows of a table that have one of the ids
       look.py differ TABLE TABLE                       counts the rows that only one of the two has as they are
"""

import collections
import json
import pathlib
import sys

import pyarrow
import pyarrow.compute
import pyarrow.parquet
from deltalake import DeltaTable


def of_delta(path):
    return DeltaTable(path).to_pyarrow_table(columns=["id"])["id"].to_pylist()


def of_parquet(path):
    files = sorted(pathlib.Path(path).rglob("*.parquet"))
    return [row for file in files for row in pyarrow.parquet.read_table(file, columns=["id"])["id"].to_pylist()]


def of_airbyte(path):
    messages = (json.loads(line) for line in open(path))
    return [message["record"]["data"]["id"] for message in messages if message["type"] == "RECORD"]


def ids(kind, path, truth):
    found = {"delta": of_delta, "parquet": of_parquet, "airbyte": of_airbyte}[kind](path)
    expected, distinct = set(json.loads(pathlib.Path(truth).read_text())), set(found)
    return {
        "arrived": len(distinct),
        "doubled": len(found) - len(distinct),
        "missing": len(expected - distinct),
        "unknown": len(distinct - expected),
    }


def changes(path, ids, out):
    table = DeltaTable(path).to_pyarrow_table()
    wanted = pyarrow.array(json.loads(pathlib.Path(ids).read_text()))
    rows = table.filter(pyarrow.compute.is_in(table["id"], value_set=wanted))
    pyarrow.parquet.write_table(rows, out)
    return {"rows": rows.num_rows}


def differ(one, other):
    ours, theirs = (DeltaTable(path).to_pyarrow_table().sort_by("id") for path in (one, other))
    names = sorted(ours.column_names)
    if names == sorted(theirs.column_names) and all(ours[name].equals(theirs[name]) for name in names):
        return {"rows": 0}
    ours, theirs = (collections.Counter(map(repr, table.select(names).to_pylist())) for table in (ours, theirs))
    return {"rows": (ours - theirs).total() + (theirs - ours).total()}


print(json.dumps({"ids": ids, "changes": changes, "differ": differ}[sys.argv[1]](*sys.argv[2:])))
