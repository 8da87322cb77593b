"""What is live at the end: blocks that were kept among others that were not, by one line and by several threads."""

import ctypes
import threading

import settle  # noqa: F401
from libc import load

c = load("libc.so.6")


def middle():
    # expect: self.leaked_bytes=0 self.allocated_count=2 self.max_bytes=102400
    c.free(c.malloc(102_400)), c.free(c.malloc(102_400))
    # expect: self.leaked_bytes=204800 self.leaked_count=1
    c.malloc(204_800)
    # expect: self.leaked_bytes=0 self.allocated_count=1
    c.free(c.malloc(102_400))


def often():
    # expect: self.leaked_bytes=1024000 self.leaked_count=10 self.peak_count=10
    c.valloc(102_400)


def lines():
    # expect: self.leaked_bytes=102401 self.leaked_count=1
    c.valloc(102_401)
    # expect: self.leaked_bytes=204801 self.leaked_count=1
    c.valloc(204_801)


def in_thread():
    slot = ctypes.c_void_p()
    for _ in range(2):
        # expect: self.leaked_bytes=819200 self.leaked_count=4
        c.posix_memalign(ctypes.byref(slot), 64, 204_800)


def main():
    middle()
    for _ in range(10):
        often()
    # expect: total.leaked_bytes~307202
    lines()
    threads = [threading.Thread(target=in_thread) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
