"""Two threads in turns: what another thread allocates in between makes nothing less temporary."""

import threading
import time

import settle  # noqa: F401
from libc import load

c = load("libc.so.6")
steps = [0, 0]


def step(me):
    """Waits for the other thread, without an object of the interpreter that would need memory."""
    steps[me] += 1
    while steps[1 - me] < steps[me]:
        time.sleep(0)


def work(me):
    for _ in range(5):
        # expect: self.allocated_count=10 self.temporary_count=10 self.temporary_bytes=1234000
        # expect: self.max_bytes=246800 self.leaked_count=0
        block = c.malloc(123_400)
        step(me)
        c.free(block)
        step(me)


def make():
    # expect: self.temporary_count=1 self.temporary_bytes=345600 self.allocated_count=1
    steps.append(c.malloc(345_600))
    step(0)
    step(0)


def free_it():
    """Frees what another thread has made, which has made nothing since."""
    step(1)
    c.free(steps[2])
    step(1)


def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


together(lambda: work(0), lambda: work(1))
together(make, free_it)
# expect: self.peak_bytes=5000000+1
print(len(bytearray(5_000_000)))
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
