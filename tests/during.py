"""Asks the same of the same versions of a table, again and again while it changes, by an engine that spreads its work over
machines (Daft) and by DuckDB; and of the plain files, by views.sql.

Usage: during.py LAKE TABLE

Goes on until standard input ends. Prints {"versions": [...], "different": [...], "doubled": n}: the versions that were
compared, those in which the two disagree, and how often a look at the plain files showed a record twice.
"""

import json
import pathlib
import select
import sys

import deltalake
import witness  # sets Daft up

import daft  # noqa: E402

FIGURES = "count(*), count(DISTINCT id), sum(rev), count(*) FILTER (_deleted), epoch_ms(max(updated_at)), sum(length(_extra))"


def by_duckdb(connection, url: str, version: int) -> tuple:
    query = f"SELECT {FIGURES} FROM delta_scan({witness.literal(url)}, version => {version})"
    return connection.execute(query).fetchone()


def by_daft(url: str, version: int) -> tuple:
    column = daft.col
    frame = daft.read_deltalake(url, version=version)
    (row,) = frame.agg(
        column("id").count().alias("rows"),
        column("id").count_distinct().alias("ids"),
        column("rev").sum().alias("revs"),
        column("_deleted").cast(daft.DataType.int64()).sum().alias("deleted"),
        column("updated_at").max().alias("newest"),
        column("_extra").length().sum().alias("rest"),
    ).to_pylist()
    newest = row["newest"] and round(row["newest"].timestamp() * 1000)
    return row["rows"], row["ids"], row["revs"], row["deleted"], newest, row["rest"]


def doubled(connection, lake: str, table: str) -> int:
    witness.views(connection, lake)
    rows, ids = connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {table}").fetchone()
    return rows - ids


def main(lake: str, table: str) -> None:
    connection, url = witness.connect(), f"{lake}/{table}"
    versions, different, twice = [], [], 0
    while True:
        is_last = bool(select.select([sys.stdin], [], [], 0)[0])
        if pathlib.Path(url, "_delta_log").exists():
            version = deltalake.DeltaTable(url).version()
            versions.append(version)
            seen = [by_duckdb(connection, url, version), by_daft(url, version)]
            if len({tuple(one or 0 for one in figures) for figures in seen}) > 1:
                different.append([version, *seen])
            twice += doubled(connection, lake, table)
        if is_last:
            break
    print(json.dumps({"versions": versions, "different": different, "doubled": twice}), flush=True)
    witness.os._exit(0)


main(*sys.argv[1:])
