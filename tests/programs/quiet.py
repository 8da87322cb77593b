"""Holds memory while nothing is allocated."""

import time

block = bytearray(20_000_000)  # expect: self.peak_bytes~20000001
time.sleep(0.5)
