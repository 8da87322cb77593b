"""Unmaps parts of mappings, meets much that is new to a tracer, and unmaps the whole mappings: prints what came into the gaps.

The gaps are too small for what Python and the C library ask the kernel for.
"""

import ctypes
from mmap import PAGESIZE

c = ctypes.CDLL(None)
c.mmap.restype = ctypes.c_void_p
c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
READ_WRITE, PRIVATE_ANONYMOUS, PAGES = 3, 0x22, 18

mappings = []
for _ in range(64):
    at = c.mmap(None, PAGES * PAGESIZE, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0)
    assert c.munmap(at + PAGESIZE, (PAGES - 2) * PAGESIZE) == 0
    mappings.append(at)

kept = []
for number in range(3000):
    code = compile(
        f"def piece():\n    kept.append(bytearray({600 + number}))\n", f"piece_{number}.py", "exec"
    )
    exec(code)
    piece()

found = []
with open("/proc/self/maps") as maps:
    for line in maps:
        start, end = (int(word, 16) for word in line.split()[0].split("-"))
        found += [
            line for at in mappings if start < at + (PAGES - 1) * PAGESIZE and end > at + PAGESIZE
        ]
print(len(found), "mappings in gaps", *found)
for at in mappings:
    assert c.munmap(at, PAGES * PAGESIZE) == 0
print(sum(map(len, kept)))
