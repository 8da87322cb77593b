"""A parent and two forked children, each with memory of its own."""

import os


def child(size):
    block = bytearray(size)
    return len(block)


def main():
    pids = []
    for size in (2_000_000, 3_000_000):
        pid = os.fork()
        if pid == 0:
            child(size)
            os._exit(0)
        pids.append(pid)
    block = bytearray(5_000_000)
    for pid in pids:
        os.waitpid(pid, 0)
    return len(block)


main()
