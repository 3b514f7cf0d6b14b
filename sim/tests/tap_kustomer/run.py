"""Syncs everything the public client tap-kustomer can read from a server that is not Kustomer.

Usage: run.py BASE_URL OUTFILE [START_DATE]

BASE_URL is the origin without a path. OUTFILE gets the Singer messages, one JSON object a line. START_DATE defaults to
a day far enough back for everything; the client reads only what ordinary search covers.

Known faults of version 1.1.0 that shape this file: it asks for 500 records a page from lists that give 100, it never
ends on a page of equal timestamps, and it knows no way to name another host.
"""

import sys

from tap_kustomer import client as kustomer
from tap_kustomer.discover import discover
from tap_kustomer.sync import sync


def read(base_url, streams, page_size, start_date="2000-01-01T00:00:00Z") -> None:
    """Writes what these streams have (None: all of them) to the standard output."""
    original = kustomer.KustomerClient.__init__

    def init(self, token, user_agent=None):
        original(self, token, user_agent)
        self.base_url = f"{base_url}/v1"

    kustomer.KustomerClient.__init__ = init
    catalog = discover()
    for stream in catalog.streams:
        for entry in stream.metadata:
            entry["metadata"]["selected"] = streams is None or stream.stream in streams
    config = {"start_date": start_date, "page_size_limit": page_size, "date_window_size": 60}
    with kustomer.KustomerClient("sim-token", "simulator test") as client:
        sync(client=client, config=config, catalog=catalog, state={})


def main() -> None:
    """Reads everything into a file."""
    base_url, outfile, *start_date = sys.argv[1:4]
    with open(outfile, "w", encoding="utf-8") as out:
        sys.stdout, stdout = out, sys.stdout
        try:
            read(base_url, None, 100, *start_date)
        finally:
            sys.stdout = stdout


if __name__ == "__main__":
    main()
