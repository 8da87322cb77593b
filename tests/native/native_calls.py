"""Calls native functions whose stacks are known; see native.c."""

import ctypes
import sys
from pathlib import Path

import _ctypes

here = Path(__file__).resolve().parent
native = ctypes.CDLL(str(here / "native.so"))
size = ctypes.c_size_t
CALLBACK = ctypes.CFUNCTYPE(None)


def chain():
    native.outer(size(100_001))


def arrays():
    for length in (1, 100, 5000):
        native.with_array(size(100_002), length)
        native.aligned(size(100_003), length)


def recursion():
    for depth in (1, 10, 3000, 10):
        native.recursive(depth, size(100_004))


def back_and_forth(depth):
    callback = CALLBACK((lambda: back_and_forth(depth - 1)) if depth else chain)
    native.calls_back(callback, 2)


def plugins(names):
    for name in names:
        library = ctypes.CDLL(str(here / name))
        library.enter.restype = ctypes.c_void_p
        library.enter(size(100_005))
        _ctypes.dlclose(library._handle)


def found_beside_the_caller():
    assert native.loads(b"plugin_c.so", size(100_009)) == 0


def shapes():
    library = ctypes.CDLL(str(here / "shapes.so"))
    library.measure.restype = ctypes.c_void_p
    library.measure(ctypes.c_double(1000.0), 100)


def inlined():
    native.has_inlined(size(100_007))


def two_places():
    native.two_places(size(100_008))


def back_to_python():
    CALLBACK(chain)()
    native.allocates_nothing()


def main():
    chain()
    inlined()
    two_places()
    back_to_python()
    arrays()
    recursion()
    back_and_forth(4)
    native.in_handler(20)
    assert native.in_threads(8, size(100_006)) == 0
    assert native.in_code_without_information() == 0
    plugins(["plugin_a.so", "plugin_b.so", "plugin_a.so", "plugin_b.so"])
    found_beside_the_caller()
    if (here / "shapes.so").exists():
        shapes()


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        oracle = ctypes.CDLL(sys.argv[1])
        oracle.heaphint_oracle_native_stacks.restype = size
        oracle.heaphint_oracle_native_frames.restype = size
        print(oracle.heaphint_oracle_native_stacks(), oracle.heaphint_oracle_native_frames())
