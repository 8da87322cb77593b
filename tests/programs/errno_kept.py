"""errno is what the C library left in it: unchanged by what succeeds, set by what fails."""

import ctypes
import mmap

import settle  # noqa: F401
from libc import PRIVATE_ANONYMOUS, READ_WRITE, load

HUGE = 1 << 62


def calls(c):
    slot = ctypes.c_void_p()
    yield "malloc", lambda: c.malloc(100_000)
    yield "calloc", lambda: c.calloc(10, 10_000)
    yield "realloc", lambda: c.realloc(None, 100_000)
    yield "aligned_alloc", lambda: c.aligned_alloc(64, 64_000)
    yield "valloc", lambda: c.valloc(100_000)
    yield "free", lambda: c.free(c.malloc(100_000))
    yield "free nothing", lambda: c.free(None)
    yield "mmap", lambda: c.mmap(None, mmap.PAGESIZE, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
    yield "malloc fails", lambda: c.malloc(HUGE)
    yield "calloc fails", lambda: c.calloc(HUGE, 16)
    yield "realloc fails", lambda: c.realloc(None, HUGE)
    yield "reallocarray fails", lambda: c.reallocarray(None, HUGE, 16)
    yield "memalign fails", lambda: c.memalign(64, HUGE)
    yield "mmap fails", lambda: c.mmap(None, mmap.PAGESIZE, READ_WRITE, PRIVATE_ANONYMOUS, 9_999, 0)
    yield "munmap fails", lambda: c.munmap(1, 1)
    # This one says what is wrong in its result and does not touch errno.
    yield "posix_memalign fails", lambda: print(c.posix_memalign(ctypes.byref(slot), 3, 100))


def main():
    for name in (None, "libc.so.6"):
        for label, call in calls(load(name)):
            ctypes.set_errno(77)
            result = call()
            print(name, label, ctypes.get_errno(), result is None or "value")


main()
# expect: self.peak_bytes=3000000+1
KEPT = bytearray(3_000_000)
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
