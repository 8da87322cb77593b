"""A recursive walk: a line that is on the stack ten times counts each block once in its total."""

import settle  # noqa: F401


def walk(depth):
    # expect: self.peak_bytes=1000000+10 self.peak_count=10 total.peak_bytes=1000000+10
    # expect: total.peak_count=10
    # expect: self.max_bytes=1000000+10 total.max_bytes=1000000+10 self.allocated_count=10
    block = bytearray(100_000)
    if depth == 1:
        return len(block)
    # expect: total.peak_bytes~900009 total.max_bytes~900009 total.allocated_bytes~900009
    below = walk(depth - 1)
    return below + len(block)


def main():
    # expect: total.peak_bytes~1000010 total.max_bytes~1000010 total.leaked_bytes~0
    return walk(10)


print(main())
