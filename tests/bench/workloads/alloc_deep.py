"""Blocks of more than 512 bytes at a depth of 500 calls, with calls and returns between them.

Usage: python alloc_deep.py [SCALE]
"""

import sys

DEPTH = 500


def text_node(number):
    return bytes(560 + (number & 127) * 4)


def element(number):
    return len(text_node(number)) - len(text_node(number ^ 1))


def children(count):
    return sum(element(number) for number in range(count))


def nested(levels, width):
    own = bytearray(640)
    inner = 0
    for _ in range(width if levels else 0):
        inner += nested(levels - 1, width)
    return inner + len(own)


def descend(depth, count):
    return descend(depth - 1, count) if depth else children(count) + nested(6, 4)


def main(scale):
    sys.setrecursionlimit(DEPTH + 200)
    total = 0
    for _ in range(max(1, round(36 * scale))):
        total += descend(DEPTH - 20, 180_000)
    print("alloc_deep", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
