"""Compares the tracer's walk of the calling thread's stack with ``sys._getframe``.

For scripts that load a tracer built with the feature ``frame-oracle``: ``load`` it, ``prove`` its self test, and ``compare``
wherever a stack is interesting. What differs is in ``failures``.
"""

import ctypes
import sys
import time

CAPACITY = 512


class Entry(ctypes.Structure):
    _fields_ = [("code", ctypes.c_size_t), ("line", ctypes.c_size_t)]


with_gil = None
without_gil = None
stacks = 0
frames = 0
failures = []
described = {}
getframe = sys._getframe


def load(path):
    global with_gil, without_gil
    with_gil, without_gil = ctypes.PyDLL(path), ctypes.CDLL(path)
    size, text = ctypes.c_size_t, ctypes.c_char_p
    for library in (with_gil, without_gil):
        declare(library.heaphint_oracle_walk, size, ctypes.POINTER(Entry), size)
    declare(with_gil.heaphint_oracle_describe, size, size, text, size)
    declare(with_gil.heaphint_oracle_thread_name, size, text, size)
    declare(with_gil.heaphint_oracle_refusal, size, text, size)
    declare(with_gil.heaphint_oracle_compared_stacks, size)
    declare(with_gil.heaphint_oracle_compared_frames, size)
    declare(with_gil.heaphint_oracle_marks, ctypes.c_bool)
    declare(with_gil.heaphint_oracle_deaths, size, ctypes.POINTER(size))


def declare(function, result, *arguments):
    function.restype = result
    function.argtypes = arguments


def prove():
    """Waits for the self test, and ends the process if it fails."""
    for _ in range(1000):
        state = with_gil.heaphint_oracle_event()
        if state != 1:
            break
        time.sleep(0.001)
    if state != 2:
        out = ctypes.create_string_buffer(1000)
        length = with_gil.heaphint_oracle_refusal(out, 1000)
        sys.exit(f"state {state}: {out.raw[:length].decode()}")


def shown(text):
    """The text with lone surrogates replaced, as the tracer writes it."""
    return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)


def describe(code):
    out = ctypes.create_string_buffer(8192)
    length = with_gil.heaphint_oracle_describe(id(code), out, 8192)
    name, _, file = out.raw[:length].decode().partition("\n")
    return name, file


def line_of(frame):
    if sys.version_info < (3, 10) and frame.f_trace is not None:
        # Before 3.10 a frame that was traced once shows the line where it was traced last.
        return ctypes.pythonapi.PyCode_Addr2Line(ctypes.py_object(frame.f_code), frame.f_lasti)
    return frame.f_lineno or 0


def compare(keep_gil=True):
    """Compares this thread's stack. The innermost frame's line moves on between the two walks and is left out."""
    global stacks, frames
    # One of its own: a trace function or a finalizer may compare in the middle of this.
    buffer = (Entry * CAPACITY)()
    walk = with_gil.heaphint_oracle_walk if keep_gil else without_gil.heaphint_oracle_walk
    count, frame = walk(buffer, CAPACITY), getframe()
    index = 0
    while frame is not None:
        code = frame.f_code
        entry = buffer[index]
        line = entry.line if index == 0 else line_of(frame)
        if index >= count or (entry.code, entry.line) != (id(code), line):
            failures.append((code, index, count, entry.code == id(code), entry.line, line))
            return
        if described.get(id(code)) is not code:
            described[id(code)] = code
            name = getattr(code, "co_qualname", code.co_name)
            if describe(code) != (shown(name), shown(code.co_filename)):
                failures.append((code, describe(code)))
        index += 1
        frame = frame.f_back
    if index != count:
        failures.append(("frames too many", index, count))
    stacks += 1
    frames += index


def finish(remembered, note):
    """Prints what was compared; the exit code. Where the tracer traces the process, it has compared the stack of every
    allocation with one for which it has read all frames: at least ``remembered`` of them."""
    compared = with_gil.heaphint_oracle_compared_stacks()
    if remembered and (compared < remembered or not with_gil.heaphint_oracle_marks()):
        failures.append(("remembered stacks", compared, with_gil.heaphint_oracle_marks()))
    for failure in failures[:5]:
        print("differs:", failure)
    version = "%d.%d.%d" % sys.version_info[:3]
    print(
        f"{version}: {stacks} stacks, {frames} frames, {note}, "
        f"{compared} remembered stacks with {with_gil.heaphint_oracle_compared_frames()} frames, "
        f"{len(failures)} differences"
    )
    return 1 if failures else 0
