"""NumPy temporaries: expressions over 1e5 to 1e6 doubles, and many small arrays.

Usage: python numpy_temps.py [SCALE]
"""

import sys

import numpy as np


def wave(now, before):
    """One step of a wave equation; every operator makes an array."""
    bend = now[:-2] - 2.0 * now[1:-1] + now[2:]
    after = 2.0 * now[1:-1] - before[1:-1] + 0.2 * bend
    return np.concatenate(([0.0], np.clip(after, -1.0, 1.0) * 0.999, [0.0]))


def distances(rounds):
    points = np.linspace(0.0, 1.0, 150)
    total = 0.0
    for number in range(rounds):
        shifted = points - number * 1e-6
        total += float((shifted * shifted)[number % 150])
    return total


def main(scale):
    total = 0.0
    for size, rounds in ((100_000, 700), (300_000, 180), (1_000_000, 40)):
        before = np.sin(np.linspace(0.0, 20.0, size))
        now = before.copy()
        for _ in range(max(1, round(rounds * scale))):
            now, before = wave(now, before), now
        total += float(np.abs(now).sum())
    total += distances(round(600_000 * scale))
    print("numpy_temps", round(total, 3))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
