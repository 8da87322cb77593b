"""A list and a byte string that grow piece by piece; each growth is an allocation of the whole."""

import settle  # noqa: F401


def collect(count):
    items = []
    for _ in range(count):
        # expect: self.peak_bytes=800928 self.peak_count=1 self.max_bytes=800928 self.leaked_bytes=0
        items.append(None)
    # expect: self.peak_bytes=1000000+1
    return items, bytearray(1_000_000)


def concatenate(count):
    text = bytearray()
    piece = b"x" * 20_000
    for _ in range(count):
        # expect: self.allocated_count>=6 self.max_bytes>=400001 self.max_bytes<=450006+1
        # expect: self.peak_bytes=0
        text += piece
    return len(text)


print(concatenate(20))
print(len(collect(100_000)))
