"""Drills of the place where tables stay: a disk and a bucket that are full, credentials, a bucket that is not there."""

import json
import os
import pathlib
import subprocess

from source import Gate
from story import Drill, expect

BUCKET = "lake"


class SmallDisk:
    """A file system of a few megabytes, in a mount namespace of its own, as in tests/it/small_disk.rs."""

    def __init__(self, folder: pathlib.Path, size: str):
        folder.mkdir()
        alone = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = f"mount -t tmpfs -o size={size} tmpfs \"$0\" && echo done && read -r end"
        command = ["unshare", "--mount", *alone, "sh", "-c", script, str(folder)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        expect(self.child.stdout.readline() == "done\n", "the small disk was not mounted")
        enter = ["nsenter", "--target", str(self.child.pid), "--mount"]
        enter += [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        # The folder of the command is that of before the mount until it is entered anew.
        self.within = [*enter, "--", "sh", "-c", "cd \"$0\" && exec \"$@\"", str(folder.parent)]
        self.path = pathlib.Path("/proc") / str(self.child.pid) / "root" / folder.relative_to("/")

    def fill(self, free: int) -> pathlib.Path:
        """Leaves only so many bytes free; gives the file that takes the others."""
        ballast = self.path / "ballast"
        space = os.statvfs(self.path)
        ballast.write_bytes(b"x" * max(space.f_bavail * space.f_frsize - free, 0))
        return ballast

    def close(self) -> None:
        """It ends with its process."""
        self.child.kill()
        self.child.wait()


def full_disk(tools: dict) -> Drill:
    """The disk has no room for what is to be written."""
    drill = Drill(tools, "The disk is full", "5", "no space is left")
    disk = SmallDisk(drill.home / "data", "6m")
    drill.closing.insert(0, disk.close)
    drill.within = disk.within
    drill.configure(destination="./data/lake", pipelines="customers")
    drill.expected = {"customers": "customer"}
    drill.load()
    drill.source.in_the_past(drill.source.mutate("customer", "update", 60))
    ballast = disk.fill(16 * 1024)
    drill.say("Somebody else's files have filled the disk. What is committed stays as it is.")
    drill.run("run", 5, "no space is left")
    drill.say("**Do**: make room, or grow the disk. The next run does what this one could not.")
    ballast.unlink()
    drill.run("run", 0, before="rm data/ballast && ")
    drill.prove()
    return drill


class Bucket:
    """The S3-compatible server of the tests, with a gate before it."""

    def __init__(self, drill: Drill):
        command = [str(drill.tools["python"]), str(pathlib.Path(__file__).parents[1] / "storage.py"), BUCKET]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.told = json.loads(self.child.stdout.readline())
        self.gate = Gate(self.told["endpoint"])
        self.drill = drill
        drill.closing.insert(0, self.close)
        drill.renamed(self.gate.url.removeprefix("http://"), "127.0.0.1:9000")
        self.configure(BUCKET)
        self.admit()

    def configure(self, bucket: str) -> None:
        """The lake is in this bucket."""
        s3 = f"{{endpoint: {self.gate.url}, region: us-east-1, path_style: true, allow_http: true}}"
        self.drill.configure(destination=f"s3://{bucket}/kustomer\n  s3: {s3}", pipelines="customers")

    def admit(self) -> None:
        """The program has the credentials of the server."""
        keys = {"AWS_ACCESS_KEY_ID": self.told["access_key_id"], "AWS_SECRET_ACCESS_KEY": self.told["secret_access_key"]}
        self.drill.environment |= keys

    def revoke_or_renew(self) -> None:
        """Takes the key away, or makes a new one."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        self.told = json.loads(self.child.stdout.readline())

    def refuse(self, status: int, code: str, method: str = "", word: str = "") -> None:
        """Answers such requests like a server that has this to say."""
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()

        def hook(asked: str, path: str, _body: bytes) -> tuple | None:
            return (status, {"Content-Type": "application/xml"}, body) if asked.startswith(method) and word in path else None

        self.gate.hook = hook

    def close(self) -> None:
        """Ends the server."""
        self.gate.close()
        self.child.kill()
        self.child.wait()


def bucket(tools: dict) -> Drill:
    """Everything that a bucket refuses, one after the other."""
    drill = Drill(tools, "The bucket is full, refuses the credentials, or is not there", "5", "the destination's address, and why")
    place = Bucket(drill)
    drill.expected = {"customers": "customer"}
    drill.load()
    drill.source.in_the_past(drill.source.mutate("customer", "update", 12))
    drill.say("**The quota is used up.** The storage takes no more data files.")
    place.refuse(403, "QuotaExceeded", "PUT", ".parquet")
    drill.run("run", 5, "no space is left")
    place.gate.hook = None
    drill.say("**The key to the storage was revoked**, or is mistyped.")
    place.revoke_or_renew()
    drill.run("run", 5, "AWS_ACCESS_KEY_ID")
    place.revoke_or_renew()
    drill.say("**The bucket is not there**, or has another name.")
    place.admit()
    place.refuse(404, "NoSuchBucket")
    drill.run("run", 5, "the bucket does not exist")
    place.gate.hook = None
    drill.say("**This machine's clock is wrong** by more than the quarter of an hour that S3 allows: `RequestTimeTooSkewed`. Set the clock (NTP).")
    place.refuse(403, "RequestTimeTooSkewed")
    drill.run("run", 5, "RequestTimeTooSkewed")
    place.gate.hook = None
    drill.say("**Do**: what the end of the message says. In each case the next run does what this one could not:")
    drill.run("run", 0)
    drill.prove()
    return drill


DRILLS = [full_disk, bucket]
