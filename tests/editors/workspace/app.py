"""Holds 48 MiB in one line and 32 MiB for a moment in another."""


def load():
    rows = bytearray(48 * 1024 * 1024)
    return rows


def scratch():
    block = bytearray(32 * 1024 * 1024)
    return len(block)


def main():
    rows = load()
    print(len(rows), scratch())


if __name__ == "__main__":
    main()
