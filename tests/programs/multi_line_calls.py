"""Calls spread over lines: each block belongs to the line on which its own call begins."""

import settle  # noqa: F401


def combine(*parts, tail):
    # expect: self.peak_bytes=10000000+1
    joined = bytearray(sum(len(part) for part in parts) + len(tail))
    return joined


def main():
    # expect: total.peak_bytes~10000001
    result = combine(
        bytearray(1_000_000),  # expect: self.peak_bytes=1000000+1 total.peak_bytes=1000000+1
        # expect: self.peak_bytes=2000000+1
        bytearray(
            2_000_000,
        ),
        *[
            bytearray(3_000_000),  # expect: self.peak_bytes=3000000+1
        ],
        tail=bytearray(  # expect: self.peak_bytes=4000000+1
            4_000_000
        ),
    )
    return len(result)


# expect: total.peak_bytes~20000005
print(main())
