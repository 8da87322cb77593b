"""Allocates on lines whose figures are known exactly, from small blocks to large ones. Run with --sample."""

KIB = 1024


def small():
    return [bytearray(2 * KIB) for _ in range(30_000)]


def medium():
    return [bytearray(300 * KIB) for _ in range(100)]


def large():
    return [bytearray(5000 * KIB) for _ in range(6)]


def passing():
    for _ in range(60_000):
        bytearray(3 * KIB)


kept = [small(), medium(), large()]
passing()
gone = large()
del gone
