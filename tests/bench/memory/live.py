"""A million allocations that are alive at once, each big enough to come from malloc."""

import sys

COUNT = 1_000_000
PAYLOAD = 520 - sys.getsizeof(b"")

blocks = [bytes(PAYLOAD) for _ in range(COUNT)]
