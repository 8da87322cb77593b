"""Daemon threads still allocate while the interpreter shuts down under them."""

import threading
import time
import zlib

import settle  # noqa: F401

started = threading.Barrier(5)


def churn():
    data = bytes(range(256)) * 400
    started.wait()
    while True:
        # expect: self.allocated_count>=4 self.allocated_bytes>=400000
        bytearray(100_000)
        zlib.compress(data, 1)


def main():
    for number in range(4):
        threading.Thread(target=churn, name=f"daemon-{number}", daemon=True).start()
    started.wait()
    time.sleep(0.1)
    # expect: self.leaked_bytes=9000000+1 self.max_bytes=9000000+1 self.allocated_count=1
    return bytearray(9_000_000)


KEPT = main()
print(len(KEPT))
# expect session: exit_code=0
# unsteady: CPython, seen with 3.10, now and then crashes when daemon threads outlive it
