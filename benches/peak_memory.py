"""The most memory that a whole process holds."""

import os
import subprocess
import sys

# Linux counts what a process held before it became another program, so the program is started from a small one.
PEAK = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(command, threads):
    """Bytes that were resident at once in a process of its own."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", PEAK, *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{command}\n{done.stderr}")
    # macOS counts bytes, Linux KiB.
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
