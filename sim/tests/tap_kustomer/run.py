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


def main() -> None:
    """Discover, select, sync."""
    base_url, outfile = sys.argv[1:3]
    start_date = sys.argv[3] if len(sys.argv) > 3 else "2000-01-01T00:00:00Z"
    original = kustomer.KustomerClient.__init__

    def init(self, token, user_agent=None):
        original(self, token, user_agent)
        self.base_url = f"{base_url}/v1"

    kustomer.KustomerClient.__init__ = init
    catalog = discover()
    for stream in catalog.streams:
        for entry in stream.metadata:
            entry["metadata"]["selected"] = True
    config = {"start_date": start_date, "page_size_limit": 100, "date_window_size": 60}
    with open(outfile, "w", encoding="utf-8") as out:
        sys.stdout, stdout = out, sys.stdout
        try:
            with kustomer.KustomerClient("sim-token", "simulator test") as client:
                sync(client=client, config=config, catalog=catalog, state={})
        finally:
            sys.stdout = stdout


if __name__ == "__main__":
    main()
