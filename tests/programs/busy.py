"""Work of every kind for the kill tests: peaks, reallocs, partial unmaps, recursion, threads.

Usage: python busy.py SEED ROUNDS THREADS
"""

import ctypes
import random
import sys
import threading
from mmap import PAGESIZE

c = ctypes.CDLL(None)
c.malloc.restype = c.realloc.restype = c.mmap.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
c.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
c.free.argtypes = [ctypes.c_void_p]
c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def blocks(dice, held):
    held.append(bytearray(dice.randrange(600, 50_000)))
    if len(held) > 20:
        del held[dice.randrange(len(held))]


def deep(dice, held, depth):
    own = bytearray(dice.randrange(600, 5_000))
    if depth:
        deep(dice, held, depth - 1)
    else:
        blocks(dice, held)
    return len(own)


def reallocs(dice):
    block = c.malloc(dice.randrange(1_000, 9_000))
    for _ in range(dice.randrange(1, 5)):
        block = c.realloc(block, dice.randrange(1_000, 90_000))
    c.free(block)


def mappings(dice):
    base = c.mmap(None, 12 * PAGESIZE, 3, 0x22, -1, 0)
    order = list(range(0, 12, 3))
    dice.shuffle(order)
    for page in order:
        c.munmap(base + page * PAGESIZE, 3 * PAGESIZE)


def compiled(dice):
    scope = {}
    exec(
        compile(
            f"\n\nkept = bytearray({dice.randrange(600, 9_000)})",
            f"<piece {dice.random()}>",
            "exec",
        ),
        scope,
    )


def waves(dice, held):
    # Each second wave is exactly as high as the one before.
    for _ in range(2):
        wave = [bytearray(10_000) for _ in range(8)]
        wave.clear()
    held.append(dice.random())


def work(seed, rounds):
    dice = random.Random(seed)
    held = []
    for _ in range(rounds):
        dice.choice(
            [
                lambda: blocks(dice, held),
                lambda: deep(dice, held, dice.randrange(12)),
                lambda: reallocs(dice),
                lambda: mappings(dice),
                lambda: compiled(dice),
                lambda: waves(dice, held),
            ]
        )()


def main(seed, rounds, threads):
    workers = [threading.Thread(target=work, args=(seed + i, rounds)) for i in range(threads)]
    for worker in workers:
        worker.start()
    if not workers:
        work(seed, rounds)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
