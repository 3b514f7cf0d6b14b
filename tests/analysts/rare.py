"""Marts on rows that are rare, worked out by hand, and on tables of which only what a mart needs is there."""

import pathlib

import duckdb

from common import Wrong, expect, statements, views

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
    marts = statements((repo / "analytics" / "marts.sql").read_text(encoding="utf-8"))
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
    marts = statements((repo / "analytics" / "marts.sql").read_text(encoding="utf-8"))
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
