"""Recursion 100 000 calls deep, on a thread whose stack is large enough for every interpreter."""

import sys
import threading

import settle  # noqa: F401

DEPTH = 100_000
sizes = []


def descend(depth):
    if depth:
        # expect: total.peak_bytes>=5000001 total.max_bytes>=5000001 total.allocated_count>=1
        return descend(depth - 1)  # memray: its profile function makes an object of each frame
    # expect: self.peak_bytes=5000000+1 self.max_bytes=5000000+1 self.allocated_count=1
    # expect: total.peak_bytes=5000000+1
    return len(bytearray(5_000_000))


def work():
    # expect: total.peak_bytes>=5000001
    sizes.append(descend(DEPTH))  # memray: as above
    # expect: self.allocated_bytes=1000000+1 self.temporary_count=1
    sizes.append(len(bytearray(1_000_000)))


sys.setrecursionlimit(DEPTH + 100)
threading.stack_size(512 << 20)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(sizes)
