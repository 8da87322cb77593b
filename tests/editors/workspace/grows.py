"""Holds 20 MiB more every second, until somebody cancels it."""

import time


def grow():
    return bytearray(20 * 1024 * 1024)


rows = []
for _ in range(40):
    rows.append(grow())
    time.sleep(1)
