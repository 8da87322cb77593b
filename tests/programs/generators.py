"""Chunks come from a generator, from a delegating one, and one is left suspended with its block."""

import settle  # noqa: F401


def chunks(count):
    for i in range(count):
        # expect: self.allocated_count=6 self.allocated_bytes=12000000+6 self.max_bytes=5000000+2
        # expect: self.leaked_bytes=0 self.peak_bytes=0
        chunk = bytearray(1_000_000 * (i + 1))
        yield chunk


def delegate(count):
    # expect: total.allocated_bytes~6000003 total.max_bytes~5000002
    yield from chunks(count)


def held():
    # expect: self.leaked_bytes=7000000+1 self.peak_bytes=7000000+1
    state = bytearray(7_000_000)
    yield len(state)
    yield 0


def consume():
    total = 0
    # expect: total.allocated_bytes~6000003 total.max_bytes~5000002
    for chunk in chunks(3):
        total += len(chunk)
    chunk = None
    # expect: total.allocated_bytes~6000003
    for chunk in delegate(3):
        total += len(chunk)
    return total


suspended = held()
print(consume())
# expect: total.leaked_bytes~7000001
print(next(suspended))
