"""A pool whose workers make and free blocks, as many as their jobs say: 15 111 in all."""

import multiprocessing.pool
import multiprocessing.popen_fork
import multiprocessing.synchronize

import settle  # noqa: F401
from libc import load

c = load("libc.so.6")
COUNTS = [1, 10, 100, 1_000, 2_000, 3_000, 4_000, 5_000]


def work(count):
    for _ in range(count):
        c.free(c.valloc(1_234))
    return count


if __name__ == "__main__":
    pool = multiprocessing.get_context("fork").Pool(3)
    total = sum(pool.map(work, COUNTS, chunksize=1))
    pool.close()
    pool.join()
    print(total + work(1))
