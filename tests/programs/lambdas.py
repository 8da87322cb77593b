"""Lambdas, and callbacks that C code calls: map, sorted, filter, partial, reduce."""

import functools

import settle  # noqa: F401


def main():
    # expect: self.peak_bytes=3000000+1 self.allocated_count=1
    build = lambda size: bytearray(size)  # noqa: E731
    # expect: total.peak_bytes~3000001
    kept = build(3_000_000)
    # expect: self.allocated_count=4 self.peak_bytes=800000+4 total.peak_bytes=800000+4
    mapped = list(map(lambda size: bytearray(size), [200_000] * 4))
    # expect: self.allocated_count=3 self.max_bytes=600000+3 self.peak_bytes=0
    ordered = sorted([1, 2, 3], key=lambda item: bytearray(200_000))
    # expect: self.allocated_count=3 self.max_bytes=300000+1 self.allocated_bytes=900000+3
    picked = list(filter(lambda item: len(bytearray(300_000)) > item, [1, 2, 3]))
    # expect: self.peak_bytes=900000+1
    bound = functools.partial(bytearray, 900_000)()
    return len(kept) + len(mapped) + len(ordered) + len(picked) + len(bound)


# expect: total.peak_bytes~4700006
print(main())
