"""Python calls and hardly an allocation: recursive search, a tree of objects, generators.

Usage: python call_heavy.py [SCALE]
"""

import sys


def queens(size, row=0, columns=0, rising=0, falling=0):
    """Counts the ways to place queens, with bit masks."""
    if row == size:
        return 1
    found = 0
    free = ~(columns | rising | falling) & ((1 << size) - 1)
    while free:
        bit = free & -free
        free ^= bit
        found += queens(size, row + 1, columns | bit, (rising | bit) << 1, (falling | bit) >> 1)
    return found


class Number:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def evaluate(self, x):
        return self.value + x


class Pair:
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right

    def evaluate(self, x):
        return (self.left.evaluate(x) ^ self.right.evaluate(x)) & 0xFF


def tree(depth):
    return Pair(tree(depth - 1), tree(depth - 1)) if depth else Number(depth & 3)


def counted(limit):
    yield from range(limit)


def odd(numbers):
    for number in numbers:
        if number & 1:
            yield number


def main(scale):
    total, expression = 0, tree(8)
    for turn in range(max(1, round(190 * scale))):
        total += queens(7)
        for x in range(60):
            total += expression.evaluate(x + turn)
        total += sum(odd(counted(200_000)))
    print("call_heavy", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
