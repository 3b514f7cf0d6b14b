"""What all checks for analysts share: the lake with its views, and how a mistake is told."""

import pathlib
import re

import duckdb

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
    marts = statements((repo / "analytics" / "marts.sql").read_text(encoding="utf-8"))
    expect(set(GRAINS) == {name for name, _, _ in marts}, "the grain of each mart, and of no other, is to be listed here")
    if not any(name.startswith("mart_") for name in views(lake)):
        for name, needs, sql in marts:
            if needs <= views(lake):
                lake.execute(sql)
    missing = set(GRAINS) - views(lake)
    expect(not missing, f"not made: {sorted(missing)}")
    return lake, len(marts)
