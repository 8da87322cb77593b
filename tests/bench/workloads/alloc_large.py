"""Buffers of 1 KiB to 64 KiB, all straight from malloc, in a queue below twenty calls.

Usage: python alloc_large.py [SCALE]
"""

import sys
from collections import deque

KIB = 1024
SIZES = [
    KIB,
    2 * KIB,
    3 * KIB,
    4 * KIB,
    5_000,
    7_000,
    8 * KIB,
    14_000,
    16 * KIB,
    30_000,
    48_000,
    64 * KIB,
]


def receive(count, window):
    queue = deque(maxlen=window)
    for number in range(count):
        queue.append(bytearray(SIZES[number % len(SIZES)]))
    return sum(map(len, queue))


def below(calls, count, window):
    return below(calls - 1, count, window) if calls else receive(count, window)


def main(scale):
    total = 0
    for _ in range(max(1, round(75 * scale))):
        total += below(18, 75_000, 250)
    print("alloc_large", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
