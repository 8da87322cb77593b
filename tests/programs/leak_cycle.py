"""An observer list that refers to itself, with the collector switched off: lost until the end."""

import gc

import settle  # noqa: F401


class Observer:
    def __init__(self, size):
        self.peers = [self]
        # expect: self.leaked_bytes=11000000+1 self.leaked_count=1 self.peak_bytes=11000000+1
        self.cache = bytearray(size)


def subscribe():
    # expect: total.leaked_bytes~11000001
    Observer(11_000_000)


def collected():
    # expect: self.leaked_bytes=0 self.leaked_count=0 self.max_bytes=4000000+1
    cycle = [bytearray(4_000_000)]
    cycle.append(cycle)


def main():
    collected()
    gc.collect()
    gc.disable()
    subscribe()


main()
