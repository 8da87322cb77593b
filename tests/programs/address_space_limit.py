"""A program that limits its own address space finds as much room as without heaphint."""

import resource

import settle  # noqa: F401

LIMIT = 700 << 20


def fill():
    # expect: self.peak_bytes=524288000+1 self.allocated_count=1
    large = bytearray(500 << 20)
    try:
        # expect: self.allocated_count=0
        too_large = bytearray(300 << 20)
    except MemoryError:
        too_large = None
    return len(large), too_large


resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
print(fill())
