"""Holds 20 MiB for a minute, so that somebody can cancel it."""

import time

rows = bytearray(20 * 1024 * 1024)
time.sleep(60)
