"""Calls the functions of CPython's own allocators, each kind on a line of its own. Run with --trace-python-allocators."""

import ctypes

ADDRESS, SIZE = ctypes.c_void_p, ctypes.c_size_t


def function(name, *arguments):
    found = getattr(ctypes.pythonapi, name)
    found.restype, found.argtypes = ADDRESS, arguments
    return found


raw_malloc, raw_calloc, raw_realloc, raw_free = (
    function("PyMem_RawMalloc", SIZE),
    function("PyMem_RawCalloc", SIZE, SIZE),
    function("PyMem_RawRealloc", ADDRESS, SIZE),
    function("PyMem_RawFree", ADDRESS),
)
mem_malloc, mem_calloc, mem_realloc, mem_free = (
    function("PyMem_Malloc", SIZE),
    function("PyMem_Calloc", SIZE, SIZE),
    function("PyMem_Realloc", ADDRESS, SIZE),
    function("PyMem_Free", ADDRESS),
)
object_malloc, object_calloc, object_realloc, object_free = (
    function("PyObject_Malloc", SIZE),
    function("PyObject_Calloc", SIZE, SIZE),
    function("PyObject_Realloc", ADDRESS, SIZE),
    function("PyObject_Free", ADDRESS),
)


# A domain's block has another size each, so that a figure shows which it was. The large ones come from malloc in turn,
# and the small ones from an arena: neither is counted twice.
def raw():
    block = raw_malloc(100_001)
    block = raw_realloc(block, 200_003)
    return [block, raw_calloc(3, 100_003)]


def mem():
    block = mem_malloc(110_017)
    block = mem_realloc(block, 210_011)
    return [block, mem_calloc(3, 110_023)]


def objects():
    block = object_malloc(120_011)
    block = object_realloc(block, 220_009)
    return [block, object_calloc(3, 120_017)]


def small():
    return [object_malloc(333) for _ in range(20_000)]


def nothing():
    return [object_malloc(0), mem_malloc(0), raw_malloc(0)]


kept = [raw(), mem(), objects(), small(), nothing()]
for block in kept[0]:
    raw_free(block)
for block in kept[1]:
    mem_free(block)
for block in kept[2]:
    object_free(block)
