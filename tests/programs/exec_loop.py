"""A template engine that compiles, runs and drops code, whose memory is then used again.

Every piece has its own file name and its own size; none may appear under the name of another.
"""

import settle  # noqa: F401

kept = []


def render(number):
    source = (
        f"def make_{number}(keep):\n    keep(bytearray({20_000 + number}))\nmake_{number}(keep)\n"
    )
    # expect: total.peak_bytes>=4020100
    exec(compile(source, f"<template {number}>", "exec"), {"keep": kept.append})


def main():
    for number in range(200):
        # expect: total.peak_bytes>=4020100
        render(number)
    # expect: self.peak_bytes=1000000+1
    return len(bytearray(1_000_000))


main()
# expect file "<template 0>" line 2: self.peak_bytes=20000+1 self.peak_count=1
# expect file "<template 0>" line 3: total.peak_bytes~20001
# expect file "<template 7>" line 2: self.peak_bytes=20007+1 self.peak_count=1
# expect file "<template 100>" line 2: self.peak_bytes=20100+1 self.peak_count=1
# expect file "<template 199>" line 2: self.peak_bytes=20199+1 self.peak_count=1
