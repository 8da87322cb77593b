"""The later of two runs of one program.

Against `earlier.py`, every line has moved, `load` keeps 2 MB more, `parse` keeps 6 MB less, `old_cache` with its 3 MB
is gone, and `index` with 2.5 MB is new.
"""

LOADED = 6
PARSED = 1
INDEXED = 2_500_000


def keep(size):
    return bytearray(size)


def load():
    return [keep(1_000_000) for _ in range(LOADED)]


def parse():
    return [keep(2_000_000) for _ in range(PARSED)]


def index():
    return keep(INDEXED)


def main():
    held = []
    held += load()
    held += parse()
    held.append(index())
    held.append(keep(500_000))
    return held


if __name__ == "__main__":
    main()
