"""Parts of mappings given back in every order, and then a larger mapping beside what is left."""

import settle  # noqa: F401
from libc import MIB, PRIVATE_ANONYMOUS, READ_WRITE, load

c = load("libc.so.6")
TEN = 10 * MIB


def mapped(size, at=None):
    return c.mmap(at, size, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)


def without(pages, gone):
    """Maps so many, gives back the ones that are named, and maps ten more."""
    base = mapped(pages * MIB)
    for page in gone:
        c.munmap(base + page * MIB, MIB)
    ten = mapped(TEN)
    for page in set(range(pages)) - set(gone):
        c.munmap(base + page * MIB, MIB)
    c.munmap(ten, TEN)


def adjacent(parts, sizes):
    """Mappings side by side, given back by calls that do not respect where one ends."""
    base = mapped(8 * MIB)
    c.munmap(base, 8 * MIB)
    size = 8 * MIB // parts
    for part in range(parts):
        assert mapped(size, base + part * size) == base + part * size
    at = base
    for size in sizes:
        c.munmap(at, size * MIB)
        at += size * MIB
    c.munmap(mapped(TEN), TEN)


def main():
    # expect: total.max_bytes~11534336 total.leaked_bytes~0
    without(2, [0])
    # expect: total.max_bytes~12582912 total.leaked_bytes~0
    without(4, [0, 3])
    # expect: total.max_bytes~13631488 total.leaked_bytes~0
    without(5, [1, 3])
    # expect: total.max_bytes~17825792 total.leaked_bytes~0
    without(8, [4])
    # expect: total.max_bytes~10485760 total.leaked_bytes~0
    adjacent(2, [8])
    # expect: total.max_bytes~10485760 total.leaked_bytes~0
    adjacent(4, [4, 4])
    # expect: self.peak_bytes=20000000+1
    return len(bytearray(20_000_000))


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
