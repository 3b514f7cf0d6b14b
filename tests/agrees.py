"""Compares what a public client of the API has read with the tables of a lake, field by field.

Usage: agrees.py LAKE MESSAGES

LAKE is an absolute folder; MESSAGES holds Singer messages, one a line. Prints {stream: {...}} with, for each stream, how
many records (`records`) and fields (`fields`) were compared, the ids that no table has (`missing`), and the fields whose
values differ (`different`). A field is compared where a table has a column for it: by its name, as `<name>_id` where it
is one related record, and member by member where it is an object.
"""

import datetime
import json
import os
import pathlib
import sys

import deltalake


def rows(lake: pathlib.Path, stream: str) -> dict[str, dict]:
    """The rows of a stream's tables by id; KObjects have a table a klass."""
    tables = sorted(lake.glob("kobject_*")) if stream == "kobjects" else [lake / stream]
    found = (row for table in tables for row in deltalake.DeltaTable(str(table)).to_pyarrow_table().to_pylist())
    return {row["id"]: row for row in found}


def plain(value: object) -> object:
    """Values that mean the same become equal: instants, numbers, and texts of numbers and flags."""
    if value is None:
        return value
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds")
    if isinstance(value, list):
        return [plain(one) for one in value]
    text = str(value)
    for parse in (float, lambda text: plain(datetime.datetime.fromisoformat(text)) if "T" in text else text):
        try:
            return parse(text)
        except ValueError:
            pass
    return text


def fields(record: dict, prefix: str = "") -> list[tuple[str, object]]:
    """The fields of a record under the names that columns would have."""
    found = []
    for name, value in record.items():
        name = prefix + name
        if isinstance(value, dict) and "type" in value and set(value) <= {"id", "type", "links"}:
            found.append((f"{name}_id", value.get("id")))
        elif isinstance(value, dict):
            found += fields(value, f"{name}_")
        elif isinstance(value, list) and any(not isinstance(one, str) for one in value):
            continue
        elif not (isinstance(value, str) and value.startswith(("[", "{"))):
            # The client writes structures that its schema calls texts as Python does: those are left out.
            found.append((name, value))
    return found


def main() -> None:
    """Every stream, every record, every field."""
    lake, messages = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    streams: dict[str, list[dict]] = {}
    for message in map(json.loads, messages):
        if message["type"] == "RECORD":
            streams.setdefault(message["stream"], []).append(message["record"])
    answer = {}
    for stream, records in streams.items():
        table, seen = rows(lake, stream), {"records": 0, "fields": 0, "missing": [], "different": []}
        for record in records:
            row = table.get(record["id"])
            if row is None:
                seen["missing"].append(record["id"])
                continue
            seen["records"] += 1
            # Where the client tells nothing it may have left out what its own schema does not know.
            told = ((name, value) for name, value in fields(record) if name in row and value not in (None, [], ""))
            for name, value in told:
                seen["fields"] += 1
                # It takes an absent flag for a false one.
                is_absent = row[name] is None and value is False
                if plain(row[name]) != plain(value) and not is_absent:
                    seen["different"].append([record["id"], name, str(row[name]), str(value)])
        answer[stream] = seen
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    # All is said. Now and then a thread of Arrow that still runs when Python takes leave aborts the process.
    os._exit(0)


if __name__ == "__main__":
    main()
