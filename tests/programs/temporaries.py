"""Blocks that die at once, blocks that die one allocation later, and blocks that stay."""

import settle  # noqa: F401


def scratch():
    for _ in range(5):
        # expect: self.temporary_count=5 self.temporary_bytes=10000000+5 self.allocated_count=5
        # expect: self.allocated_bytes=10000000+5 self.max_bytes=2000000+1 self.peak_bytes=0
        # expect: self.leaked_count=0
        bytearray(2_000_000)


def pairs():
    for _ in range(3):
        # expect: self.temporary_count=0 self.temporary_bytes=0 self.allocated_count=3
        first = bytearray(1_000_000)
        # expect: self.temporary_count=3 self.temporary_bytes=6000000+3 self.allocated_count=3
        second = bytearray(2_000_000)
        del first
        del second


def stay():
    # expect: self.temporary_count=0 self.peak_bytes=8000000+1 self.allocated_count=1
    kept = bytearray(8_000_000)
    # expect: self.temporary_count=1 self.peak_bytes=1000000+1
    return len(kept), len(bytearray(1_000_000))


def main():
    # expect: total.temporary_count>=5 total.temporary_bytes~10000005
    scratch()
    # expect: total.temporary_bytes~6000003
    pairs()
    return stay()


print(main())
