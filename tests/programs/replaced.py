"""A process that replaces itself: what it did before has its own capture, and what comes after runs clean."""

import os
import sys

import settle  # noqa: F401

if len(sys.argv) > 1:
    print([name for name in os.environ if "HEAPHINT" in name or name == "LD_PRELOAD"])
    sys.exit(4)
# expect: self.peak_bytes=5000000+1 self.leaked_bytes=5000000+1 self.allocated_count=1
KEPT = bytearray(5_000_000)
print(len(KEPT), flush=True)
os.execv(sys.executable, [sys.executable, __file__, "again"])
# expect session: captures=2 exit_code=4
