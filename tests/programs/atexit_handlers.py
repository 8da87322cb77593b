"""Handlers that run at exit belong to the program: what they keep is leaked."""

import atexit

import settle  # noqa: F401

kept = []


def report(size):
    # expect: self.allocated_bytes=4000000+1 self.leaked_bytes=0 self.max_bytes=4000000+1
    text = bytearray(4_000_000)
    # expect: self.leaked_bytes=5000000+1 self.peak_bytes=5000000+1 self.peak_count=1
    kept.append(bytearray(size))
    return len(text)


atexit.register(report, 5_000_000)
atexit.register(print, "done")
# expect: self.leaked_bytes=1000000+1
TABLE = bytearray(1_000_000)
# expect session: complete=true leaked_bytes>=6000002
# memray: stops before exit handlers run
