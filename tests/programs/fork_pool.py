"""A pool of forked workers, each with figures of its own, beside a parent that holds the result."""

import multiprocessing.pool
import multiprocessing.popen_fork
import multiprocessing.synchronize

import settle  # noqa: F401


def work(size):
    # expect: self.allocated_count=0
    return len(bytearray(size))


def main():
    # Not a pool of a `with` block: that one kills its workers.
    pool = multiprocessing.get_context("fork").Pool(3)
    sizes = pool.map(work, [1_000_000] * 12, chunksize=1)
    pool.close()
    pool.join()
    # expect: self.peak_bytes=5000000+1
    return sum(sizes) + len(bytearray(5_000_000))


if __name__ == "__main__":
    print(main())
# expect session: captures=4 exit_code=0
