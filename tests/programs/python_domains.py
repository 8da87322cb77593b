"""Every function of CPython's allocators once, with a size that nothing else has; and some more in the workers of a pool."""

import ctypes
import multiprocessing

ADDRESS, SIZE = ctypes.c_void_p, ctypes.c_size_t
BYTES = 123_458


def function(name, *arguments):
    found = getattr(ctypes.pythonapi, name)
    found.restype, found.argtypes = ADDRESS, arguments
    return found


def calls(prefix):
    """One block of each function of a domain, freed again."""
    free = function(f"{prefix}Free", ADDRESS)
    # The memory that is asked for is the same, whatever function is asked.
    free(function(f"{prefix}Malloc", SIZE)(BYTES))
    free(function(f"{prefix}Calloc", SIZE, SIZE)(2, BYTES // 2))
    free(function(f"{prefix}Realloc", ADDRESS, SIZE)(None, BYTES))


def work(_):
    block = function("PyObject_Calloc", SIZE, SIZE)(1, BYTES + 1)
    function("PyObject_Free", ADDRESS)(block)


if __name__ == "__main__":
    for prefix in ("PyMem_Raw", "PyMem_", "PyObject_"):
        calls(prefix)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(work, range(10))
        pool.close()
        pool.join()
