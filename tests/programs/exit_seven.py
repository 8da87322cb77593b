"""A script that ends with its own exit code, out of a function whose frame still holds a block."""

import sys

import settle  # noqa: F401


def main():
    # expect: self.peak_bytes=2500000+1 self.allocated_count=1
    buffer = bytearray(2_500_000)
    sys.exit(len(buffer) // 2_500_000 + 6)


main()
# expect session: exit_code=7 complete=true
