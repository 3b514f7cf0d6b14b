"""Runs one command and writes as JSON what it used. Usage: launch.py FILE PATIENCE MEMORY COMMAND...

The peak memory that the system tells of a process is never below that of the process that started it, so that a large
starter would hide what a small program needs: this one is small, and imports little. It kills the command after
PATIENCE seconds, and, unless MEMORY is 0, as soon as more than so many MiB are resident.
"""

import os
import signal
import sys
import time

PAGES_A_MIB = 1024 * 1024 // os.sysconf("SC_PAGE_SIZE")


def resident(process):
    """MiB; nothing of a process that has ended."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) / PAGES_A_MIB
    except (OSError, IndexError):
        return 0


def main(file, patience, memory, *command):
    patience, memory = int(patience), int(memory)
    began = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)

    def kill(*_):
        os.kill(process, signal.SIGKILL)

    def watch(*_):
        if time.monotonic() - began >= patience or (memory and resident(process) > memory):
            kill()

    signal.signal(signal.SIGTERM, kill)
    signal.signal(signal.SIGALRM, watch)
    # A limit of the address space would count what is only mapped, so that the process is looked at now and then.
    signal.setitimer(signal.ITIMER_REAL, *((0.05, 0.05) if memory else (patience, 0)))
    _, status, usage = os.wait4(process, 0)
    seconds, peak = time.monotonic() - began, usage.ru_maxrss / 1024
    signal.setitimer(signal.ITIMER_REAL, 0)
    with open(file, "w") as out:
        out.write(f'{{"seconds": {seconds}, "cpu": {usage.ru_utime + usage.ru_stime}, "peak": {peak}}}')
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


main(*sys.argv[1:])
