"""Runs one command and prints what it cost, as JSON: `python -I -S launcher.py COMMAND ARGUMENT…`.

A program of its own, and a small one: Linux counts a process's peak memory from the fork on, so what a large parent
holds would be taken for the command's. What this one holds, about 10 MiB, is the least that it can say.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command with its output thrown away; its errors go where ours do."""
    nothing = os.open(os.devnull, os.O_RDWR)
    redirected = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, nothing, 1)]
    started = time.perf_counter()
    pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=redirected)
    _, status, usage = os.wait4(pid, 0)
    cost = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,  # the largest process of all that were waited for
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    json.dump(cost, sys.stdout)


main()
