"""The program switches profile functions off; stacks must not depend on them."""

import sys
import threading

import settle  # noqa: F401


def before():
    # expect: self.peak_bytes=2000000+1 total.peak_bytes=2000000+1
    return bytearray(2_000_000)


def after():
    # expect: self.peak_bytes=3000000+1 total.peak_bytes=3000000+1
    return bytearray(3_000_000)


def main():
    # expect: total.peak_bytes~2000001
    first = before()
    sys.setprofile(None)
    threading.setprofile(None)
    # expect: total.peak_bytes~3000001
    second = after()
    sys.setprofile(lambda frame, event, argument: None)
    # expect: self.peak_bytes=4000000+1
    third = bytearray(4_000_000)
    sys.setprofile(None)
    sys.settrace(lambda frame, event, argument: None)
    # expect: self.peak_bytes=5000000+1
    fourth = bytearray(5_000_000)
    sys.settrace(None)
    return len(first) + len(second) + len(third) + len(fourth)


# expect: total.peak_bytes>=14000004
print(main())
# memray: loses all stacks after sys.setprofile(None), because a profile function keeps them
