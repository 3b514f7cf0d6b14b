"""Merges changed rows into a Delta table; prints the seconds of the merge alone.

Usage: merge.py TABLE CHANGES streamed|pruned

Streamed is the default of the package; pruned lets it see the ids of the changes first, and so pass over files.
"""

import json
import sys
import time

import pyarrow.parquet
from deltalake import DeltaTable


def main(path, changes, how):
    rows = pyarrow.parquet.read_table(changes)
    table = DeltaTable(path)
    began = time.monotonic()
    merger = table.merge(
        rows, "old.id = new.id", source_alias="new", target_alias="old", streamed_exec=how == "streamed"
    )
    metrics = merger.when_matched_update_all().when_not_matched_insert_all().execute()
    print(json.dumps({"seconds": time.monotonic() - began, "metrics": metrics}))


main(*sys.argv[1:])
