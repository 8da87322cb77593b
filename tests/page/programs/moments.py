"""Holds most at its beginning, and something else at its end."""

import time

early = bytearray(8_000_000)
time.sleep(0.3)
del early
time.sleep(0.3)
late = bytearray(3_000_000)
time.sleep(0.3)
