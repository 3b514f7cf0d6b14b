"""The figures of the marts, worked out once more from the tables by Polars."""

import datetime
import pathlib

import duckdb
import polars as pl

from common import expect


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
