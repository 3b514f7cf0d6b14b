"""Checks what analysts are given: the marts, the cookbook and the dbt project, on a loaded lake.

Usage: analysts.py LAKE REPO [DBT_PYTHON]

LAKE is a folder named `lake`, because the cookbook's Python says so. REPO is the work tree. With DBT_PYTHON, an interpreter
that has what analytics/dbt/requirements.txt lists, the dbt project is built as well. Fails at the first thing that is
wrong and names it; prints one JSON line of counts at the end.
"""

import contextlib
import datetime
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
import polars as pl

# What a row of each mart is.
GRAINS = {
    "mart_customer_ids": ["customer_id"],
    "mart_customers_current": ["id"],
    "mart_messages": ["message_id"],
    "mart_handle_sessions": ["session_id", "timer_version"],
    "mart_conversations": ["conversation_id"],
    "mart_first_response": ["day", "channel"],
    "mart_handle_time": ["day"],
    "mart_backlog_by_day": ["day"],
    "mart_volume_by_channel": ["day", "channel"],
    "mart_agent_load": ["day", "user_id"],
    "mart_team_load": ["day", "team_id"],
}

# Rows that a simulated organisation seldom or never has; days are of January 2026. Fields that are not named are null.
RARE = {
    "users": [
        {"id": "ann", "user_type": "user"}, {"id": "bot", "user_type": "machine"},
        {"id": "gone", "user_type": "user", "_deleted": True},
    ],
    "teams": [{"id": "t1", "name": "One"}],
    "customers": [
        {"id": "a", "_deleted": True}, {"id": "b"}, {"id": "c"}, {"id": "d"}, {"id": "e"}, {"id": "f"}, {"id": "x"}, {"id": "y"},
        {"id": "h", "_deleted": True},
    ],
    "customer_merges": [
        # A chain, of which the middle still looks alive.
        {"id": "1", "source_id": "a", "target_id": "b", "created_at": "2026-01-01", "status": "completed"},
        {"id": "2", "source_id": "b", "target_id": "c", "created_at": "2026-01-02", "status": "completed"},
        # Absorbed twice: the later merge counts.
        {"id": "3", "source_id": "d", "target_id": "e", "created_at": "2026-01-01"},
        {"id": "4", "source_id": "d", "target_id": "c", "created_at": "2026-01-03"},
        # What is no merge.
        {"id": "5", "source_id": "e", "target_id": "f", "created_at": "2026-01-01", "status": "failed"},
        {"id": "6", "source_id": "f", "target_id": "f", "created_at": "2026-01-01"},
        {"id": "7", "source_id": "f", "target_id": "e", "created_at": "2026-01-01", "_deleted": True},
        # A source that was never read; a circle, and a way into it.
        {"id": "8", "source_id": "unread", "target_id": "a", "created_at": "2026-01-01"},
        {"id": "9", "source_id": "x", "target_id": "y", "created_at": "2026-01-01"},
        {"id": "10", "source_id": "y", "target_id": "x", "created_at": "2026-01-02"},
        {"id": "11", "source_id": "w", "target_id": "x", "created_at": "2026-01-01"},
    ],
    "conversations": [
        {"id": "k1", "customer_id": "a", "status": "done", "created_at": "2026-01-01 09:00", "updated_at": "2026-01-09",
         "last_done_created_at": "2026-01-03 09:00", "assigned_teams": ["t1", "t1", "t2"], "assigned_users": ["ann"]},
        {"id": "k2", "customer_id": "stray", "status": "open", "created_at": "2026-01-01", "updated_at": "2026-01-04",
         "last_done_created_at": "2026-01-02", "open_status_at": "2026-01-04"},
        {"id": "k3", "customer_id": "c", "status": "open", "created_at": "2025-12-01", "_deleted": True},
        {"id": "k4", "created_at": "2026-01-01 23:59:59", "updated_at": "2026-01-01 23:59:59", "channels": ["sms"]},
        {"id": "k5", "status": "done", "created_at": "2026-01-01 12:00", "updated_at": "2025-01-01"},
    ],
    "messages": [
        {"id": f"m{number}", "conversation_id": "k1", "created_at": f"2026-01-01 10:{number:02}", "direction": "out",
         "created_by_id": "ann", "channel": "chat"} | fields
        for number, fields in enumerate([
            {"channel": "email"}, {"direction": "in", "created_by_id": None}, {"auto": True}, {"source": "bulk"},
            {"created_by_id": "bot"}, {"_deleted": True}, {"created_by_id": None}, {"created_by_id": "gone"}, {"channel": None},
            {"direction": "in", "created_by_id": None},
        ])
    ] + [
        {"id": "m20", "created_at": "2026-01-02", "direction": "in", "channel": "chat"},
        {"id": "m21", "conversation_id": "nowhere", "created_at": "2026-01-02", "direction": "in", "channel": "chat"},
        {"id": "m22", "conversation_id": "k5"},
    ],
    "conversation_times": [
        {"id": "s1", "timer_version": "v1", "conversation_id": "k1", "handle_time": 100.0, "created_at": "2026-01-01"},
        {"id": "s1", "timer_version": "v2", "conversation_id": "k1", "handle_time": 50_000.0, "created_at": "2026-01-01"},
        {"id": "s2", "timer_version": "v2", "_parent_id": "k1", "handle_time": 10_500.0, "created_at": "2026-01-02"},
        {"id": "s3", "timer_version": "v1", "conversation_id": "k2", "handle_time": 30.0, "created_at": "2026-01-02"},
        {"id": "s4", "timer_version": "v1", "conversation_id": "k3", "handle_time": 30.0, "created_at": "2026-01-02"},
    ],
}

# Questions to these rows, with their answers.
ANSWERS = {
    "SELECT customer_id, current_customer_id, merges FROM mart_customer_ids": [
        ("a", "c", 2), ("b", "c", 1), ("c", "c", 0), ("d", "c", 1), ("e", "e", 0), ("f", "f", 0), ("h", "h", 0),
        ("unread", "c", 3), ("w", "x", 2), ("x", "x", 0), ("y", "x", 1),
    ],
    "SELECT id, absorbed_customers, absorbed_customer_ids FROM mart_customers_current": [
        ("c", 4, ["a", "b", "d", "unread"]), ("e", 0, []), ("f", 0, []), ("x", 2, ["w", "y"]),
    ],
    "SELECT conversation_id, current_customer_id, channel, messages_in, messages_out, agent_messages, team_ids FROM mart_conversations": [
        ("k1", "c", "email", 2, 7, 3, ["t1", "t2"]), ("k2", "stray", "unknown", 0, 0, 0, []), ("k4", None, "sms", 0, 0, 0, []),
        ("k5", None, "unknown", 0, 0, 0, []),
    ],
    "SELECT conversation_id, first_response_seconds::DOUBLE, first_response_by_id, resolution_seconds::DOUBLE, handle_seconds, handle_sessions"
    " FROM mart_conversations": [
        ("k1", 360.0, "gone", 172_800.0, 60.5, 2), ("k2", None, None, None, 30.0, 1), ("k4", None, None, None, None, None),
        ("k5", None, None, 0.0, None, None),
    ],
    "SELECT day::VARCHAR, opened, reopened, closed, backlog FROM mart_backlog_by_day": [
        ("2026-01-01", 4, 0, 1, 3), ("2026-01-02", 0, 0, 1, 2), ("2026-01-03", 0, 0, 1, 1), ("2026-01-04", 0, 1, 0, 2),
    ],
    "SELECT day::VARCHAR, channel, conversations_created, messages_in, messages_out, agent_messages FROM mart_volume_by_channel": [
        ("2026-01-01", "chat", 0, 2, 5, 1), ("2026-01-01", "email", 1, 0, 1, 1), ("2026-01-01", "sms", 1, 0, 0, 0),
        ("2026-01-01", "unknown", 2, 0, 1, 1), ("2026-01-02", "chat", 0, 2, 0, 0),
    ],
    "SELECT day::VARCHAR, user_id, messages_sent, conversations, first_responses FROM mart_agent_load": [
        ("2026-01-01", "ann", 2, 1, 0), ("2026-01-01", "gone", 1, 1, 1),
    ],
    "SELECT day::VARCHAR, team_id, team_name, conversations_created, conversations_closed, messages_in, agent_messages FROM mart_team_load": [
        ("2026-01-01", "none", "none", 3, 1, 0, 0), ("2026-01-01", "t1", "One", 1, 0, 2, 3), ("2026-01-01", "t2", "t2", 1, 0, 2, 3),
        ("2026-01-03", "t1", "One", 0, 1, 0, 0), ("2026-01-03", "t2", "t2", 0, 1, 0, 0),
    ],
    "SELECT day::VARCHAR, sessions, conversations, handle_seconds FROM mart_handle_time": [
        ("2026-01-01", 1, 1, 50.0), ("2026-01-02", 2, 2, 40.5),
    ],
}

# What the same questions find where what costs many requests is not loaded.
WITHOUT = {
    "SELECT count(*) FROM mart_customer_ids WHERE current_customer_id <> customer_id": [(0,)],
    "SELECT conversation_id, current_customer_id, handle_seconds FROM mart_conversations": [
        ("k1", "a", None), ("k2", "stray", None), ("k4", None, None), ("k5", None, None),
    ],
    "SELECT count(*) FROM mart_handle_time": [(0,)],
}

HEADING = re.compile(r"#+ (.+)")
HEADER = re.compile(r"-- mart: (\w+) needs: (\w+(?:, \w+)*)")


class Wrong(Exception):
    """Something is not as analysts are told."""


def expect(holds: bool, problem: str) -> None:
    """Fails unless it holds; unlike assert also under -O."""
    if not holds:
        raise Wrong(problem)


def statements(text: str) -> list[tuple[str, set[str], str]]:
    """The marts of the file: name, what it needs, its SQL."""
    found: list[tuple[str, set[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("-- mart:"):
            header = HEADER.fullmatch(line)
            expect(header is not None, f"not a header of a mart: {line}")
            found.append((header[1], set(header[2].split(", ")), []))
        elif found:
            found[-1][2].append(line)
    marts = [(name, needs, "\n".join(lines)) for name, needs, lines in found]
    for name, _, sql in marts:
        expect(sql.count("CREATE OR REPLACE VIEW") == 1, f"{name}: not one statement")
        expect(f"CREATE OR REPLACE VIEW {name} AS" in sql, f"{name}: the statement makes another view")
    return marts


def views(lake: duckdb.DuckDBPyConnection) -> set[str]:
    """What there is to read."""
    return {name for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}


def load(folder: pathlib.Path, repo: pathlib.Path) -> tuple[duckdb.DuckDBPyConnection, int]:
    """The lake with its marts, and how many statements made them."""
    lake = duckdb.connect()
    lake.execute((folder / "views.sql").read_text(encoding="utf-8"))
    marts = statements((repo / "schemas" / "marts.sql").read_text(encoding="utf-8"))
    expect(set(GRAINS) == {name for name, _, _ in marts}, "the grain of each mart, and of no other, is to be listed here")
    if not any(name.startswith("mart_") for name in views(lake)):
        for name, needs, sql in marts:
            if needs <= views(lake):
                lake.execute(sql)
    missing = set(GRAINS) - views(lake)
    expect(not missing, f"not made: {sorted(missing)}")
    return lake, len(marts)


def sensitive(repo: pathlib.Path, view: str) -> set[str]:
    """The columns that a configuration may leave out as describing people or holding what they wrote."""
    page = repo / "docs" / "entities" / f"{view.removesuffix('_live')}.md"
    if not page.exists():
        return set()
    cells = [line.rstrip().strip("|").split("|") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`") for row in cells if row[-1].strip() in ("personal", "content")}


def reads_only_what_it_needs(folder: pathlib.Path, repo: pathlib.Path) -> None:
    """Each mart can be made with just what its header lists, and with the least columns that can be configured.

    Anything else would fail where a table is not loaded, or where columns are excluded.
    """
    expect("display_name" in sensitive(repo, "users"), "the pages of the entities are not as this check reads them")
    with duckdb.connect() as whole:
        whole.execute((folder / "views.sql").read_text(encoding="utf-8"))
        tables = {
            view: [column for column in whole.sql(f'DESCRIBE "{view}"').fetchall() if column[0] not in sensitive(repo, view)]
            for view in views(whole) if not view.startswith("mart_")
        }
    marts = statements((repo / "schemas" / "marts.sql").read_text(encoding="utf-8"))
    made: dict[str, list[tuple]] = {}
    for name, needs, sql in marts:
        with duckdb.connect() as bare:
            for need in needs:
                expect(need in made or need in tables, f"{name} needs {need}, which is nowhere before it")
                shown = ", ".join(f'NULL::{column[1]} AS "{column[0]}"' for column in made.get(need) or tables[need])
                bare.execute(f'CREATE VIEW "{need}" AS SELECT {shown} WHERE false')
            try:
                bare.execute(sql)
                made[name] = bare.sql(f"DESCRIBE {name}").fetchall()
                # A table that was loaded but is empty must not break a query either.
                bare.execute(f"SELECT * FROM {name}").fetchall()
            except duckdb.Error as error:
                raise Wrong(f"{name}, with only what it needs: {error}") from error


def rare(folder: pathlib.Path, repo: pathlib.Path) -> int:
    """The marts say of rows that hardly occur what was worked out by hand, in whatever time zone the session is."""
    with duckdb.connect() as whole:
        whole.execute((folder / "views.sql").read_text(encoding="utf-8"))
        columns = {table: whole.sql(f"DESCRIBE {table}").fetchall() for table in RARE}
    marts = statements((repo / "schemas" / "marts.sql").read_text(encoding="utf-8"))
    for absent, answers in ((set(), ANSWERS), ({"customer_merges", "conversation_times"}, WITHOUT)):
        with duckdb.connect() as lake:
            lake.execute("SET TimeZone = 'UTC'")
            for table in RARE.keys() - absent:
                shape = ", ".join(f'"{column[0]}" {column[1]}' for column in columns[table])
                lake.execute(f"CREATE TABLE {table} ({shape})")
                for row in RARE[table]:
                    names, marks = ", ".join(row), ", ".join("?" for _ in row)
                    lake.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
                lake.execute(f"CREATE VIEW {table}_live AS SELECT * FROM {table} WHERE NOT coalesce(_deleted, false)")
            lake.execute("SET TimeZone = 'Pacific/Auckland'")
            for name, needs, sql in marts:
                if needs <= views(lake) | RARE.keys() - absent:
                    lake.execute(sql)
            for question, answer in answers.items():
                found = lake.execute(f"{question} ORDER BY ALL").fetchall()
                expect(found == answer, f"{question}: {found}, not {answer}")
    return len(ANSWERS) + len(WITHOUT)


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


def live(folder: pathlib.Path, table: str) -> pl.DataFrame:
    """The rows of a table that are not deleted, by its log: not the way of the views."""
    return pl.scan_delta(str(folder / table)).filter(pl.col("_deleted").fill_null(False).not_()).collect()


def same(what: str, found: dict, expected: dict) -> int:
    """Both have the same keys with the same values; numbers may differ by rounding."""
    for key in found.keys() | expected.keys():
        left, right = found.get(key), expected.get(key)
        near = isinstance(left, float) and isinstance(right, float) and abs(left - right) <= 1e-6 * max(1.0, abs(right))
        expect(near or left == right, f"{what} of {key}: the mart has {left}, the tables have {right}")
    return len(expected)


def current_ids(folder: pathlib.Path) -> dict[str, str]:
    """Who each absorbed customer is now, step by step."""
    merges = live(folder, "customer_merges").sort("created_at", "id", nulls_last=False)
    expect(set(merges["status"].unique()) <= {"completed", None}, "a state of merges that this check does not know")
    into = {row["source_id"]: row["target_id"] for row in merges.iter_rows(named=True)}
    ends = {}
    for source in into:
        seen, at = {source}, source
        while at in into and into[at] not in seen:
            at = into[at]
            seen.add(at)
        ends[source] = at
    return ends


def utc_day(at: datetime.datetime | None) -> datetime.date | None:
    """The UTC day of an instant."""
    return at and at.astimezone(datetime.timezone.utc).date()


def first_responses(messages: pl.DataFrame, machines: set[str]) -> dict[str, float]:
    """Seconds until the first answer, for each conversation that has one: told message by message."""
    asked: dict[str, datetime.datetime] = {}
    answered: dict[str, float] = {}
    # At one instant the customer comes first, as for the mart.
    for row in messages.sort("created_at", "direction").iter_rows(named=True):
        conversation, at = row["conversation_id"], row["created_at"]
        if row["direction"] == "in":
            asked.setdefault(conversation, at)
        elif (
            row["direction"] == "out" and conversation in asked and conversation not in answered and not row["auto"]
            and row["source"] not in ("bulk", "satisfaction") and row["created_by_id"] not in machines | {None}
        ):
            answered[conversation] = (at - asked[conversation]) / datetime.timedelta(seconds=1)
    return answered


def open_spans(row: dict) -> list[tuple[datetime.date, datetime.date | None]]:
    """The days on which a conversation came in and went out of the backlog."""
    created = row["created_at"]
    if row["status"] == "done":
        told = [row[name] for name in ("last_done_created_at", "modification_history_status_at", "ended_at", "updated_at")]
        closed = next(at for at in told if at)
        return [(utc_day(created), utc_day(max(created, closed)))]
    done, opened = row["last_done_created_at"], row["open_status_at"]
    if done and opened and created <= done < opened:
        return [(utc_day(created), utc_day(done)), (utc_day(opened), None)]
    return [(utc_day(created), None)]


def figures(lake: duckdb.DuckDBPyConnection, folder: pathlib.Path) -> dict[str, int]:
    """The key figures again, from the Delta tables and without SQL."""
    conversations, messages, customers = (live(folder, name) for name in ("conversations", "messages", "customers"))
    users = pl.read_delta(str(folder / "users"))
    machines = set(users.filter(pl.col("user_type").is_in(["machine", "app"]))["id"])
    counts = {}

    known = set(conversations["id"])
    expected = {key: value for key, value in first_responses(messages, machines).items() if key in known}
    found = lake.execute(
        "SELECT conversation_id, first_response_seconds::DOUBLE FROM mart_conversations WHERE first_response_seconds IS NOT NULL"
    ).fetchall()
    expect(all(seconds >= 0 for _, seconds in found), "a first response before its question")
    counts["first_responses"] = same("first response", dict(found), expected)
    expect(lake.sql("SELECT count(*) FROM mart_conversations").fetchone() == (len(known),), "conversations got lost or doubled")

    channels = dict(
        messages.sort("created_at", "id").group_by("conversation_id", maintain_order=True).agg(pl.col("channel").first()).iter_rows()
    )
    asked = messages.filter(pl.col("direction") == "in").group_by("conversation_id").agg(pl.col("created_at").min())
    asked = asked.filter(pl.col("conversation_id").is_in(list(known))).with_columns(
        day=pl.col("created_at").dt.convert_time_zone("UTC").dt.date(),
        channel=pl.col("conversation_id").replace_strict(channels),
        seconds=pl.col("conversation_id").replace_strict(expected, default=None, return_dtype=pl.Float64),
    )
    daily = asked.group_by("day", "channel").agg(
        pl.len(), pl.col("seconds").median().alias("median"), pl.col("seconds").quantile(0.9, "linear").alias("p90")
    )
    found = lake.execute(
        "SELECT day, channel, conversations, median_seconds::DOUBLE, p90_seconds::DOUBLE FROM mart_first_response"
    ).fetchall()
    for place, name in ((2, "len"), (3, "median"), (4, "p90")):
        values = {(row["day"], row["channel"]): row[name] for row in daily.iter_rows(named=True)}
        counts["first_response_days"] = same(f"daily first response, {name},", {row[:2]: row[place] for row in found}, values)

    spans = [span for row in conversations.iter_rows(named=True) for span in open_spans(row)]
    days = [day for span in spans for day in span if day]
    first, last = min(days), max(days)
    # Told day by day from what lay open, where the mart adds up what came and went.
    change: dict[datetime.date, int] = {}
    for since, until in spans:
        change[since] = change.get(since, 0) + 1
        if until:
            change[until] = change.get(until, 0) - 1
    expected, at = {}, 0
    for number in range((last - first).days + 1):
        day = first + datetime.timedelta(days=number)
        at += change.get(day, 0)
        expected[day] = at
    for day in (first, first + (last - first) / 2, last):
        lay_open = sum(1 for since, until in spans if since <= day and (until is None or until > day))
        expect(lay_open == expected[day], f"this check's own backlog of {day}")
    found = dict(lake.execute("SELECT day, backlog FROM mart_backlog_by_day").fetchall())
    expect(all(backlog >= 0 for backlog in found.values()), "a backlog below nothing")
    counts["backlog_days"] = same("backlog", found, expected)
    left = conversations.filter(pl.col("status").eq_missing("done").not_()).height
    expect(found[last] == left, f"the last backlog is {found[last]}, but {left} conversations are not done")

    volume = messages.with_columns(
        day=pl.col("created_at").dt.convert_time_zone("UTC").dt.date(), channel=pl.col("channel").fill_null("unknown")
    )
    for direction in ("in", "out"):
        part = volume.filter(pl.col("direction") == direction).group_by("day", "channel").agg(pl.len())
        found = lake.execute(
            f"SELECT day, channel, messages_{direction} FROM mart_volume_by_channel WHERE messages_{direction} > 0"
        ).fetchall()
        values = {(day, channel): count for day, channel, count in part.iter_rows()}
        counts["volume_days"] = same(f"messages {direction}", {row[:2]: row[2] for row in found}, values)
    created = lake.sql("SELECT sum(conversations_created) FROM mart_volume_by_channel").fetchone()
    expect(created == (len(known),), "the volume has other conversations than the table")

    ends = current_ids(folder)
    found = dict(lake.execute("SELECT customer_id, current_customer_id FROM mart_customer_ids WHERE merges > 0").fetchall())
    counts["merged_customers"] = same("current customer", found, ends)
    current = {row[0] for row in lake.execute("SELECT id FROM mart_customers_current").fetchall()}
    expect(current == set(customers["id"]) - set(ends), "other current customers than live ones that were not absorbed")
    counts["current_customers"] = len(current)
    found = dict(lake.execute("SELECT conversation_id, current_customer_id FROM mart_conversations").fetchall())
    expected = {row["id"]: ends.get(row["customer_id"], row["customer_id"]) for row in conversations.iter_rows(named=True)}
    same("customer of a conversation", found, expected)

    times = live(folder, "conversation_times").filter(pl.col("_parent_id").is_in(list(known)))
    later = set(times.filter(pl.col("timer_version") == "v2")["_parent_id"])
    expected = {}
    for row in times.iter_rows(named=True):
        unit = {"v1": 1.0, "v2": 1000.0}[row["timer_version"]]
        if (row["timer_version"] == "v2") == (row["_parent_id"] in later):
            expected[row["_parent_id"]] = expected.get(row["_parent_id"], 0.0) + (row["handle_time"] or 0.0) / unit
    found = lake.execute("SELECT conversation_id, handle_seconds FROM mart_conversations WHERE handle_sessions > 0").fetchall()
    counts["handled_conversations"] = same("handling time", dict(found), expected)

    sent = lake.sql("SELECT sum(messages_sent) FROM mart_agent_load").fetchone()[0]
    people = messages.filter(
        (pl.col("direction") == "out") & pl.col("auto").fill_null(False).not_()
        & pl.col("source").fill_null("").is_in(["bulk", "satisfaction"]).not_()
        & pl.col("created_by_id").is_not_null() & pl.col("created_by_id").is_in(list(machines)).not_()
    )
    expect(sent == people.height, f"agents sent {people.height} messages, the mart says {sent}")
    given = lake.sql("SELECT sum(first_responses) FROM mart_agent_load").fetchone()[0]
    expect(given == counts["first_responses"], f"{counts['first_responses']} first responses, agents have {given}")
    teams = sum(max(1, len(set(row or []))) for row in conversations["assigned_teams"].to_list())
    found = lake.sql("SELECT sum(conversations_created) FROM mart_team_load").fetchone()[0]
    expect(found == teams, f"teams were given {teams} conversations, the mart says {found}")
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
            for name, needs, sql in statements((repo / "schemas" / "marts.sql").read_text(encoding="utf-8")):
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
