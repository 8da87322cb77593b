"""Coroutines: the buffer belongs to the coroutine that made it, under everybody who awaits it."""

import asyncio

import settle  # noqa: F401


async def fetch(size):
    await asyncio.sleep(0)
    # expect: self.peak_bytes=9000000+3 self.peak_count=3 self.max_bytes=9000000+3
    # expect: self.allocated_count=3
    body = bytearray(size)
    await asyncio.sleep(0)
    return body


async def session(size):
    # expect: total.peak_bytes~9000003 total.max_bytes~9000003
    return await fetch(size)


async def stream(count):
    for _ in range(count):
        # expect: self.allocated_count=4 self.max_bytes=500000+1 self.peak_bytes=500000+1
        # expect: self.leaked_bytes=0
        yield len(bytearray(500_000))


async def main():
    bodies = await asyncio.gather(session(2_000_000), session(3_000_000), session(4_000_000))
    total = sum(len(body) for body in bodies)
    # expect: total.allocated_bytes~2000004
    async for size in stream(4):
        total += size
    return total


# expect: total.peak_bytes>=9000003
print(asyncio.run(main()))
