"""Runs a script and prints the largest resident set of this process, in KiB.

A process that has waited for another cannot tell: what the kernel reports of children includes the
process that started them, from before it became another program.

Usage: python resident.py SCRIPT
"""

import re
import runpy
import sys
from pathlib import Path

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("resident", re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
