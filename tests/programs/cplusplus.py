"""The operators of C++, which call the C library's allocator; and a vector's growth, written out."""

import ctypes

import settle  # noqa: F401

library = ctypes.CDLL("libstdc++.so.6")


def main():
    new, aligned, delete = library._Znwm, library._ZnwmSt11align_val_t, library._ZdlPv
    new.restype = aligned.restype = ctypes.c_void_p
    new.argtypes, aligned.argtypes = [ctypes.c_size_t], [ctypes.c_size_t, ctypes.c_size_t]
    delete.argtypes, delete.restype = [ctypes.c_void_p], None
    # expect: self.peak_bytes=984000 self.peak_count=1 self.leaked_bytes=0
    block = new(984_000)
    # expect: self.peak_bytes=984064 self.peak_count=1 self.leaked_bytes=0
    other = aligned(984_064, 64)
    # expect: self.peak_bytes=20000000+1
    anchor = bytearray(20_000_000)
    delete(block)
    library._ZdlPvSt11align_val_t(ctypes.c_void_p(other), ctypes.c_size_t(64))
    block = None
    for step in range(10):
        old = block
        # A block is freed after the next one was made, so none is temporary but the last.
        # expect: self.allocated_count=10 self.allocated_bytes=1023000 self.temporary_count=1
        # expect: self.temporary_bytes=512000 self.max_bytes=768000
        block = new(1_000 << step)
        delete(old)
    delete(block)
    return len(anchor)


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
