"""Destructors, context managers and weak references: code that runs where no call is written."""

import contextlib
import weakref

import settle  # noqa: F401

log = []


class Handle:
    def __del__(self):
        # expect: self.allocated_count=2 self.max_bytes=4000000+2 self.peak_bytes=4000000+2
        log.append(bytearray(2_000_000))


@contextlib.contextmanager
def buffer(size):
    # expect: self.max_bytes=3000000+1 self.allocated_count=1 self.leaked_bytes=0 self.peak_bytes=0
    block = bytearray(size)
    yield len(block)


def gone(reference):
    # expect: self.allocated_count=1 self.peak_bytes=600000+1 self.leaked_bytes=600000+1
    log.append(bytearray(600_000))


def main():
    handle = Handle()
    # expect: total.allocated_bytes~2000001
    del handle
    handle = Handle()
    # expect: total.allocated_bytes~2000001
    handle = Handle
    # expect: total.allocated_bytes~3000001 total.leaked_bytes~0
    with buffer(3_000_000) as size:
        log.append(size)
    target = {1, 2, 3}
    watch = weakref.ref(target, gone)
    # expect: total.allocated_bytes~600001
    target = None
    # expect: self.peak_bytes=5000000+1
    return len(bytearray(5_000_000)), handle.__name__, watch() is target


print(main())
