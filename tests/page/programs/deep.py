"""A stack tree of some 200,000 nodes: random call graphs, each end of which keeps a block."""

import random
import sys

WANTED = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
FUNCTIONS = 300
LINES = 4

# Functions that call what they are told, each from a line of its own, so that callers differ by line, too.
source = "".join(
    f"def part_{number}(calls, at, kept):\n"
    + "".join(
        f"    if calls[at][1] == {line}:\n        step(calls, at + 1, kept)\n"
        for line in range(LINES)
    )
    for number in range(FUNCTIONS)
)


def step(calls, at, kept):
    if at == len(calls):
        kept.append(bytearray(random.randrange(500, 20_000)))
    else:
        parts[calls[at][0]](calls, at, kept)


space = {"step": step}
exec(compile(source, "parts.py", "exec"), space)
parts = [space[f"part_{number}"] for number in range(FUNCTIONS)]


def main():
    random.seed(7)
    kept = []
    paths = [[]]
    nodes = 0
    while nodes < WANTED:
        # A new end somewhere on a path that is there: most ends share most of their callers.
        path = random.choice(paths)
        calls = path[: random.randint(0, len(path))]
        more = random.randint(1, 12)
        calls += [(random.randrange(FUNCTIONS), random.randrange(LINES)) for _ in range(more)]
        nodes += 2 * more
        paths.append(calls)
        step(calls, 0, kept)
    return kept


if __name__ == "__main__":
    main()
