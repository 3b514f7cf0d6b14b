"""Reads the messages by tap-kustomer, and writes them to the standard output as Singer messages.

Usage: BASE_URL=... tap.py (whatever else is said is ignored)

It pages from one time to the next by itself; it asks neither the archive search nor for deleted records, and so never
gets them. The tests of the simulator run the same client.
"""

import logging
import os
import pathlib
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sim" / "tests" / "tap_kustomer"))
from run import read  # noqa: E402

logging.disable(logging.INFO)
read(os.environ["BASE_URL"], ["messages"], 500)
