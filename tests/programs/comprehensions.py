"""List, set, dict and nested comprehensions, and a generator expression, on their own lines."""

import settle  # noqa: F401


def tiles(count):
    # expect: self.peak_bytes=1200000+12 self.peak_count=12 self.max_bytes=1200000+12
    # expect: total.peak_bytes=1200000+12
    return [bytearray(100_000) for _ in range(count)]


def table(count):
    # expect: self.peak_bytes=600000+3 self.peak_count=3 total.peak_bytes=600000+3
    return {key: bytearray(200_000) for key in range(count)}


def grid(rows, columns):
    return [
        # expect: self.peak_bytes=180000+6 self.peak_count=6 total.peak_bytes=180000+6
        [bytearray(30_000) for _ in range(columns)]
        for _ in range(rows)
    ]


def lengths(count):
    # expect: self.allocated_bytes=2000000+10 self.allocated_count=10 self.max_bytes=200000+1
    # expect: self.peak_bytes=0
    return sum(len(bytearray(200_000)) for _ in range(count))


def main():
    total = lengths(10)
    kept = [tiles(12), table(3), grid(2, 3)]
    return total + len(kept)


# expect: total.peak_bytes~1980021
print(main())
