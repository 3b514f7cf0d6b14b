"""Drills of what changes around a run: the clock, the organisation's attributes, the configuration."""

import datetime
import json
import urllib.parse

from story import Drill, expect

CUSTOMER = {"name": "Jane Invented", "createdAt": "2026-01-02T03:04:05.000Z"}


def slow_clock(tools: dict) -> Drill:
    """Ours is three hours behind."""
    drill = Drill(tools, "This machine's clock is wrong", "0", "the clocks differ")
    drill.load()
    drill.change()
    drill.source.set_clock(180)
    drill.say("It is three hours behind the source's. Runs go by the source's clock, so nothing is missed.")
    drill.run("run", 0, "the clocks differ")
    drill.run("check", 0, "clock")
    drill.say("**Do**: set the clock (NTP), in working hours: certificates and S3 signatures break when it is wrong by more.")
    drill.source.set_clock(0)
    drill.run("check", 0, "agrees with the source")
    drill.run("run", 0)
    drill.prove()
    return drill


def source_clock(tools: dict) -> Drill:
    """The source's is set back."""
    drill = Drill(tools, "The source's clock is wrong", "0", "the clocks differ")
    drill.source.set_clock(180)
    drill.load()
    drill.say("For a while the source told a time three hours ahead. It is right again, and the cursors lie in its future.")
    drill.source.set_clock(0)
    drill.change()
    drill.run("run", 0)
    drill.say("**Do**: nothing. A run begins at the newest row that it has where that is earlier than the cursor.")
    drill.prove()
    return drill


def customer(number: int, custom: dict) -> tuple[str, str]:
    """A customer with attributes of the organisation's own."""
    updated = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=10)
    attributes = CUSTOMER | {"updatedAt": f"{updated:%Y-%m-%dT%H:%M:%S}.000Z", "rev": number, "custom": custom}
    return "raw/customer", json.dumps({"type": "customer", "id": f"65f00000000000000000000{number}", "attributes": attributes})


def schema(tools: dict) -> Drill:
    """A new attribute, another type, a new klass."""
    drill = Drill(tools, "Somebody changes the attributes of the organisation", "0", "values kept in _extra")
    drill.load()
    drill.source.in_the_past(customer(1, {"shirtSizeStr": "gold"}))
    drill.say("A new attribute, `shirtSizeStr`, appears. It gets a column by itself.")
    drill.run("run", 0)
    logs = sorted((drill.home / "lake" / "customers" / "_delta_log").glob("*.json"))
    expect(any('custom_shirtSizeStr' in log.read_text() for log in logs), "no column")
    drill.source.in_the_past(customer(2, {"shirtSizeStr": 7}))
    drill.say("Then somebody makes it a number. Columns keep their type; what does not fit is kept, and counted:")
    drill.run("run", 0, "kept in _extra")
    drill.say(
        "**Do**: tell the analysts. Old and new values are all there: `SELECT coalesce(custom_shirtSizeStr, "
        "_extra->>'$.custom.shirtSizeStr') FROM customers`."
    )
    drill.prove()
    return drill


def klass(tools: dict) -> Drill:
    """A klass appears."""
    drill = Drill(tools, "A new klass of KObjects appears", "0", "nothing; there is one more table")
    drill.configure(pipelines="users kobjects")
    drill.expected = {"users": "user"}
    drill.load()
    before = {path.name for path in (drill.home / "lake").iterdir()}
    known = {klass["id"] for klass in drill.source.control("shelf/klasses")}
    drill.source.in_the_past(("change-shelf", {"shelf": "klasses", "op": "insert", "count": 1, "seed": 3}))
    drill.say("Its table appears with it, with everything that it has.")
    drill.run("run", 0)
    new = sorted({path.name for path in (drill.home / "lake").iterdir()} - before)
    expect(len(new) == 1, new)
    name = next(klass["attributes"]["name"] for klass in drill.source.control("shelf/klasses") if klass["id"] not in known)
    records = drill.source.control(f"shelf/kobject_{urllib.parse.quote(name)}")
    expect(drill.rows(new[0]) == len(records) > 0, f"{len(records)} KObjects, {drill.rows(new[0])} rows")
    drill.say(f"The new table is `{new[0]}`, with as many rows as the source has KObjects of the klass.")
    drill.say("**Do**: nothing.")
    drill.prove()
    return drill


def typo(tools: dict) -> Drill:
    """Several at once."""
    drill = Drill(tools, "The configuration has mistakes", "2", "`pipelines.yaml:` and a line")
    text = (drill.home / "pipelines.yaml").read_text()
    wrong = text.replace("destination:", "  setle: 5m\n  rate_share: 1.5\ndestination:")
    wrong = wrong.replace("  customers: {}", "  costumers: {}\n  customers: {mode: updat}")
    (drill.home / "pipelines.yaml").write_text(wrong)
    drill.say("Somebody edited it in a hurry. Nothing is asked and nothing is written before all of it is right.")
    drill.run("run", 2, "unknown key", "unknown entity")
    drill.say("**Do**: mend the lines that are named; all mistakes are told at once.")
    (drill.home / "pipelines.yaml").write_text(text)
    drill.run("run", 0)
    drill.prove()
    return drill


DRILLS = [slow_clock, source_clock, schema, klass, typo]
