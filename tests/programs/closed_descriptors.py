"""A daemon closes every descriptor it did not open itself; the capture goes on growing."""

import os

import settle  # noqa: F401

kept = []


def piece(number):
    source = (
        f"def make_{number}(keep):\n    keep(bytearray({1_000 + number}))\nmake_{number}(keep)\n"
    )
    exec(compile(source, f"<piece {number}>", "exec"), {"keep": kept.append})


os.closerange(3, 65_536)
for number in range(3_000):
    piece(number)
descriptor = os.open(os.devnull, os.O_RDONLY)
print(descriptor, len(kept))
# expect: self.peak_bytes~9000001
ANCHOR = bytearray(9_000_000)
# expect file "<piece 0>" line 2: self.peak_bytes~1001
# expect file "<piece 2999>" line 2: self.peak_bytes~4000
# memray: loses its file when the program closes the descriptor
