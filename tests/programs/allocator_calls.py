"""Every allocator function of the C library, called once through the whole process's symbols."""

import ctypes

import settle  # noqa: F401
from libc import load

c = load(None)


def main():
    slot = ctypes.c_void_p()
    # expect: self.peak_bytes=1000003 self.peak_count=1 self.leaked_bytes=0
    blocks = [c.malloc(1_000_003)]
    # expect: self.peak_bytes=1000005 self.peak_count=1
    blocks += [c.calloc(5, 200_001)]
    # expect: self.peak_bytes=300007 self.peak_count=1
    blocks += [c.realloc(None, 300_007)]
    # expect: self.peak_bytes=400050 self.peak_count=1
    blocks += [c.reallocarray(None, 50, 8_001)]
    # expect: self.peak_bytes=500009 self.peak_count=1
    c.posix_memalign(ctypes.byref(slot), 64, 500_009)
    # expect: self.peak_bytes=614400 self.peak_count=1
    blocks += [c.aligned_alloc(4096, 614_400)]
    # expect: self.peak_bytes=700011 self.peak_count=1
    blocks += [c.memalign(256, 700_011)]
    # expect: self.peak_bytes=800013 self.peak_count=1
    blocks += [c.valloc(800_013)]
    # expect: self.peak_bytes=900017 self.peak_count=1
    blocks += [c.pvalloc(900_017)]
    for block in blocks + [slot.value]:
        # expect: self.allocated_bytes=0 self.allocated_count=0
        c.free(block)
    return len(blocks)


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
