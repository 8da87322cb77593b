"""The earlier of two runs of one program; `later.py` says what became of it."""

LOADED = 4
PARSED = 4


def keep(size):
    return bytearray(size)


def old_cache():
    return keep(3_000_000)


def load():
    return [keep(1_000_000) for _ in range(LOADED)]


def parse():
    return [keep(2_000_000) for _ in range(PARSED)]


def main():
    held = []
    held.append(old_cache())
    held += load()
    held += parse()
    held.append(keep(500_000))
    return held


if __name__ == "__main__":
    main()
