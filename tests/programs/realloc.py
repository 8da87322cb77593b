"""Blocks that grow: a realloc is a free of the old block and an allocation of the new one."""

import settle  # noqa: F401
from libc import load

c = load(None)


def explicit():
    # expect: self.peak_bytes=0 self.max_bytes=1000000 self.temporary_count=1
    block = c.malloc(1_000_000)
    # expect: self.peak_bytes=5000000 self.allocated_count=1 self.max_bytes=5000000
    # expect: self.leaked_bytes=5000000
    block = c.realloc(block, 5_000_000)
    # expect: self.max_bytes=2000000 self.peak_bytes=0
    other = c.calloc(2, 1_000_000)
    # realloc to nothing is a free.
    # expect: self.allocated_count<=1 self.allocated_bytes<=1 self.peak_bytes=0
    c.realloc(other, 0)
    return block


def failing():
    # expect: self.peak_bytes=3000000 self.max_bytes=3000000
    block = c.malloc(3_000_000)
    # The kernel refuses; the old block stays what it was.
    # expect: self.allocated_count=0 self.peak_bytes=0
    refused = c.realloc(block, 1 << 62)
    # expect: self.allocated_count=0
    overflowing = c.reallocarray(block, 1 << 33, 1 << 33)
    # expect: self.peak_bytes=2000000+1
    anchor = bytearray(2_000_000)
    return refused, overflowing, len(anchor)


explicit()
print(failing())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
