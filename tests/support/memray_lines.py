"""Prints what a Memray capture says about lines, in the shape of `heaphint lines --json`.

Usage: python memray_lines.py CAPTURE

Peak, leaked and temporary figures are Memray's own reports. Memray has no report of a line's own
maximum nor of everything it ever allocated: those two come from its event stream. The figures
`large_..._bytes` leave out stacks whose blocks are smaller than 10 kB on average.
"""

import json
import sys

from memray import AllocatorType, FileReader

LARGE = 10_000
FREES = (AllocatorType.FREE, AllocatorType.MUNMAP)


class Lines:
    def __init__(self):
        self.figures = {}

    def of(self, stack):
        """The figures a block on this stack counts in: one line's self, each line's total once."""
        if stack:
            function, path, line = stack[0]
            yield self.entry(path, line, function)["self"]
        for path, line, function in {
            (path, line, None): (path, line, function) for function, path, line in stack
        }.values():
            yield self.entry(path, line, function)["total"]

    def entry(self, path, line, function):
        if (path, line) not in self.figures:
            self.figures[path, line] = {
                "line": line,
                "function": function,
                "self": zero(),
                "total": zero(),
            }
        return self.figures[path, line]

    def add(self, kind, records):
        for record in records:
            for figures in self.of(record.stack_trace()):
                figures[f"{kind}_bytes"] += record.size
                figures[f"{kind}_count"] += record.n_allocations
                if record.size >= LARGE * record.n_allocations:
                    figures[f"large_{kind}_bytes"] = (
                        figures.get(f"large_{kind}_bytes", 0) + record.size
                    )

    def replay(self, records):
        live, bytes_of = {}, {}
        for record in records:
            freed = live.pop(record.address, None)
            if freed is not None:
                size, stack = freed
                for figures in self.of(stack):
                    bytes_of[id(figures)] -= size
            if record.allocator in FREES:
                continue
            stack = record.stack_trace()
            live[record.address] = record.size, stack
            for figures in self.of(stack):
                figures["allocated_bytes"] += record.size
                figures["allocated_count"] += 1
                bytes_of[id(figures)] = bytes_of.get(id(figures), 0) + record.size
                figures["max_bytes"] = max(figures["max_bytes"], bytes_of[id(figures)])

    def document(self):
        files = {}
        for (path, _), entry in sorted(self.figures.items()):
            files.setdefault(path, []).append(entry)
        return {
            "schema": 1,
            "files": [{"path": path, "lines": lines} for path, lines in files.items()],
        }


def zero():
    kinds = (
        "peak_bytes",
        "peak_count",
        "max_bytes",
        "allocated_bytes",
        "allocated_count",
        "leaked_bytes",
    )
    return dict.fromkeys(kinds + ("leaked_count", "temporary_bytes", "temporary_count"), 0)


def main(capture):
    lines = Lines()
    reader = FileReader(capture)
    lines.add("peak", reader.get_high_watermark_allocation_records(merge_threads=False))
    lines.add("leaked", reader.get_leaked_allocation_records(merge_threads=False))
    lines.add(
        "temporary", reader.get_temporary_allocation_records(threshold=0, merge_threads=False)
    )
    lines.replay(reader.get_allocation_records())
    json.dump(lines.document(), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
