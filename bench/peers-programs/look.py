"""Looks at what was written; prints JSON. Nothing of this is measured.

Usage: look.py ids delta|parquet|airbyte PATH TRUTH     which records arrived; TRUTH: a JSON list of all ids
       look.py changes TABLE IDS OUT                    writes the rows of a table that have one of the ids
       look.py differ TABLE TABLE                       counts the rows that only one of the two has as they are
"""

import collections
import contextlib
import json
import pathlib
import sys
import tempfile

import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.ipc
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


DIGITS = "0123456789abcdef"
# Only so much of a table is read ahead: a large one has no room in memory.
SPARING = {"batch_size": 32_768, "batch_readahead": 2, "fragment_readahead": 1}


def changes(path, ids, out):
    wanted = pyarrow.array(json.loads(pathlib.Path(ids).read_text()))
    chosen = pyarrow.compute.field("id").isin(wanted)
    rows = DeltaTable(path).to_pyarrow_dataset().to_table(filter=chosen, **SPARING)
    pyarrow.parquet.write_table(rows, out)
    return {"rows": rows.num_rows}


def cut(dataset, folder):
    """Rows with the same last digit of their id into one file, so that not all are in memory at once."""
    folder.mkdir()
    columns, options = sorted(dataset.schema.names), pyarrow.ipc.IpcWriteOptions(compression="lz4")
    schema = pyarrow.schema([dataset.schema.field(name) for name in columns])
    with contextlib.ExitStack() as stack:
        files = {digit: stack.enter_context(pyarrow.OSFile(str(folder / digit), "wb")) for digit in DIGITS}
        parts = {
            digit: stack.enter_context(pyarrow.ipc.new_file(file, schema, options=options))
            for digit, file in files.items()
        }
        for batch in dataset.to_batches(columns=columns, **SPARING):
            last = pyarrow.compute.utf8_slice_codeunits(batch["id"], -1)
            for digit, part in parts.items():
                part.write_batch(batch.filter(pyarrow.compute.equal(last, digit)))


def only(path, shared):
    """The files of a table but for some."""
    whole = DeltaTable(path).to_pyarrow_dataset()
    fragments = [fragment for fragment in whole.get_fragments() if name_of(fragment.path) not in shared]
    return pyarrow.dataset.FileSystemDataset(fragments, whole.schema, whole.format, whole.filesystem)


def differing(ours, theirs):
    """Of two tables in memory, how many rows only one of them has."""
    ours, theirs = ours.sort_by("id"), theirs.sort_by("id")
    if all(ours[name].equals(theirs[name]) for name in ours.column_names):
        return 0
    ours, theirs = (collections.Counter(map(repr, table.to_pylist())) for table in (ours, theirs))
    return (ours - theirs).total() + (theirs - ours).total()


def name_of(path):
    return path.rsplit("/", 1)[-1]


def differ(one, other):
    # A data file that both have was written once, and never again.
    shared = set.intersection(*({name_of(uri) for uri in DeltaTable(path).file_uris()} for path in (one, other)))
    with tempfile.TemporaryDirectory(dir=pathlib.Path(other).parent) as folder:
        folders = pathlib.Path(folder, "ours"), pathlib.Path(folder, "theirs")
        for path, parts in zip((one, other), folders):
            cut(only(path, shared), parts)
        pairs = ([pyarrow.ipc.open_file(parts / digit).read_all() for parts in folders] for digit in DIGITS)
        return {"rows": sum(differing(*pair) for pair in pairs)}


print(json.dumps({"ids": ids, "changes": changes, "differ": differ}[sys.argv[1]](*sys.argv[2:])))
