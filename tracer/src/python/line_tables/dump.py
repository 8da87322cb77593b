"""Print line tables of the running CPython with the lines that it reads out of them, for the tests of ``lines.rs``.

Usage: ``python3.11 dump.py > 3.11.txt``. One code object per line: first line, bytes of code, table in hexadecimal, and
``offset:line`` runs as ``PyCode_Addr2Line`` gives them (0 = no line).
"""

import contextlib
import ctypes
import functools
import sys
import threading
import types

MOST_CODES = 60

SOURCE = (
    '''
def decorated(a,
              b=1,
              *c):
    """doc"""
    try:
        x = [i
             for i in a
             if i]
    except ValueError as e:
        raise
    finally:
        b = (c,
             a)
    with a as q, b:
        return lambda: (
            q,
            x)
    while True:
        yield x; break
class K(
    object):
    z = 1
    def m(self): return super().m(
        1)
async def co(x):
    async for i in x:
        await i
    async with x:
        pass
def gap():
    x = 1
'''
    + "\n" * 300
    + """
    y = (x +
"""
    + "\n" * 200
    + """
    x)
    for _ in y:
        if _: continue
        del x
    return y
"""
)
MATCH = """
def m(x):
    match x:
        case {"a": [1, *_]}: return 1
        case K(z=1): pass
        case _:
            return 3
"""


def with_inner(code):
    """The code object and those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from with_inner(constant)


def of_module(module):
    """Every sixth function and method that the module defines."""
    functions = []
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) else [value]
        functions += [it.__code__ for it in members if isinstance(it, types.FunctionType)]
    return [code for code in functions if code.co_filename.endswith(module.__name__ + ".py")][::6]


def runs(code):
    """Where the line changes, by the interpreter's own account."""
    line_at = ctypes.pythonapi.PyCode_Addr2Line
    line_at.argtypes = [ctypes.py_object, ctypes.c_int]
    found = []
    for offset in range(-2, len(code.co_code), 2):
        line = max(line_at(code, offset), 0)
        if not found or found[-1][1] != line:
            found.append((offset, line))
    return ",".join(f"{offset}:{line}" for offset, line in found)


def main():
    codes = list(with_inner(compile(SOURCE + (MATCH if sys.version_info >= (3, 10) else ""), "x", "exec")))
    for module in (contextlib, functools, threading):
        codes += of_module(module)
    print("# CPython %d.%d, written by dump.py" % sys.version_info[:2])
    for code in codes[:MOST_CODES]:
        table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable
        print(code.co_firstlineno, len(code.co_code), table.hex(), runs(code))


if __name__ == "__main__":
    main()
