"""Named threads at work on one line at the same time: it holds the sum of what they hold."""

import threading

import settle  # noqa: F401

both_hold = threading.Barrier(3)
may_end = threading.Event()


def work(size):
    # expect: self.peak_bytes=7000000+2 self.peak_count=2
    # expect: self.max_bytes=7000000+2 self.leaked_bytes=0
    buffer = bytearray(size)
    both_hold.wait()
    may_end.wait()
    return len(buffer)


def main():
    threads = [
        threading.Thread(target=work, args=(2_000_000,), name="alpha"),
        threading.Thread(target=work, args=(5_000_000,), name="beta"),
    ]
    for thread in threads:
        thread.start()
    both_hold.wait()
    # expect: self.peak_bytes=1000000+1
    mine = bytearray(1_000_000)
    may_end.set()
    for thread in threads:
        thread.join()
    return len(mine)


print(main())
