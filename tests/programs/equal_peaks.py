"""Two stages need exactly the same; of equal peaks the last one is the peak."""

import settle  # noqa: F401


def first_stage(size):
    # expect: self.peak_bytes=0 self.max_bytes=20000000+1 self.allocated_bytes=20010000+2
    return len(bytearray(size))


def second_stage(size):
    # expect: self.peak_bytes=20000000+1 self.max_bytes=20000000+1 self.allocated_bytes=20010000+2
    return len(bytearray(size))


def main():
    # The small calls make whatever the interpreter keeps after the first call of a function.
    total = first_stage(10_000) + second_stage(10_000)
    # expect: total.peak_bytes=0
    total += first_stage(20_000_000)
    # expect: total.peak_bytes=20000000+1
    total += second_stage(20_000_000)
    return total


print(main())
