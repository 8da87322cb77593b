"""A mapping placed over part of another replaces that part: those bytes are not there twice."""

import settle  # noqa: F401
from libc import FIXED, MIB, PRIVATE_ANONYMOUS, READ_WRITE, load

c = load(None)


def main():
    # expect: self.max_bytes=8388608 self.peak_bytes=5242880 self.leaked_bytes=5242880
    base = c.mmap(None, 8 * MIB, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
    # expect: self.max_bytes=3145728 self.peak_bytes=3145728 self.leaked_bytes=3145728
    over = c.mmap(base + 2 * MIB, 3 * MIB, READ_WRITE, PRIVATE_ANONYMOUS | FIXED, -1, 0)
    assert over == base + 2 * MIB
    # expect: self.peak_bytes=10000000+1
    return len(bytearray(10_000_000))


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
