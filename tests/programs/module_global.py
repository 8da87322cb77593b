"""A table that the module holds when the interpreter begins to shut down counts as leaked."""

import settle  # noqa: F401

# expect: self.leaked_bytes~6000001 self.peak_bytes~6000001 self.max_bytes~6000001
TABLE = bytearray(6_000_000)


def replace():
    global TABLE
    # expect: self.leaked_bytes=0 self.max_bytes=2000000+1
    scratch = bytearray(2_000_000)
    return len(scratch)


print(replace())
# expect session: leaked_bytes>=6000001
