"""Checks what analysts are given: the marts, the cookbook and the dbt project, on a loaded lake.

Usage: run.py LAKE REPO [DBT_PYTHON]

LAKE is a folder named `lake`, because the cookbook's Python says so. REPO is the work tree. With DBT_PYTHON, an interpreter
that has what analytics/dbt/requirements.txt lists, the dbt project is built as well. Fails at the first thing that is
wrong and names it; prints one JSON line of counts at the end.
"""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb

from common import GRAINS, Wrong, expect, load, statements, views
from figures import figures
from rare import rare, reads_only_what_it_needs

HEADING = re.compile(r"#+ (.+)")


def blocks(text: str) -> list[tuple[str, str, str]]:
    """The code of the cookbook: the heading above it, its language with what is said beside it, the code."""
    found, heading, language, code = [], "", None, []
    for line in text.splitlines():
        if line.startswith("```"):
            if language is None:
                language, code = line[3:].strip(), []
            else:
                found.append((heading, language, "\n".join(code)))
                language = None
        elif language is not None:
            code.append(line)
        elif title := HEADING.fullmatch(line):
            heading = title[1]
    return found


def cookbook(lake: duckdb.DuckDBPyConnection, folder: pathlib.Path, repo: pathlib.Path) -> dict[str, int]:
    """Every recipe runs and finds something."""
    counts = {"sql": 0, "python": 0, "skipped": 0}
    os.chdir(folder.parent)
    for heading, language, code in blocks((repo / "docs" / "cookbook.md").read_text(encoding="utf-8")):
        if language not in ("sql", "python"):
            continue
        if language == "python" and "import pandas" in code and importlib.util.find_spec("pandas") is None:
            counts["skipped"] += 1
            continue
        try:
            if language == "sql":
                # As Arrow: Python's own instants with a zone would need one more package.
                rows = lake.execute(code).to_arrow_table().num_rows
            else:
                names: dict = {}
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(code, heading, "exec"), names)  # noqa: S102
                rows = len(names["answer"])
        except Exception as error:
            raise Wrong(f"recipe '{heading}': {error}") from error
        expect(rows > 0, f"recipe '{heading}': no rows")
        counts[language] += 1
    return counts


def grains(lake: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """No mart is empty or has two rows, or none of its key, for one thing."""
    rows = {}
    for mart, key in GRAINS.items():
        columns, absent = ", ".join(key), " OR ".join(f"{column} IS NULL" for column in key)
        total, distinct, nulls = lake.execute(
            f"SELECT count(*), count(DISTINCT ({columns})), count(*) FILTER ({absent}) FROM {mart}"
        ).fetchone()
        expect(total > 0, f"{mart} is empty")
        expect(total == distinct and nulls == 0, f"{mart}: {total} rows, {distinct} of ({columns}), {nulls} without")
        rows[mart] = total
    return rows


def dbt(python: str, folder: pathlib.Path, repo: pathlib.Path) -> dict[str, int]:
    """The project builds, and all of its tests pass, without a network."""
    extension = importlib.util.find_spec("duckdb_extension_delta")
    expect(extension is not None, "duckdb-extension-delta is not installed")
    found = list(pathlib.Path(extension.submodule_search_locations[0]).glob("extensions/*/delta.duckdb_extension"))
    expect(len(found) == 1, f"not one file of the extension: {found}")
    with tempfile.TemporaryDirectory() as work:
        project = pathlib.Path(work) / "dbt"
        ignored = shutil.ignore_patterns("target", "logs", "*.duckdb*")
        shutil.copytree(repo / "analytics" / "dbt", project, ignore=ignored)
        environment = os.environ | {
            "KUSTLAKE_LAKE": str(folder),
            "KUSTLAKE_DELTA_EXTENSION": str(found[0]),
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            # What DuckDB keeps of an extension stays in the copy, and nothing of the machine's is taken instead.
            "HOME": work,
        }
        call = [python, "-m", "dbt.cli.main", "build", "--profiles-dir", ".", "--warn-error-options", '{"error": ["Deprecations"]}']
        built = subprocess.run(call, cwd=project, env=environment, capture_output=True, text=True, check=False)
        expect(built.returncode == 0, f"dbt build:\n{built.stdout}\n{built.stderr}")
        results = json.loads((project / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
        ends: dict[str, int] = {}
        for result in results:
            ends[result["status"]] = ends.get(result["status"], 0) + 1
            if result["status"] == "warn":
                print(f"dbt warns: {result['unique_id']}: {result['message']}", file=sys.stderr)
        with duckdb.connect(str(project / "kustlake.duckdb"), read_only=True) as made, duckdb.connect() as marts:
            marts.execute((folder / "views.sql").read_text(encoding="utf-8"))
            for name, needs, sql in statements((repo / "analytics" / "marts.sql").read_text(encoding="utf-8")):
                if needs <= views(marts):
                    marts.execute(sql)
            # The models say again what the marts say: both are to agree.
            for model, mart, columns in (
                ("fct_backlog", "mart_backlog_by_day", "day, backlog"),
                ("dim_customer_ids", "mart_customer_ids", "customer_id, current_customer_id"),
                ("fct_conversations", "mart_conversations",
                 "conversation_id, current_customer_id, channel, first_response_seconds, closed_at, messages_in, messages_out"),
                ("fct_first_response", "mart_first_response", "day, channel, conversations, answered, median_seconds, p90_seconds"),
            ):
                left = made.execute(f"SELECT {columns} FROM {model} ORDER BY ALL").to_arrow_table()
                right = marts.execute(f"SELECT {columns} FROM {mart} ORDER BY ALL").to_arrow_table()
                expect(left.num_rows > 0 and left.to_pylist() == right.to_pylist(), f"{model} is not what {mart} is")
        return ends


def main() -> None:
    """Everything, in the order of what it rests on."""
    folder, repo = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    expect(folder.name == "lake", "the folder is to be named lake")
    python = str(pathlib.Path(sys.argv[3]).absolute()) if len(sys.argv) > 3 else None
    lake, made = load(folder, repo)
    answer: dict = {"statements": made}
    reads_only_what_it_needs(folder, repo)
    answer["rare"] = rare(folder, repo)
    answer["rows"] = grains(lake)
    answer["figures"] = figures(lake, folder)
    answer["recipes"] = cookbook(lake, folder, repo)
    if python:
        answer["dbt"] = dbt(python, folder, repo)
    print(json.dumps(answer))


if __name__ == "__main__":
    try:
        main()
    except Wrong as problem:
        sys.exit(f"analysts: {problem}")
