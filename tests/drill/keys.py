"""Drills of the API key."""

import json
import time

from source import KEY
from story import Drill, expect

PAGER_EXPIRED = "the API key has expired"
PAGER_ROLE = "The API key lacks a role"
WITHOUT_CONVERSATIONS = "search.create customer.read user.read team.read klass.read metadata.read"


def new_key(drill: Drill) -> None:
    """A key that is good, in the environment of the commands that follow."""
    drill.source.gate.hook = None
    drill.source.token("invented-new-key")
    drill.environment["KUSTOMER_API_KEY"] = "invented-new-key"


def expired(tools: dict) -> Drill:
    """Before the run."""
    drill = Drill(tools, "The API key has expired", "3", PAGER_EXPIRED)
    drill.load()
    drill.source.token(KEY, expires_at=1)
    drill.change()
    drill.say("A key with an end date reached it overnight. Nothing is read, nothing is written.")
    drill.run("run", 3, PAGER_EXPIRED)
    drill.say("**Do**: make a new key in Settings > Security > API Keys, put it where the old one was, and run again or wait for cron.")
    new_key(drill)
    drill.run("run", 0, before="export KUSTOMER_API_KEY=... && ")
    drill.prove()
    return drill


def expires(tools: dict) -> Drill:
    """In mid-run: two tables are committed by then."""
    drill = Drill(tools, "The API key expires while a run is under way", "3", PAGER_EXPIRED)

    def act() -> None:
        state, deadline = drill.home / "lake" / "_kustlake" / "state.json", time.monotonic() + 30
        while time.monotonic() < deadline:
            known = json.loads(state.read_text())["entities"] if state.exists() else {}
            if all("last_run" in known.get(name, {}) for name in ("users", "customers")):
                break
            time.sleep(0.05)
        drill.source.token(KEY, expires_at=1)

    drill.source.gate.before("/v1/customers/search", '"conversation"', act)
    drill.say("The first load; users and customers are committed when the key ends.")
    drill.run("run", 3, PAGER_EXPIRED)
    expect((drill.rows("users"), drill.rows("customers")) == (8, 120), "what was committed does not stay")
    drill.say("**Do**: as above. What is committed stays: the table above tells it, entity by entity. The next run goes on from there.")
    new_key(drill)
    drill.run("run", 0, before="export KUSTOMER_API_KEY=... && ")
    drill.prove()
    return drill


def role(tools: dict) -> Drill:
    """A key that may not read conversations."""
    drill = Drill(tools, "The API key lacks a role", "6", PAGER_ROLE)
    roles = [f"org.permission.{role}" for role in WITHOUT_CONVERSATIONS.split()]
    drill.source.token(KEY, roles=roles)
    drill.say("Someone replaced the key, and left a role out. Only what needs the role fails; the rest is committed.")
    drill.run("run", 6, PAGER_ROLE)
    code, out, _ = drill.machine("run")
    report = json.loads(out.splitlines()[-1])
    failed = next(entity for entity in report["entities"] if entity["outcome"] == "failed")
    expect(code == 6 and PAGER_ROLE in failed["error"], report)
    drill.say("Cron's view is the report, of which this tells who is affected:")
    drill.block((
        "tail -n 1 reports.jsonl | jq -c '.exit_code, (.entities[] | [.entity, .outcome, .cursor])'",
        [str(code)] + [json.dumps([one["entity"], one["outcome"], one["cursor"]], separators=(",", ":")) for one in report["entities"]],
        None,
    ))
    drill.say("`kustlake check` tells the same beforehand, for each entity, without the request around it:")
    drill.run("check", 6, "lacks a role")
    drill.say("**Do**: make a new key with the role that is named. The next run loads the conversations by itself, from their start.")
    new_key(drill)
    drill.run("run", 0, before="export KUSTOMER_API_KEY=... && ")
    drill.prove()
    return drill


DRILLS = [expired, expires, role]
