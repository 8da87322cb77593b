"""A bit of everything that the page shows: threads, recursion, temporaries, imports, and what stays."""

import json
import threading

kept = []


def leak(size):
    kept.append(bytearray(size))


def temporary(times):
    total = 0
    for _ in range(times):
        total += len(bytearray(10_000))
    return total


def recurse(depth):
    if depth == 0:
        return [bytearray(300_000)]
    return recurse(depth - 1)


def work(size):
    buffer = bytearray(size)
    leak(size // 2)
    return len(buffer)


def main():
    workers = [
        threading.Thread(target=work, args=(n * 1_000_000,), name=f"worker-{n}") for n in (1, 2, 3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    leak(4_000_000)
    held = recurse(30)
    temporary(50)
    text = json.dumps([{"number": n} for n in range(20_000)])
    return len(held) + len(text)


print(main())
