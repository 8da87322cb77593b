"""Mappings given back in parts, from the front, the back and the middle, and two with one call."""

import settle  # noqa: F401
from libc import MIB, PRIVATE_ANONYMOUS, READ_WRITE, load

c = load(None)


def map_pages(size):
    return c.mmap(None, size, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)


def ends():
    # expect: total.max_bytes~8388608 total.peak_bytes~4194304 total.leaked_bytes~4194304
    base = map_pages(8 * MIB)
    c.munmap(base, MIB)
    c.munmap(base + 5 * MIB, 3 * MIB)
    return base + MIB


def holes():
    # expect: total.max_bytes~16777216 total.peak_bytes~13631488 total.leaked_bytes~13631488
    base = map_pages(16 * MIB)
    c.munmap(base + 2 * MIB, MIB)
    c.munmap(base + 6 * MIB, 2 * MIB)
    # Nothing is mapped there any more; giving it back again changes nothing.
    c.munmap(base + 6 * MIB, 2 * MIB)
    return base


def across():
    # expect: total.max_bytes~6291456 total.peak_bytes~2097152
    base = map_pages(6 * MIB)
    c.munmap(base + 4 * MIB, 2 * MIB)
    # The hint puts this one right behind what is left of the first.
    # expect: self.max_bytes=2097152 self.peak_bytes=1048576
    behind = c.mmap(base + 4 * MIB, 2 * MIB, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
    assert behind == base + 4 * MIB
    # One call over the end of the first and the beginning of the second.
    c.munmap(base + 2 * MIB, 3 * MIB)


def main():
    ends()
    holes()
    across()
    # expect: self.peak_bytes=9000000+1
    anchor = bytearray(9_000_000)
    return len(anchor)


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
