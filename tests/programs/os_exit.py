"""A worker that leaves with os._exit: no handler runs, and its figures are there all the same."""

import atexit
import os
import sys

import settle  # noqa: F401


def work():
    # expect: self.peak_bytes=7000000+1 self.leaked_bytes=7000000+1
    result = bytearray(7_000_000)
    print(len(result))
    sys.stdout.flush()
    os._exit(3)


atexit.register(print, "never seen")
# expect: total.leaked_bytes~7000001
work()
# expect session: exit_code=3 leaked_bytes>=7000001
