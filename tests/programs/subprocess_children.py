"""Programs that a program starts run untouched, Python or not, with a clean environment."""

import subprocess
import sys

import settle  # noqa: F401

CHILD = """
import os
kept = bytearray(50_000_000)
print(len(kept), [name for name in os.environ if "HEAPHINT" in name or name == "LD_PRELOAD"])
"""


def main():
    # expect: self.peak_bytes=6000000+1 self.leaked_bytes=0
    mine = bytearray(6_000_000)
    # expect: total.max_bytes<=1000000
    python = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True
    )
    shell = subprocess.run(
        ["sh", "-c", "env | grep -c -e HEAPHINT -e LD_PRELOAD; exit 5"],
        capture_output=True,
        text=True,
    )
    return len(mine), python.stdout, python.stderr, shell.stdout, shell.returncode


print(*main())
# expect session: captures=1 peak_bytes>=6000001 peak_bytes<=30000000
