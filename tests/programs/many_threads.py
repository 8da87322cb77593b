"""Four hundred threads with small stacks, all alive at once."""

import threading

import settle  # noqa: F401

THREADS = 400
barrier = threading.Barrier(THREADS + 1)


def work():
    # expect: self.peak_bytes=8000000+400 self.peak_count=400 self.max_bytes=8000000+400
    own = bytearray(20_000)
    barrier.wait()
    barrier.wait()
    return own


def main():
    threading.stack_size(256 << 10)
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    # expect: self.peak_bytes=10000000+1
    anchor = bytearray(10_000_000)
    barrier.wait()
    for thread in threads:
        thread.join()
    return len(anchor)


print(main())
