"""A process that dies of a segmentation fault, after it wrote something."""

import os
import signal
import sys

import settle  # noqa: F401

# expect: self.peak_bytes=5000000+1 self.leaked_bytes=5000000+1
KEPT = bytearray(5_000_000)
print(len(KEPT))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGSEGV)
# expect session: exit_code=139 complete=false
