"""Bytes for stdout and stderr, in one order, of every value, with and without a line end."""

import os
import sys

import settle  # noqa: F401

for number in range(50):
    os.write(1, b"out %d\n" % number)
    os.write(2, b"err %d\n" % number)
# expect: self.peak_bytes=0 self.max_bytes=3000033 self.leaked_bytes=0
os.write(1, bytes(3_000_000)[:100])
sys.stdout.buffer.write(bytes(range(256)) * 40)
sys.stdout.flush()
sys.stderr.write("no line end")
sys.stderr.flush()
# expect: self.peak_bytes=4000000+1
KEPT = bytearray(4_000_000)
print(sys.stdin.read())
