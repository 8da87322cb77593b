"""What is live at the highest moment, and nothing that came or went beside it."""

import settle  # noqa: F401
from libc import load

c = load("libc.so.6")


def again():
    for _ in range(2):
        # expect: self.max_bytes=1024000 self.peak_bytes=0 self.allocated_count=2
        c.free(c.valloc(1_024_000))


def rising():
    # expect: self.max_bytes=1024000 self.temporary_count=1 self.peak_bytes=0
    c.free(c.valloc(1_024_000))
    # expect: self.max_bytes=2048000 self.temporary_count=1 self.peak_bytes=0
    c.free(c.valloc(2_048_000))


def falling():
    # expect: self.max_bytes=2048001 self.temporary_count=1 self.peak_bytes=0
    c.free(c.valloc(2_048_001))
    # expect: self.max_bytes=1024001 self.temporary_count=1 self.peak_bytes=0
    c.free(c.valloc(1_024_001))


def one_line():
    # expect: self.peak_bytes=10000000+2 self.peak_count=2 self.max_bytes=10000000+2
    return bytearray(5_000_000), bytearray(5_000_000)


def two_lines():
    # expect: self.peak_bytes=1024003 self.peak_count=1
    first = c.valloc(1_024_003)
    # expect: self.peak_bytes=2048003 self.peak_count=1
    second = c.valloc(2_048_003)
    return first, second


def main():
    # expect: total.max_bytes~1024000
    again()
    # expect: total.max_bytes~2048000
    rising()
    # expect: total.max_bytes~2048001
    falling()
    pair = one_line()
    # expect: total.peak_bytes~3072006
    blocks = two_lines()
    # The last allocation of all makes the peak.
    # expect: self.peak_bytes=2000000+1 self.peak_count=1
    last = bytearray(2_000_000)
    for block in blocks:
        c.free(block)
    return len(pair), len(last)


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
