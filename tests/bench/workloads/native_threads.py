"""Eight threads in C code without the GIL that allocates and frees small blocks: regular expressions, compiled.

Usage: python native_threads.py [SCALE]
"""

import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor

THREADS = 8
PATTERN = b"|".join(b"word%d[a-f]+x*" % number for number in range(40))

c = ctypes.CDLL(None)
REG_EXTENDED = 1


def work(rounds):
    expression = ctypes.create_string_buffer(256)
    failed = 0
    for _ in range(rounds):
        # Each call makes thousands of allocations, and the GIL is free meanwhile.
        failed += c.regcomp(expression, PATTERN, REG_EXTENDED)
        c.regfree(expression)
    return failed


def main(scale):
    rounds = max(1, round(1_500 * scale))
    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(work, [rounds] * THREADS))
    print("native_threads", total)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
