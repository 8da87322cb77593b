"""Reads files with tools that others have written, and prints what they say about stacks as JSON.

Usage: python readers.py FORMAT FILE [FORMAT FILE]...

The output has a list of rows for each file: `thread`, `allocator`, `frames` (function, file and line; the outermost first), `bytes`
and `count`. What a format does not hold is null.
"""

import csv
import json
import re
import sys


def row(frames, bytes, count=None, thread=None, allocator=None):
    return {
        "thread": thread,
        "allocator": allocator,
        "frames": [list(frame) for frame in frames],
        "bytes": bytes,
        "count": count,
    }


def memray_rows(path, figure):
    from memray import AllocatorType, FileReader

    with FileReader(path) as reader:
        if figure == "peak":
            records = reader.get_high_watermark_allocation_records(merge_threads=False)
        elif figure == "leaked":
            records = reader.get_leaked_allocation_records(merge_threads=False)
        else:
            # Memray counts how many other allocations a temporary one may outlive.
            threshold = int(figure.partition("=")[2] or 1) - 1
            records = reader.get_temporary_allocation_records(
                threshold=threshold, merge_threads=False
            )
        return [
            row(
                reversed(record.stack_trace()),
                record.size,
                record.n_allocations,
                record.tid,
                AllocatorType(record.allocator).name,
            )
            for record in records
        ]


def memray_stats(path):
    from memray._memray import compute_statistics

    stats = compute_statistics(path, num_largest=10**9)
    return {
        "peak": stats.peak_memory_allocated,
        "allocations": stats.total_num_allocations,
        "bytes": stats.total_memory_allocated,
        "allocators": stats.allocation_count_by_allocator,
        "sizes": {str(size): count for size, count in stats.allocation_count_by_size.items()},
        "by_size": dict_of(stats.top_locations_by_size),
        "by_count": dict_of(stats.top_locations_by_count),
        "start": str(stats.metadata.start_time),
        "end": str(stats.metadata.end_time),
        "command": stats.metadata.command_line,
        "pid": stats.metadata.pid,
        "allocator": stats.metadata.python_allocator,
        "records": stats.metadata.total_allocations,
    }


def dict_of(locations):
    return {
        f"{function}:{file}:{line}"
        if function != "<unknown>"
        else "<stack trace unavailable>": figure
        for (function, file, line), figure in locations
    }


def unescaped(text, separator):
    """Splits at separators without a backslash before them; the backslashes of the parts stay."""
    return re.findall(
        rf"(?:\\.|[^\\{re.escape(separator)}])+|(?<={re.escape(separator)})$", text, re.S
    )


def csv_rows(path):
    csv.field_size_limit(1 << 30)
    rows = []
    with open(path, newline="") as file:
        for entry in csv.DictReader(file):
            frames = []
            for frame in unescaped(entry["stack_trace"], "|"):
                parts = re.match(r"((?:\\.|[^\\;])*);((?:\\.|[^\\;])*);(\d+)$", frame, re.S)
                function, source, line = parts.groups()
                plain = [re.sub(r"\\(.)", r"\1", name, flags=re.S) for name in (function, source)]
                frames.append((*plain, int(line)))
            rows.append(
                row(
                    reversed(frames),
                    int(entry["size"]),
                    int(entry["num_allocations"]),
                    int(entry["tid"]),
                    entry["allocator"],
                )
            )
    return rows


def parquet_rows(path):
    import duckdb

    found = duckdb.sql(
        f"SELECT frames, peak_bytes, peak_count, tid, allocator FROM read_parquet('{path}') WHERE peak_count > 0"
    ).fetchall()
    return [
        row(
            [(frame["function"], frame["file"], frame["line"]) for frame in frames],
            bytes,
            count,
            tid,
            how,
        )
        for frames, bytes, count, tid, how in found
    ]


def speedscope_rows(path):
    with open(path) as file:
        document = json.load(file)
    memory, allocations = document["profiles"]
    frames = document["shared"]["frames"]
    counts = {tuple(stack): n for stack, n in zip(allocations["samples"], allocations["weights"])}
    weights = dict.fromkeys(counts, 0)
    weights.update({tuple(stack): n for stack, n in zip(memory["samples"], memory["weights"])})
    return [
        row(
            [
                (frames[at]["name"], frames[at].get("file", ""), frames[at].get("line", 0))
                for at in stack
            ],
            bytes,
            counts.get(stack, 0),
        )
        for stack, bytes in weights.items()
    ]


def gprof2dot_functions(format, path):
    """What gprof2dot makes of functions: name, module and the bytes they allocated themselves."""
    import gprof2dot

    parser = gprof2dot.JsonParser if format == "gprof2dot" else gprof2dot.CollapseParser
    with open(path, encoding="utf-8", newline="\n") as file:
        profile = parser(file).parse()
    return [
        row([(function.name, function.module or "", 0)], function[gprof2dot.SAMPLES])
        for function in profile.functions.values()
    ]


def events(path):
    """Sums of a table of events, under the names of Memray's statistics."""
    import duckdb

    table = f"read_parquet('{path}')"
    made = "FILTER (kind = 'allocate')"
    sums = f"count(*), count(*) {made}, sum(bytes) {made}, max(event) + 1 = count(*)"
    ((total, allocations, bytes, ordered),) = duckdb.sql(f"SELECT {sums} FROM {table}").fetchall()
    allocators = duckdb.sql(
        f"SELECT allocator, count(*) FROM {table} WHERE kind = 'allocate' GROUP BY allocator"
    )
    return {
        "records": total if ordered else None,
        "allocations": allocations,
        "bytes": int(bytes),
        "allocators": dict(allocators.fetchall()),
    }


def query(folder):
    """The query of the README, over all tables of a folder."""
    import duckdb
    from pathlib import Path

    readme = Path(__file__).parents[2] / "README.md"
    text = next(part for part in readme.read_text().split("```") if part.startswith("sql\n"))
    found = duckdb.sql(text.removeprefix("sql\n").replace("captures/", f"{folder}/"))
    return [dict(zip(found.columns, values)) for values in found.fetchall()]


def main(format, path):
    kind, _, figure = format.partition(":")
    if kind == "memray":
        return memray_rows(path, figure or "peak")
    if kind == "memray-stats":
        return memray_stats(path)
    if kind == "events":
        return events(path)
    if kind == "duckdb":
        return query(path)
    if kind in ("gprof2dot", "collapsed"):
        return gprof2dot_functions(kind, path)
    return {"csv": csv_rows, "parquet": parquet_rows, "speedscope": speedscope_rows}[kind](path)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    json.dump([main(*pair) for pair in zip(arguments[::2], arguments[1::2])], sys.stdout)
