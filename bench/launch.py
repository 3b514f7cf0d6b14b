"""Runs one command and writes as JSON what it used. Usage: launch.py FILE PATIENCE COMMAND...

The peak memory that the system tells of a process is never below that of the process that started it, so that a large
starter would hide what a small program needs: this one is small, and imports little. It kills the command after
PATIENCE seconds.
"""

import os
import signal
import sys
import time


def main(file, patience, *command):
    began = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, lambda *_: os.kill(process, signal.SIGKILL))
    signal.alarm(int(patience))
    _, status, usage = os.wait4(process, 0)
    seconds, peak = time.monotonic() - began, usage.ru_maxrss / 1024
    with open(file, "w") as out:
        out.write(f'{{"seconds": {seconds}, "cpu": {usage.ru_utime + usage.ru_stime}, "peak": {peak}}}')
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main(*sys.argv[1:])
