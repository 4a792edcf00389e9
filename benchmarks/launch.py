"""Runs one command and writes its wall seconds and peak memory as JSON to a file: `python -S launch.py FILE COMMAND...`.

A process of its own, because Linux counts the memory of whoever starts a command in the command's peak: started from here
that is ten megabytes, started from a benchmark that holds a million rows it would be those.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    result, *command = sys.argv[1:]
    began = time.perf_counter()
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "megabytes": usage.ru_maxrss * unit / 1e6}, file)
    sys.exit(os.waitstatus_to_exitcode(status))
