"""One call of every allocator function, each on its own line, through the oracle extension."""

import oracle
import settle  # noqa: F401

HUGE = 1 << 62
PAGES = 1 << 20
kept = []


def keep(result):
    block, errno = result
    assert block and errno == 77, result
    kept.append(block)
    return block


def succeeds():
    # expect: self.peak_bytes=100003 self.allocated_count=1 self.leaked_bytes=100003
    keep(oracle.call("malloc", 0, 100_003))
    # expect: self.peak_bytes=100035 self.allocated_count=1
    keep(oracle.call("calloc", 0, 3, 33_345))
    # expect: self.peak_bytes=110001 self.allocated_count=1
    keep(oracle.call("realloc", 0, 110_001))
    # expect: self.peak_bytes=120006 self.allocated_count=1
    keep(oracle.call("reallocarray", 0, 6, 20_001))
    # expect: self.peak_bytes=130007 self.allocated_count=1
    keep(oracle.call("posix_memalign", 0, 64, 130_007))
    # expect: self.peak_bytes=140032 self.allocated_count=1
    keep(oracle.call("aligned_alloc", 0, 32, 140_032))
    # expect: self.peak_bytes=150001 self.allocated_count=1
    keep(oracle.call("memalign", 0, 4096, 150_001))
    # expect: self.peak_bytes=160001 self.allocated_count=1
    keep(oracle.call("valloc", 0, 160_001))
    # expect: self.peak_bytes=170001 self.allocated_count=1
    keep(oracle.call("pvalloc", 0, 170_001))


def moves():
    # expect: self.max_bytes=200000 self.peak_bytes=0 self.allocated_count=1 self.temporary_count=1
    block, _ = oracle.call("malloc", 0, 200_000)
    # expect: self.max_bytes=300000 self.peak_bytes=0 self.allocated_count=1
    block, errno = oracle.call("realloc", block, 300_000)
    # expect: self.peak_bytes=400000 self.allocated_count=1
    keep(oracle.call("reallocarray", block, 4, 100_000))


def mappings():
    # expect: self.max_bytes=1048576 self.peak_bytes=524288 self.allocated_count=1
    first = keep(oracle.call("mmap", 0, PAGES, 0))
    # expect: self.max_bytes=2097152 self.peak_bytes=0 self.allocated_count=1
    second, _ = oracle.call("mmap64", 0, 2 * PAGES, 0)
    # expect: self.allocated_count=0
    assert oracle.call("munmap", first, PAGES // 2) == (0, 77)
    # expect: self.peak_bytes=5242880 self.allocated_count=1 self.max_bytes=5242880
    keep(oracle.call("mremap", second, 2 * PAGES, 5 * PAGES))
    # A length that is no multiple of a page is recorded as it was asked for.
    # expect: self.peak_bytes=12345 self.allocated_count=1
    keep(oracle.call("mmap", 0, 12_345, 0))
    # A length that is no multiple of a page frees whole pages.
    # expect: self.max_bytes=54321 self.peak_bytes=0
    odd, _ = oracle.call("mmap", 0, 54_321, 0)
    assert oracle.call("munmap", odd, 54_321) == (0, 77)


def pointers():
    # expect: self.peak_bytes=210001 self.allocated_count=1
    keep(oracle.call("dlsym(RTLD_DEFAULT) malloc", 0, 210_001))
    # Who asks for the next one wants to stand in the chain himself, and gets the next one.
    # expect: self.allocated_count<=1 self.peak_bytes<=220001
    keep(oracle.call("dlsym(RTLD_NEXT) malloc", 0, 220_001))
    # expect: self.peak_bytes=230001 self.allocated_count=1
    keep(oracle.call("dlsym(libc) malloc", 0, 230_001))
    # expect: self.peak_bytes=240006 self.allocated_count=1
    keep(oracle.call("dlsym(libc) calloc", 0, 3, 80_002))
    # expect: self.max_bytes=250001 self.peak_bytes=0 self.allocated_count=1
    block, _ = oracle.call("dlsym(libc) realloc", 0, 250_001)
    # expect: self.allocated_count=0
    oracle.call("dlsym(libc) free", block)
    # expect: self.peak_bytes=262144 self.allocated_count=1
    keep(oracle.call("dlsym(libc) mmap", 0, 262_144))


def frees():
    # expect: self.max_bytes=310001 self.peak_bytes=0 self.temporary_count=1
    block, _ = oracle.call("malloc", 0, 310_001)
    # expect: self.allocated_count=0
    assert oracle.call("free", block) == (0, 77)
    assert oracle.call("free", 0) == (0, 77)
    if oracle.has("free_sized"):
        block, _ = oracle.call("malloc", 0, 320_001)
        # expect: self.allocated_count=0
        assert oracle.call("free_sized", block, 320_001) == (0, 77)
        block, _ = oracle.call("aligned_alloc", 0, 64, 320_064)
        # expect: self.allocated_count=0
        assert oracle.call("free_aligned_sized", block, 64, 320_064) == (0, 77)


def fails():
    for kind, a, b in (
        ("malloc", HUGE, 0),
        ("calloc", HUGE, 16),
        ("realloc", HUGE, 0),
        ("reallocarray", HUGE, 16),
        ("aligned_alloc", 64, HUGE),
        ("memalign", 64, HUGE),
        ("valloc", HUGE, 0),
        ("pvalloc", HUGE, 0),
        ("mmap", HUGE, 0),
    ):
        # expect: self.allocated_count=0
        result = oracle.call(kind, 0, a, b)
        assert result == (0, 12), (kind, result)
    # posix_memalign says so in its result; errno is nobody's business.
    # expect: self.allocated_count=0
    assert oracle.call("posix_memalign", 0, 3, 100)[0] == 0
    # expect: self.allocated_count=0
    assert oracle.call("munmap", 1, 1)[1] == 22


def main():
    succeeds()
    moves()
    mappings()
    pointers()
    frees()
    fails()
    # expect: self.peak_bytes=30000000+1
    anchor = bytearray(30_000_000)
    return len(kept), len(anchor)


print(main())
# expect session: peak_bytes>=38000000
