"""Reads the messages by tap-kustomer, and writes them to the standard output as Singer messages.

Usage: BASE_URL=... tap.py (whatever else is said is ignored)

The client has no setting for another host, and is told here in its constructor. It pages from one time to the next by
itself; it asks neither the archive search nor for deleted records, and so never gets them.
"""

import logging
import os

from tap_kustomer import client as kustomer
from tap_kustomer.discover import discover
from tap_kustomer.sync import sync


def main(base_url):
    logging.disable(logging.INFO)
    original = kustomer.KustomerClient.__init__

    def init(self, token, user_agent=None):
        original(self, token, user_agent)
        self.base_url = f"{base_url}/v1"

    kustomer.KustomerClient.__init__ = init
    catalog = discover()
    for stream in catalog.streams:
        for entry in stream.metadata:
            entry["metadata"]["selected"] = stream.stream == "messages"
    config = {"start_date": "2000-01-01T00:00:00Z", "page_size_limit": 500, "date_window_size": 60}
    with kustomer.KustomerClient("sim-token", "measurement") as client:
        sync(client=client, config=config, catalog=catalog, state={})


main(os.environ["BASE_URL"])
