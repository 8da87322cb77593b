"""Eight threads that each do what alloc_large does.

Usage: python threads.py [SCALE]
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from alloc_large import below

THREADS = 8


def work(rounds):
    return sum(below(18, 60_000, 250) for _ in range(rounds))


def main(scale):
    rounds = max(1, round(10 * scale))
    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(work, [rounds] * THREADS))
    print("threads", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
