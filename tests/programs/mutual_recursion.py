"""Two functions that call each other; every second level keeps its block while it goes deeper."""

import settle  # noqa: F401


def even(depth):
    # expect: self.allocated_count=5 self.allocated_bytes=300000+5 self.max_bytes=300000+5
    kept = bytearray(20_000 * depth // 2)
    # expect: total.max_bytes~210005 total.allocated_bytes~450009
    return len(kept) + (odd(depth - 1) if depth else 0)


def odd(depth):
    # expect: self.allocated_count=5 self.allocated_bytes=250000+5 self.max_bytes=90000+1
    size = len(bytearray(10_000 * depth))
    return size + (even(depth - 1) if depth > 1 else 0)


print(even(10))
