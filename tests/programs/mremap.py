"""A mapping that grows and shrinks with mremap: it is at any time as large as its last size."""

import mmap

import settle  # noqa: F401

MIB = 1 << 20


def main():
    # expect: self.max_bytes=1048576 self.peak_bytes=0 self.leaked_bytes=0
    region = mmap.mmap(-1, MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # expect: self.max_bytes=9437184 self.peak_bytes=9437184 self.allocated_count=1
    # expect: self.leaked_bytes=0
    region.resize(9 * MIB)
    # expect: self.peak_bytes=2000000+1
    anchor = bytearray(2_000_000)
    # expect: self.max_bytes=3145728 self.peak_bytes=0 self.leaked_bytes=3145728
    region.resize(3 * MIB)
    return region, len(anchor)


kept = main()
print(kept[1])
# memray: keeps the first size, because it does not know mremap
